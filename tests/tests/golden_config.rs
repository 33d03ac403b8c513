//! Recorded configurations, replayed. `GOLDEN_CONFIG=run-,reload-` runs cases with these beginnings only.
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use anyhow::Result;
use std::{collections::BTreeSet, sync::Mutex, thread};
use tests::{
    golden_config::{Case, cases, gaps, run, validate},
    process::binary,
};

/// Agents that run at a time.
const JOBS: usize = 3;

fn wanted() -> Result<Vec<Case>> {
    let only = std::env::var("GOLDEN_CONFIG").unwrap_or_default();
    let only: Vec<&str> = only.split(',').filter(|o| !o.is_empty()).collect();
    let all = cases()?;
    Ok(all.into_iter().filter(|c| only.is_empty() || only.iter().any(|o| c.id.starts_with(o))).collect())
}

/// Fails when a case differs that is no known gap, or a known gap passes.
fn judge(what: &str, results: Vec<(String, Vec<String>)>) -> Result<()> {
    let gaps: BTreeSet<String> = gaps()?.into_iter().map(|g| g.case).collect();
    let (mut passed, mut open, mut problems) = (0, 0, Vec::new());
    for (id, diff) in results {
        match (diff.is_empty(), gaps.contains(&id)) {
            (true, false) => passed += 1,
            (true, true) => problems.push(format!("{id}: passes, take it off known_gaps.jsonl")),
            (false, true) => open += 1,
            (false, false) => problems.extend(diff.into_iter().map(|d| format!("{id}: {d}"))),
        }
    }
    println!("{what}: {passed} passed, {open} known gaps, {} problems", problems.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

#[test]
fn gaps_name_cases() -> Result<()> {
    let ids: BTreeSet<String> = cases()?.into_iter().map(|c| c.id).collect();
    for gap in gaps()? {
        assert!(ids.contains(&gap.case), "there is no case {}", gap.case);
        assert!(!gap.reason.is_empty(), "{} has no reason", gap.case);
    }
    Ok(())
}

#[test]
fn recorded_verdicts() -> Result<()> {
    let mut results = Vec::new();
    for case in wanted()? {
        // A gap of a case with an agent is a gap of the agent.
        let listed = case.needs_agent() && gaps()?.iter().any(|g| g.case == case.id);
        let diff = validate(&case)?;
        if !(listed && diff.is_empty()) {
            results.push((case.id.clone(), diff));
        }
    }
    judge("validate", results)
}

#[test]
fn recorded_agents() -> Result<()> {
    let binary = binary()?;
    let queue = Mutex::new(wanted()?.into_iter().filter(Case::needs_agent).collect::<Vec<_>>());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().pop() else { return };
                    let diff = run(&binary, &case).unwrap_or_else(|e| vec![e.to_string()]);
                    results.lock().unwrap().push((case.id, diff));
                }
            });
        }
    });
    let mut results = results.into_inner()?;
    results.sort();
    judge("agents", results)
}
