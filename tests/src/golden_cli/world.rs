//! Runs the cases of a group.

use super::{
    case::Case,
    judge::differences,
    normal::Normal,
    process::{Output, run},
    server::{ROOT_TOKEN, Server},
};
use crate::process::{Answer, clean_command, now};
use anyhow::Result;
use regex::Regex;
use std::{collections::BTreeMap, path::Path, sync::LazyLock, thread, time::Duration};

const PAUSE: Duration = Duration::from_millis(300);
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\{(\w+)\}").expect("a pattern of ours"));

struct World<'a> {
    binary: &'a Path,
    server: Server,
    dir: tempfile::TempDir,
    saved: BTreeMap<String, String>,
}

/// A fresh server and the cases of one group against it; for each its differences. `patient` says of a case whether it may
/// be tried again for the time it names.
pub fn replay(binary: &Path, cases: &[Case], patient: impl Fn(&Case) -> bool) -> Vec<(String, Vec<String>)> {
    let Some(first) = cases.first() else { return Vec::new() };
    let start = || -> Result<World<'_>> {
        Ok(World {
            binary,
            server: Server::start(binary, first.server.as_deref().unwrap_or("plain"))?,
            dir: tempfile::Builder::new().prefix("gw-").tempdir()?,
            saved: BTreeMap::new(),
        })
    };
    let mut world = match start() {
        Ok(world) => world,
        Err(e) => return cases.iter().map(|c| (c.id.clone(), vec![format!("{e:#}")])).collect(),
    };
    cases
        .iter()
        .map(|case| {
            let diff = world.step(case, patient(case)).unwrap_or_else(|e| vec![format!("{e:#}")]);
            (case.id.clone(), diff)
        })
        .collect()
}

impl World<'_> {
    fn step(&mut self, case: &Case, patient: bool) -> Result<Vec<String>> {
        let start = now();
        let retry = if patient { Duration::from_secs_f64(case.retry_s) } else { Duration::ZERO };
        let (diff, out) = loop {
            let (diff, out) = self.once(case)?;
            if diff.is_empty() || start.elapsed() > retry {
                break (diff, out);
            }
            thread::sleep(PAUSE);
        };
        for (name, pattern) in &case.save {
            let found = Regex::new(&format!("(?m){pattern}"))?.captures(&out).and_then(|c| c.get(1));
            if let Some(found) = found {
                self.saved.insert(name.clone(), found.as_str().to_owned());
            }
        }
        Ok(diff)
    }

    fn once(&self, case: &Case) -> Result<(Vec<String>, String)> {
        if let Some(http) = &case.http {
            let token = if case.server.as_deref() == Some("acl") { ROOT_TOKEN } else { "" };
            let (path, body) = (self.fill(&http.path), self.fill(&http.body));
            let Answer { status, body: text, .. } = self.server.call(&http.method, &path, &body, token);
            let want = case.expect.status;
            let diff =
                if status == want { Vec::new() } else { vec![format!("HTTP {status} {text}, want {want}")] };
            return Ok((diff, text));
        }
        let got = self.command(case)?;
        let normal = Normal {
            work: self.dir.path().display().to_string(),
            data: self.server.dir.path().display().to_string(),
            ports: self.server.ports,
        };
        Ok((differences(case, &normal, self.dir.path(), &got), got.out))
    }

    fn command(&self, case: &Case) -> Result<Output> {
        for (name, text) in &case.files {
            std::fs::write(self.dir.path().join(name), self.fill(text))?;
        }
        let mut command = clean_command(self.binary);
        command.args(case.cmd.iter().map(|a| self.fill(a))).current_dir(self.dir.path());
        command.env("CONSUL_HTTP_ADDR", format!("127.0.0.1:{}", self.server.http())).env("TZ", "UTC");
        if case.server.as_deref() == Some("acl") && !case.anonymous {
            command.env("CONSUL_HTTP_TOKEN", ROOT_TOKEN);
        }
        for (name, value) in &case.env {
            match value {
                Some(value) => command.env(name, self.fill(value)),
                None => command.env_remove(name),
            };
        }
        let limit = Duration::from_secs_f64(case.limit.unwrap_or(60.0));
        let interrupt = case.interrupt_after.map(Duration::from_secs_f64);
        run(&mut command, case.stdin.as_deref(), interrupt, limit)
    }

    fn fill(&self, text: &str) -> String {
        let text = text
            .replace("@DIR@", &self.dir.path().display().to_string())
            .replace("@HTTP@", &self.server.http().to_string())
            .replace("@GRPC@", &self.server.ports[5].to_string())
            .replace("@DATA@", &self.server.dir.path().display().to_string());
        VARIABLE
            .replace_all(&text, |c: &regex::Captures<'_>| {
                self.saved.get(&c[1]).cloned().unwrap_or_else(|| c[0].to_owned())
            })
            .into_owned()
    }
}
