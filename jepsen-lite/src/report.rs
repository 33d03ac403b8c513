//! Results as text: a line a run, and what was broken.

use crate::{
    history::Outcome,
    ops::{Mode, Op},
    run::Outcomes,
    workload::Broken,
};
use faults::Fault;
use std::collections::BTreeSet;

/// Head of the table.
pub const HEAD: &str =
    "workload  nemesis         ops      ok unknown  failed  without writes  well after  verdict";
/// Harm that is listed after a failure.
const HARM_MAX: usize = 12;

/// One line, and after a failure what it was.
pub fn text(o: &Outcomes, fault: Option<Fault>) -> String {
    let mut out = format!(
        "{:<9} {:<11} {:>7} {:>7} {:>7} {:>7}  {:>12.2} s  {:>8.2} s  {}{}",
        o.workload,
        o.nemesis.name(),
        o.ok + o.unknown + o.failed,
        o.ok,
        o.unknown,
        o.failed,
        o.gap.as_secs_f64(),
        o.recovery.as_secs_f64(),
        o.verdict(),
        fault.map(|f| format!(" (fault {f})")).unwrap_or_default()
    );
    let mut more = |text: &str| out.push_str(&format!("\n  {}", text.trim_end().replace('\n', "\n  ")));
    o.findings.iter().chain(&o.troubles).for_each(|text| more(text));
    // The smallest of each kind says what there is to say.
    let mut small: Vec<_> = o.broken.iter().collect();
    small.sort_by_key(|b| b.calls.len());
    let mut said = BTreeSet::new();
    for broken in small {
        if said.insert(broken.what.split(char::is_numeric).next().unwrap_or_default()) {
            more(&show(broken));
        }
    }
    if !o.passed() {
        let n = o.broken.len();
        more(&format!("{n} broken promises, {} undecided keys; harm: {}", o.undecided, told(&o.harm)));
    }
    out
}

fn told(harm: &[(u64, String)]) -> String {
    let one = |(at, what): &(u64, String)| format!("{:.1} s {what}", *at as f64 / 1e6);
    let mut out: Vec<_> = harm.iter().take(HARM_MAX).map(one).collect();
    if harm.len() > out.len() {
        out.push(format!("and {} more", harm.len() - out.len()));
    }
    if out.is_empty() { "none".into() } else { out.join(", ") }
}

/// Calls as lines for a reader.
fn show(broken: &Broken) -> String {
    let mut out = format!("key {}: {}\n", broken.key, broken.what);
    let shown = broken.calls.len();
    out.push_str(&format!("  {shown} of {} calls show it", broken.of));
    out.push('\n');
    for call in &broken.calls {
        let end = match call.outcome {
            Outcome::Ok => format!("{:>10.3}", call.end as f64 / 1000.0),
            _ => format!("{:>10}", "open"),
        };
        out.push_str(&format!(
            "  {:>10.3} ..{end} ms  client {:<2} server {}  {}\n",
            call.start as f64 / 1000.0,
            call.client,
            call.server + 1,
            call.op
        ));
    }
    if broken.calls.iter().any(|c| matches!(c.op, Op::Read { mode: Mode::Stale, .. })) {
        out.push_str("  (stale reads may be old, but not this)\n");
    }
    out
}
