use super::{config, servers, start};
use crate::{LocalConfig, Source, probe::Prober};
use local::ProbeKind;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use types::{SecretToken, definition::CheckDefinition};

async fn run_with(config: &LocalConfig, c: &CheckDefinition) -> (&'static str, String) {
    let found = Prober::new(config).probe(ProbeKind::of(c).unwrap(), c, 4096).await;
    (found.status, found.output)
}

async fn run(c: &CheckDefinition) -> (&'static str, String) {
    run_with(&config(), c).await
}

fn http(port: u16, path: &str) -> CheckDefinition {
    CheckDefinition { http: format!("http://127.0.0.1:{port}{path}").into(), ..Default::default() }
}

#[tokio::test]
async fn http_statuses_and_texts() {
    let t = servers::web().await;
    let p = t.port;
    assert_eq!(
        run(&http(p, "/ok")).await,
        ("passing", format!("HTTP GET http://127.0.0.1:{p}/ok: 200 OK Output: \"fine\""))
    );
    assert_eq!(
        run(&http(p, "/busy")).await,
        ("warning", format!("HTTP GET http://127.0.0.1:{p}/busy: 429 Too Many Requests Output: slow down"))
    );
    assert_eq!(
        run(&http(p, "/gone")).await,
        ("critical", format!("HTTP GET http://127.0.0.1:{p}/gone: 404 Not Found Output: no"))
    );
    assert_eq!(run(&http(p, "/moved")).await.0, "passing");
    let still = CheckDefinition { disable_redirects: true, ..http(p, "/moved") };
    assert_eq!(run(&still).await.0, "critical");
    assert!(run(&http(p, "/loop")).await.1.ends_with("stopped after 10 redirects"));
    let found = Prober::new(&config()).probe(ProbeKind::Http, &http(p, "/long"), 4).await;
    assert!(found.output.ends_with("Output: 6789"), "{found:?}");
    let found = Prober::new(&config()).probe(ProbeKind::Http, &http(p, "/large"), 5).await;
    assert!(found.output.ends_with("Output: xxend"), "{found:?}");
}

#[tokio::test]
async fn http_requests_are_as_defined() {
    let t = servers::web().await;
    let p = t.port;
    assert!(
        run(&http(p, "/echo"))
            .await
            .1
            .ends_with(&format!("Output: GET Consul Health Check text/plain, text/*, */* 127.0.0.1:{p}  "))
    );
    let c = CheckDefinition {
        method: "POST".into(),
        body: "hi".into(),
        header: [
            ("X-A".into(), vec!["1".into()]),
            ("Host".into(), vec!["other".into()]),
            ("User-Agent".into(), vec!["me".into()]),
        ]
        .into(),
        ..http(p, "/echo")
    };
    let text = run(&c).await.1;
    assert!(text.starts_with("HTTP POST ") && text.contains("Output: POST me "), "{text}");
    assert!(text.ends_with(" other 1 hi"), "{text}");
}

#[tokio::test]
async fn http_failures_are_texts() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    assert_eq!(
        run(&http(closed, "/")).await,
        (
            "critical",
            format!(
                "Get \"http://127.0.0.1:{closed}/\": dial tcp 127.0.0.1:{closed}: connect: connection refused"
            )
        )
    );
    for bad in ["::not a url", "ftp://x/", "http://"] {
        let c = CheckDefinition { http: bad.into(), ..Default::default() };
        assert_eq!(run(&c).await.0, "critical", "{bad}");
    }
    let t = servers::web().await;
    let c = CheckDefinition { timeout: Duration::from_millis(20), ..http(t.port, "/hang") };
    assert!(run(&c).await.1.contains("context deadline exceeded"));
}

#[tokio::test]
async fn tcp_with_and_without_tls() {
    let (t, pem) = servers::tls().await;
    let c = CheckDefinition { tcp: format!("localhost:{}", t.port).into(), ..Default::default() };
    assert_eq!(run(&c).await, ("passing", format!("TCP connect localhost:{}: Success", t.port)));
    let over_tls = CheckDefinition { tcp_use_tls: true, ..c };
    assert_eq!(run(&over_tls).await.0, "critical", "not an authority that we know");
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, pem).unwrap();
    let internal_rpc = tls::Part { name: "internal_rpc", ca_file: Some(ca_file), ..tls::Part::default() };
    let settings = tls::Settings { internal_rpc, ..tls::Settings::default() };
    let own = tls::Tls::load(settings, Arc::new(runtime::SystemClock)).unwrap();
    let trusting = LocalConfig { probe_tls: Some(Arc::new(own)), ..config() };
    assert_eq!(
        run_with(&trusting, &over_tls).await,
        ("passing", format!("TCP+TLS connect localhost:{}: Success", t.port))
    );
    let skip = CheckDefinition { tls_skip_verify: true, ..over_tls };
    assert_eq!(run(&skip).await.0, "passing");
    for bad in ["", "nowhere", "127.0.0.1:x", "127.0.0.1:99999"] {
        let c = CheckDefinition { tcp: bad.into(), ..Default::default() };
        let found = Prober::new(&config()).probe(ProbeKind::Tcp, &c, 9).await;
        assert_eq!(found.status, "critical", "{bad}");
    }
}

