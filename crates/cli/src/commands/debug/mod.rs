//! `debug`: what an agent is and does for a while, in one archive.

mod capture;
mod pack;

use super::{Command, Common, Failure, Outcome, Session};
use crate::flags::{Flag, Kind};
use std::{path::PathBuf, time::Duration};

pub(super) static COMMAND: Command = Command {
    path: "debug",
    synopsis: "Record a debugging archive",
    usage: "[options]",
    about: "Collects what an agent says of itself for a while: configuration, host, members,\n\
            metrics, log and profiles, for somebody else to look at. The archive holds no\n\
            tokens and keys, but names and addresses.",
    flags: &[
        Flag::new(
            "capture",
            Kind::List,
            "What to collect, may be repeated: agent, host, members, metrics, logs, pprof; all if not given.",
        ),
        Flag::new("interval", Kind::Text, "Time between captures, at least 5s; 30s if not given."),
        Flag::new("duration", Kind::Text, "How long to collect, at least 10s; 5m if not given."),
        Flag::new(
            "archive",
            Kind::Bool,
            "Make an archive (.tar.gz) and remove the directory; true if not given.",
        ),
        Flag::new(
            "output",
            Kind::Text,
            "Name of the archive or directory; consul-debug-<time> if not given.",
        ),
        Flag::new("since", Kind::Text, "How much of the log before now; accepted, the log begins now."),
    ],
    common: Common::Client,
    run,
};

const TARGETS: [&str; 6] = ["metrics", "logs", "pprof", "host", "agent", "members"];

/// What is collected, and for how long.
struct Wanted {
    targets: Vec<String>,
    interval: Duration,
    duration: Duration,
    archive: bool,
    /// Without `.tar.gz`.
    output: PathBuf,
}

impl Wanted {
    fn has(&self, target: &str) -> bool {
        self.targets.iter().any(|t| t == target)
    }

    /// Whether something is collected more than once.
    fn goes_on(&self) -> bool {
        ["metrics", "logs", "pprof"].iter().any(|t| self.has(t))
    }

    /// The name that is shown and made.
    fn shown(&self) -> String {
        format!("{}{}", self.output.display(), if self.archive { ".tar.gz" } else { "" })
    }
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let wanted = wanted(session).map_err(|e| Failure::new(format!("==> Capture validation failed: {e}")))?;
    session.with_link(async |session, link| capture::capture(session, link, wanted).await)
}

fn wanted(session: &Session<'_, '_>) -> Result<Wanted, String> {
    let flags = &session.flags;
    let time = |name: &str, usual: u64| match flags.given(name) {
        None => Ok(Duration::from_secs(usual)),
        Some(text) => ::api::duration::parse(text).map_err(|e| format!("-{name} {text:?}: {e}")),
    };
    let (interval, duration) = (time("interval", 30)?, time("duration", 300)?);
    if duration < Duration::from_secs(10) {
        return Err("duration must be longer than 10s".to_owned());
    }
    if interval < Duration::from_secs(5) {
        return Err("interval must be longer than 10s".to_owned());
    }
    if duration < interval {
        return Err(format!(
            "duration ({}) must be longer than interval ({})",
            ::api::duration::format(duration),
            ::api::duration::format(interval)
        ));
    }
    let mut targets: Vec<String> = Vec::new();
    for target in flags.list("capture").iter().flat_map(|t| t.split(',')) {
        let target = if target == "cluster" { "members" } else { target };
        if !TARGETS.contains(&target) {
            return Err(format!("target not found: {target}"));
        }
        if !targets.iter().any(|t| t == target) {
            targets.push(target.to_owned());
        }
    }
    if targets.is_empty() {
        targets = TARGETS.map(str::to_owned).to_vec();
    }
    let archive = flags.given("archive").is_none() || flags.bool("archive");
    let output = match flags.text("output") {
        "" => PathBuf::from(format!("consul-debug-{}", pack::stamp(pack::now_seconds()))),
        given => PathBuf::from(given.strip_suffix(".tar.gz").unwrap_or(given)),
    };
    let wanted = Wanted { targets, interval, duration, archive, output };
    if wanted.output.exists() {
        return Err(format!("output directory already exists: {}", wanted.output.display()));
    }
    if archive && PathBuf::from(wanted.shown()).exists() {
        return Err(format!("output archive already exists: {}", wanted.shown()));
    }
    Ok(wanted)
}
