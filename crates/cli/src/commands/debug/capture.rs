//! Asking the agent, again and again.

use super::{
    Wanted,
    pack::{self, Directory},
};
use crate::{
    child::Signals,
    client::{AgentLink, ClientError, LinkAnswer},
    commands::{Failure, Outcome, Session},
    table::{columns, row},
};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Patience with an answer beyond what was asked for.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Most bytes of the log that are kept.
const LOG_BYTES_MAX: usize = 64 << 20;

async fn get(
    link: &AgentLink,
    path: &str,
    query: &[(&'static str, String)],
    wait: Duration,
) -> Result<Bytes, ClientError> {
    link.call(Method::GET, path, query, "", wait + ANSWER_LIMIT).await.and_then(LinkAnswer::ok)
}

pub(super) async fn capture(session: &mut Session<'_, '_>, link: &AgentLink, mut wanted: Wanted) -> Outcome {
    let mut signals = Signals::new().map_err(Failure::new)?;
    let own = get(link, "/v1/agent/self", &[], Duration::ZERO)
        .await
        .map_err(Failure::request("error querying target agent: verify connectivity and agent address"))?;
    let own: Value = serde_json::from_slice(&own)
        .map_err(|e| Failure::new(format!("error querying target agent: {e}")))?;
    if own["DebugConfig"]["EnableDebug"] != true
        && own["DebugConfig"]["ACLsEnabled"] != true
        && wanted.has("pprof")
    {
        session.io.warn(
            "[WARN] Unable to capture pprof. Set enable_debug to true on target agent to enable profiling.",
        );
        wanted.targets.retain(|t| t != "pprof");
    }
    let version = own["Config"]["Version"].as_str().unwrap_or_default().to_owned();
    let time = ::api::duration::format;
    session.io.say("==> Starting debugger and capturing static information...");
    session.io.say(format!("     Agent Version: '{version}'"));
    session.io.say(format!("          Interval: '{}'", time(wanted.interval)));
    session.io.say(format!("          Duration: '{}'", time(wanted.duration)));
    session.io.say(format!("            Output: '{}'", wanted.shown()));
    session.io.say(format!("           Capture: '{}'", wanted.targets.join(", ")));
    let failed = |e: String| Failure::new(format!("Error capturing: {e}"));
    let directory = Directory::create(&wanted.output).map_err(failed)?;
    let mut written = Vec::new();
    let problems = fixed(link, &wanted, &own, &directory).await.map_err(failed)?;
    written.extend(problems);
    if wanted.goes_on() {
        let ended = tokio::select! {
            problems = moving(session, link, &wanted, &directory) => Some(problems.map_err(failed)?),
            _ = signals.next() => None,
        };
        match ended {
            Some(problems) => written.extend(problems),
            None => session.io.warn("==> Capture was interrupted; what was collected so far is kept, profiles that had not ended are not"),
        }
    }
    for problem in written {
        session.io.warn(format!("==> {problem}"));
    }
    let index = json!({
        "Version": 1,
        "AgentVersion": version,
        "Interval": time(wanted.interval),
        "Duration": time(wanted.duration),
        "Targets": wanted.targets,
    });
    directory.json("index.json", &index).map_err(failed)?;
    if wanted.archive {
        directory.pack(&wanted.shown()).map_err(|e| Failure::new(format!("Archive creation failed: {e}")))?;
    }
    let what = if wanted.archive { "archive" } else { "output" };
    session.io.say(format!("    Saved debug {what}: {}", wanted.shown()));
    Ok(())
}

/// What does not change; answers what could not be had.
async fn fixed(
    link: &AgentLink,
    wanted: &Wanted,
    own: &Value,
    directory: &Directory,
) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    if wanted.has("agent") {
        directory.json("agent.json", own)?;
    }
    let wan = [("wan", "1".to_owned())];
    let members: &[(&'static str, String)] = &wan;
    for (target, path, query) in
        [("host", "/v1/agent/host", &[][..]), ("members", "/v1/agent/members", members)]
    {
        if !wanted.has(target) {
            continue;
        }
        match get(link, path, query, Duration::ZERO).await {
            Ok(body) => directory.indented(&format!("{target}.json"), &body)?,
            Err(e) => problems.push(format!("{target} could not be captured: {e}")),
        }
    }
    if wanted.has("members") {
        match get(link, "/v1/operator/raft/configuration", &[], Duration::ZERO).await {
            Ok(body) => directory.write("listpeers.json", peers(&body).as_bytes())?,
            Err(e) => problems.push(format!("the Raft configuration could not be captured: {e}")),
        }
    }
    Ok(problems)
}

/// The servers as a table; other tools know it under a name that says JSON.
fn peers(body: &[u8]) -> String {
    let found: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut rows = vec![row(["Node", "ID", "Address", "State", "Voter", "RaftProtocol"])];
    for s in found["Servers"].as_array().into_iter().flatten() {
        let text = |name: &str| s[name].as_str().unwrap_or_default().to_owned();
        let state = if s["Leader"] == true { "leader" } else { "follower" };
        rows.push(vec![
            text("Node"),
            text("ID"),
            text("Address"),
            state.to_owned(),
            (s["Voter"] == true).to_string(),
            text("ProtocolVersion"),
        ]);
    }
    columns(&rows) + "\n"
}

/// What is collected over time; answers what could not be had.
async fn moving(
    session: &mut Session<'_, '_>,
    link: &AgentLink,
    wanted: &Wanted,
    directory: &Directory,
) -> Result<Vec<String>, String> {
    let long = async {
        if !wanted.has("pprof") {
            return Ok(Vec::new());
        }
        let profile = long_profile(link, directory, "profile", "profile.prof", wanted.duration);
        let trace = long_profile(link, directory, "trace", "trace.out", wanted.interval);
        let (a, b) = tokio::join!(profile, trace);
        Ok::<_, String>([a?, b?].into_iter().flatten().collect())
    };
    let log = async {
        if !wanted.has("logs") {
            return Ok(Vec::new());
        }
        let query = [("loglevel", "TRACE".to_owned())];
        // Written as it comes: a capture that is interrupted has what was logged until then.
        directory.write("consul.log", b"")?;
        let keep = |bytes: &[u8]| directory.append("consul.log", bytes);
        let problem = link.stream("/v1/agent/monitor", &query, wanted.duration, LOG_BYTES_MAX, keep).await;
        Ok::<_, String>(problem.map(|p| format!("the log could not be captured: {p}")).into_iter().collect())
    };
    let (problems, long, log) = tokio::join!(intervals(session, link, wanted, directory), long, log);
    let mut all: Vec<String> = problems?;
    all.extend(long?);
    all.extend(log?);
    Ok(all)
}

async fn long_profile(
    link: &AgentLink,
    directory: &Directory,
    name: &str,
    file: &str,
    time: Duration,
) -> Result<Option<String>, String> {
    let query = [("seconds", time.as_secs().max(1).to_string())];
    match get(link, &format!("/debug/pprof/{name}"), &query, time).await {
        Ok(body) => directory.write(file, &body).map(|()| None),
        Err(e) => Ok(Some(format!("{name} could not be captured: {e}"))),
    }
}

async fn intervals(
    session: &mut Session<'_, '_>,
    link: &AgentLink,
    wanted: &Wanted,
    directory: &Directory,
) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    // An agent that is gone fails each time in the same way.
    let told = |problems: &mut Vec<String>, text: String| {
        if !problems.contains(&text) {
            problems.push(text);
        }
    };
    let times =
        u32::try_from(wanted.duration.as_millis() / wanted.interval.as_millis().max(1)).unwrap_or(u32::MAX);
    let mut ticks = tokio::time::interval(wanted.interval);
    for n in 0..=times {
        ticks.tick().await;
        let now = pack::now_seconds();
        if n == 0 {
            session.io.say(format!("==> Beginning capture interval {} ({n})", pack::spoken(now)));
        }
        if wanted.has("pprof") {
            for kind in ["heap", "goroutine"] {
                match get(link, &format!("/debug/pprof/{kind}"), &[], Duration::ZERO).await {
                    Ok(body) => directory.write(&format!("{}/{kind}.prof", pack::stamp(now)), &body)?,
                    Err(e) => told(&mut problems, format!("{kind} could not be captured: {e}")),
                }
            }
        }
        if wanted.has("metrics") {
            match get(link, "/v1/agent/metrics", &[], Duration::ZERO).await {
                Ok(body) => {
                    let mut line = ::watch::compact(&String::from_utf8_lossy(&body));
                    line.push('\n');
                    directory.append("metrics.json", line.as_bytes())?;
                }
                Err(e) => told(&mut problems, format!("metrics could not be captured: {e}")),
            }
        }
        session.io.say(format!("==> Capture successful {} ({n})", pack::spoken(now)));
    }
    Ok(problems)
}