#[tokio::test]
async fn udp_silence_is_success_refusal_is_not() {
    let open = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = open.local_addr().unwrap().port();
    let c = CheckDefinition {
        udp: format!("127.0.0.1:{port}").into(),
        timeout: Duration::from_millis(50),
        ..Default::default()
    };
    assert_eq!(run(&c).await, ("passing", format!("UDP connect 127.0.0.1:{port}: Success")));
    drop(open);
    let (status, text) = run(&CheckDefinition { timeout: Duration::from_secs(5), ..c }).await;
    assert_eq!(status, "critical");
    assert!(text.ends_with("connection refused"), "{text}");
}

#[tokio::test]
async fn grpc_and_h2_ping() {
    let t = servers::grpc().await;
    let p = t.port;
    let grpc = |s: &str| CheckDefinition { grpc: format!("127.0.0.1:{p}{s}").into(), ..Default::default() };
    assert_eq!(run(&grpc("")).await, ("passing", format!("gRPC check 127.0.0.1:{p}: success")));
    assert_eq!(run(&grpc("/svc")).await, ("passing", format!("gRPC check 127.0.0.1:{p}/svc: success")));
    assert_eq!(run(&grpc("/bad")).await.0, "critical");
    assert!(run(&grpc("/none")).await.1.ends_with("rpc error: code = 5 desc = unknown service"));
    let ping = CheckDefinition {
        h2ping: format!("127.0.0.1:{p}").into(),
        h2ping_use_tls: Some(false),
        ..Default::default()
    };
    assert_eq!(run(&ping).await, ("passing", "HTTP2 ping was successful".into()));
    let tls = CheckDefinition { h2ping_use_tls: None, timeout: Duration::from_secs(5), ..ping };
    assert_eq!(run(&tls).await.0, "critical", "TLS unless told otherwise");
}

fn script(line: &str) -> CheckDefinition {
    CheckDefinition { script_args: vec!["sh".into(), "-c".into(), line.into()], ..Default::default() }
}

#[tokio::test]
async fn scripts() {
    assert_eq!(run(&script("echo fine")).await, ("passing", "fine\n".into()));
    assert_eq!(run(&script("echo so-so; exit 1")).await, ("warning", "so-so\n".into()));
    assert_eq!(run(&script("echo bad >&2; exit 3")).await, ("critical", "bad\n".into()));
    assert_eq!(run(&script("kill -9 $$")).await.0, "critical");
    let found = Prober::new(&config()).probe(ProbeKind::Script, &script("printf 0123456789abcdef"), 8).await;
    assert_eq!(found.output, "Captured 8 of 16 bytes\n...\n89abcdef");
    let missing = CheckDefinition { script_args: vec!["/nowhere/x".into()], ..Default::default() };
    assert!(run(&missing).await.1.starts_with("failed to invoke"));
}

#[tokio::test]
async fn a_script_is_killed_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let line = format!("sleep 1000 & echo $! > {}; echo begun; wait", pid.display());
    let c = CheckDefinition { timeout: Duration::from_millis(500), ..script(&line) };
    #[expect(clippy::disallowed_methods, reason = "measures real processes")]
    let begun = Instant::now();
    let (status, text) = run(&c).await;
    assert_eq!((status, text.as_str()), ("critical", "Timed out (500ms) running check\nbegun\n"));
    assert!(begun.elapsed() < Duration::from_secs(60));
    let pid: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    // Killed at once, but it is gone only when its new parent has looked.
    while rustix::process::test_kill_process(pid).is_ok() {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        if stat.contains(") Z ") {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_registered_check_runs() {
    let t = servers::web().await;
    let a = start().await;
    let c = CheckDefinition { name: "h".into(), interval: Duration::from_millis(10), ..http(t.port, "/ok") };
    a.state.register_check(c, Source::Api, SecretToken::default()).await.unwrap();
    assert_eq!(a.state.checks()["h"].interval, "10ms", "shown as written");
    a.until(|s| s.checks()["h"].status == "passing").await;
    a.state.sync_now().await;
    assert_eq!(a.servers.0.lock().checks["h"].status, "passing");
    a.state.deregister_check("h").await.unwrap();
    assert!(a.state.checks().is_empty());
}
