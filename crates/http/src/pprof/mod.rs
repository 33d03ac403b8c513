//! `/debug/pprof/`: what this process can honestly measure of itself, in the forms that tools expect.
//!
//! There are no stacks: a Rust program has no runtime that keeps them. `heap` is the memory of the process by what backs it,
//! `profile` the CPU time of each thread over the time asked for, `goroutine` the tasks and threads of the runtime, and `trace`
//! a text with those counts at the begin and the end. The first three are profiles in pprof's format, or text with `debug=1`.

mod encode;
mod measure;

use crate::{
    params::Params,
    reply::{Content, Reply},
};
use encode::Profile;
use flate2::{Compression, write::GzEncoder};
use http::StatusCode;
use runtime::Shutdown;
use std::{io::Write, time::Duration};

/// Seconds of a profile when none are asked for.
const PROFILE_SECONDS: u64 = 30;
/// Longest time of a profile or a trace.
const SECONDS_MAX: u64 = 3600;

/// Answers a path below `/debug/pprof/`.
pub(crate) async fn answer(path: &str, query: &str, stop: &Shutdown) -> Reply {
    let Ok(params) = Params::parse(query) else {
        return Reply::new(StatusCode::BAD_REQUEST, Content::Text, "the query is not valid\n");
    };
    let text = !matches!(params.get("debug"), "" | "0");
    let seconds = |usual: u64| match params.get("seconds") {
        "" => Ok(usual),
        given => match given.parse::<f64>() {
            Ok(n) if n > 0.0 && n <= SECONDS_MAX as f64 => Ok(n.ceil() as u64),
            _ => Err(format!("seconds must be a number from 1 to {SECONDS_MAX}, not {given:?}\n")),
        },
    };
    match path {
        "" => Reply::new(StatusCode::OK, Content::Text, INDEX),
        "heap" | "allocs" => shown(&measure::memory(), text),
        "goroutine" | "threadcreate" => shown(&measure::tasks(), text),
        "cmdline" => {
            let words: Vec<_> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
            Reply::new(StatusCode::OK, Content::Text, words.join("\0"))
        }
        "profile" => match seconds(PROFILE_SECONDS) {
            Ok(seconds) => {
                let before = measure::cpu();
                let slept = pause(seconds, stop).await;
                shown(&measure::cpu_since(&before, slept), text)
            }
            Err(why) => Reply::new(StatusCode::BAD_REQUEST, Content::Text, why),
        },
        "trace" => match seconds(1) {
            Ok(seconds) => {
                let (tasks, cpu) = (measure::tasks(), measure::cpu());
                let slept = pause(seconds, stop).await;
                let used = measure::cpu_since(&cpu, slept);
                let body = format!(
                    "at the begin:\n{}\nafter {seconds} s:\n{}\nCPU time in between:\n{}",
                    tasks.text(),
                    measure::tasks().text(),
                    used.text()
                );
                Reply::new(StatusCode::OK, Content::Text, body)
            }
            Err(why) => Reply::new(StatusCode::BAD_REQUEST, Content::Text, why),
        },
        other => Reply::new(StatusCode::NOT_FOUND, Content::Text, format!("Unknown profile {other:?}\n")),
    }
}

const INDEX: &str = "heap       memory of the process, by what backs it\n\
                     goroutine  tasks and threads of the runtime\n\
                     profile    CPU time of each thread (seconds=)\n\
                     trace      those counts before and after a time, as text (seconds=)\n\
                     cmdline    arguments of the program\n";

/// Waits, but not longer than the agent lives; the time that passed.
async fn pause(seconds: u64, stop: &Shutdown) -> Duration {
    let begun = tokio::time::Instant::now();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        () = stop.wait() => {}
    }
    begun.elapsed()
}

fn shown(profile: &Profile, text: bool) -> Reply {
    if text {
        return Reply::new(StatusCode::OK, Content::Text, profile.text());
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    match gzip.write_all(&profile.encode()).and_then(|()| gzip.finish()) {
        Ok(bytes) => Reply::new(StatusCode::OK, Content::Other("application/octet-stream"), bytes),
        Err(e) => Reply::new(StatusCode::INTERNAL_SERVER_ERROR, Content::Text, format!("{e}\n")),
    }
}
