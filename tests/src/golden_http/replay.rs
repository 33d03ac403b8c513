//! A whole recording against one agent.

use super::{
    Case, Diff,
    agent::Agent,
    dns,
    exchange::{Memory, exchange},
};
use crate::process::now;
use anyhow::Result;
use std::{collections::BTreeMap, path::Path, thread, time::Duration};

/// Waiting that costs nothing when the answer fits at once, and spares a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(200);

/// How one line came out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Name of the line.
    pub id: String,
    /// Its area.
    pub area: String,
    /// Whether it only makes ready.
    pub setup: bool,
    /// What differs.
    pub diffs: Vec<String>,
}

/// Replays all lines in order; those that `listed` names are given no more time than recorded.
///
/// # Errors
/// When the agent does not start or ends on the way.
pub fn replay(binary: &Path, cases: &[Case], listed: impl Fn(&Case) -> bool) -> Result<Vec<Outcome>> {
    let mut agent = Agent::start(binary)?;
    let mut memory = Memory { vars: agent.vars.clone(), blobs: BTreeMap::new() };
    let mut out = Vec::new();
    for case in cases {
        let recorded = Duration::from_secs(case.retry_s);
        let limit = if case.retry_s == 0 || listed(case) { recorded } else { recorded.max(PATIENCE) };
        let start = now();
        let diffs = loop {
            let diffs = once(&agent, case, &mut memory);
            if diffs.is_empty() || start.elapsed() >= limit {
                break diffs;
            }
            thread::sleep(STEP);
        };
        if !diffs.is_empty() {
            agent.check()?;
        }
        out.push(Outcome {
            id: case.id.clone(),
            area: case.area.clone(),
            setup: case.setup,
            diffs: diffs.iter().map(Diff::to_string).collect(),
        });
    }
    Ok(out)
}

fn once(agent: &Agent, case: &Case, memory: &mut Memory) -> Vec<Diff> {
    match (&case.request, &case.question) {
        (Some(request), _) => exchange(agent.http, case, request, memory),
        (None, Some(question)) => dns::question(agent.dns, case, question, &memory.vars),
        (None, None) => Vec::new(),
    }
}
