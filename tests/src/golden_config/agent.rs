//! The part that needs a running agent.

use super::{
    Case,
    case::object,
    compare::{compare, still_there},
    place::{Place, tail},
};
use crate::process::{Answer, Child, call, clean_command, now};
use anyhow::Result;
use serde_json::Value;
use std::{fs::File, net::SocketAddr, path::Path, process::Stdio, thread, time::Duration};

const START_LIMIT: Duration = Duration::from_secs(30);
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(50);

struct Agent<'a> {
    process: Child,
    place: &'a Place,
    http: Option<SocketAddr>,
    token: &'a str,
}

/// Starts the agent of a case and tells what differs.
///
/// # Errors
/// When the case cannot be set up.
pub fn run(binary: &Path, case: &Case) -> Result<Vec<String>> {
    let place = Place::new(case, &format!("{case:?}"))?;
    let log = place.top().join("agent.log");
    let out = File::create(&log)?;
    let mut command = clean_command(binary);
    command.arg("agent").arg("-config-dir").arg(place.conf());
    command.args(case.args.iter().map(|a| place.fill(a))).current_dir(place.top());
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let http = place.http().ok().map(|p| SocketAddr::from(([127, 0, 0, 1], p)));
    let mut agent = Agent { process: Child::start(&mut command)?, place: &place, http, token: &case.token };
    let text = || {
        let text = std::fs::read(&log).unwrap_or_default();
        place.plain(&String::from_utf8_lossy(&text)).replace("\\\"", "\"")
    };
    if let Some(start) = &case.expect.start {
        let code = agent.process.wait_end(START_LIMIT).and_then(|s| s.code());
        let mut diff = place.lacks("agent output", &start.error_contains.all(), &text());
        if code != Some(start.exit) {
            diff.push(format!("agent exit {code:?}, want {}", start.exit));
        }
        return Ok(diff);
    }
    if agent.wait().is_none() {
        return Ok(vec![format!("agent did not start: {:?}", tail(&text(), 600))]);
    }
    let want = place.fill_value(&Value::Object(object(case.expect.runtime.as_ref())));
    let mut diff = agent.settle(&want, &[]);
    if let Some(reload) = &case.expect.reload {
        place.write(&reload.files)?;
        let answer = agent.ask("PUT", "/v1/agent/reload");
        if (answer.status == 200) != reload.ok {
            diff.push(format!("reload answered {} {:?}, want ok={}", answer.status, answer.body, reload.ok));
        }
        diff.extend(place.lacks("reload error", &reload.error_contains.all(), &place.plain(&answer.body)));
        let want = place.fill_value(&Value::Object(object(reload.runtime.as_ref())));
        diff.extend(agent.settle(&want, &reload.gone));
    }
    Ok(diff)
}

impl Agent<'_> {
    fn ask(&self, method: &str, path: &str) -> Answer {
        match self.http {
            Some(addr) => call(addr, method, path, "", self.token),
            None => Answer { status: 0, head: String::new(), body: self.place.plain("no HTTP port") },
        }
    }
    fn get(&self, path: &str) -> Option<Value> {
        let answer = self.ask("GET", path);
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok()).flatten()
    }
    /// `/v1/agent/self` with services and checks.
    fn view(&self) -> Option<Value> {
        let mut view = self.get("/v1/agent/self")?;
        for (name, path) in [("Services", "/v1/agent/services"), ("Checks", "/v1/agent/checks")] {
            view[name] = self.get(path).unwrap_or_default();
        }
        Some(view)
    }
    fn wait(&mut self) -> Option<()> {
        let start = now();
        while start.elapsed() < START_LIMIT && self.process.ended().is_none() {
            if self.view().is_some() {
                return Some(());
            }
            thread::sleep(STEP);
        }
        None
    }
    /// Waits until the agent shows what is wanted; tells what is still different in the end.
    fn settle(&self, want: &Value, gone: &[String]) -> Vec<String> {
        let start = now();
        loop {
            let got = self.view().unwrap_or_default();
            let mut diff = compare(want, &got, "");
            diff.extend(still_there(gone, &got));
            if diff.is_empty() || start.elapsed() > SETTLE_LIMIT {
                return diff;
            }
            thread::sleep(STEP);
        }
    }
}
