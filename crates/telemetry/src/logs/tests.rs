use super::*;
use runtime::TestClock;
use tracing_subscriber::layer::SubscriberExt;

fn logs(level: Level, file: Option<FileConfig>, json: bool) -> (Logs, tracing::subscriber::DefaultGuard) {
    let config = LogConfig { level, json, stdout: false, file, syslog: None };
    let (logs, layer) = Logs::build(&config, Arc::new(TestClock::at(1_700_000_000_123))).unwrap();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    (logs, guard)
}

#[test]
fn followers_get_lines_of_their_level_and_form() {
    let (logs, _guard) = logs(Level::Error, None, false);
    let mut text = logs.subscribe(Level::Info, false).unwrap();
    let mut json = logs.subscribe(Level::Debug, true).unwrap();
    tracing::info!(target: "agent.http", addr = %"1.2.3.4:5", text = "two words", n = 3, "request\nforged");
    tracing::debug!(target: "agent", "only json");
    let line = text.try_recv().unwrap();
    assert!(line.starts_with("2023-11-1"), "{line}");
    assert!(
        line.ends_with(" [INFO]  agent.http: request\\nforged: addr=1.2.3.4:5 text=\"two words\" n=3\n"),
        "{line}"
    );
    assert_eq!(text.try_recv(), None);
    let first: serde_json::Value = serde_json::from_str(&json.try_recv().unwrap()).unwrap();
    assert_eq!(
        (&first["@level"], &first["@message"], &first["@module"], &first["n"]),
        (&"info".into(), &"request\nforged".into(), &"agent.http".into(), &3.into())
    );
    assert!(json.try_recv().unwrap().contains("only json"));
    drop(json);
    tracing::debug!(target: "agent", "nobody");
    assert_eq!(text.try_recv(), None);
}

#[test]
fn a_slow_follower_loses_lines_and_can_tell() {
    let (logs, _guard) = logs(Level::Info, None, false);
    let mut stream = logs.subscribe(Level::Info, false).unwrap();
    for _ in 0..600 {
        tracing::info!(target: "agent", "x");
    }
    assert_eq!(stream.lost(), 88);
    assert_eq!(std::iter::from_fn(|| stream.try_recv()).count(), 512);
}

#[test]
fn followers_are_limited() {
    let (logs, _guard) = logs(Level::Info, None, false);
    let all: Vec<_> = (0..64).map(|_| logs.subscribe(Level::Info, false).unwrap()).collect();
    assert_eq!(logs.subscribe(Level::Info, false).err(), Some(TooManyStreams));
    drop(all);
    assert!(logs.subscribe(Level::Info, false).is_ok());
}

#[test]
fn the_level_changes_while_running_and_libraries_are_quiet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.log");
    let file = FileConfig {
        path: path.clone(),
        rotate_after: std::time::Duration::ZERO,
        rotate_bytes: 0,
        max_files: 0,
    };
    let (logs, _guard) = logs(Level::Warn, Some(file), false);
    let say = || {
        tracing::info!(target: "agent", "info");
        tracing::info!(target: "some_library::deep", "chatter");
        tracing::warn!(target: "some_library::deep", "matter");
    };
    say();
    logs.set_level(Level::Info);
    say();
    logs.set_level("err".parse().unwrap());
    say();
    logs.flush();
    let text = std::fs::read_to_string(path).unwrap();
    let tails: Vec<_> = text.lines().map(|l| l.split_once(" [").unwrap().1).collect();
    assert_eq!(
        tails,
        ["WARN]  some_library::deep: matter", "INFO]  agent: info", "WARN]  some_library::deep: matter"]
    );
}

#[test]
fn level_words() {
    assert_eq!("Err".parse::<Level>(), Ok(Level::Error));
    assert_eq!("bogus".parse::<Level>().unwrap_err().to_string(), "Unknown log level: bogus");
}
