//! Recorded configurations, replayed. `GOLDEN_CONFIG=run-,reload-` runs cases with these beginnings only.
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use anyhow::Result;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    thread,
};
use tests::{
    golden_config::{Case, cases, gaps, run, validate},
    process::binary,
};

/// Agents that run at a time.
const JOBS: usize = 3;
/// What `validate` says.
const VERDICTS: &str = "verdicts";
/// What running agents do.
const AGENTS: &str = "agents";

fn wanted() -> Result<Vec<Case>> {
    let only = std::env::var("GOLDEN_CONFIG").unwrap_or_default();
    let only: Vec<&str> = only.split(',').filter(|o| !o.is_empty()).collect();
    let all = cases()?;
    Ok(all.into_iter().filter(|c| only.is_empty() || only.iter().any(|o| c.id.starts_with(o))).collect())
}

/// Fails when a case differs that is no known gap, or a known gap passes.
fn judge(what: &str, results: Vec<(String, Vec<String>)>) -> Result<()> {
    let gaps: BTreeSet<String> = gaps()?.into_iter().filter(|g| g.part == what).map(|g| g.case).collect();
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
    let cases: BTreeMap<String, bool> =
        cases()?.into_iter().map(|c| (c.id.clone(), c.needs_agent())).collect();
    for gap in gaps()? {
        let runs =
            cases.get(&gap.case).is_some_and(|agent| gap.part == VERDICTS || (gap.part == AGENTS && *agent));
        assert!(runs, "there is no case {} among the {}", gap.case, gap.part);
        assert!(!gap.reason.is_empty(), "{} has no reason", gap.case);
    }
    Ok(())
}

#[test]
fn recorded_verdicts() -> Result<()> {
    let mut results = Vec::new();
    for case in wanted()? {
        results.push((case.id.clone(), validate(&case)?));
    }
    judge(VERDICTS, results)
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
    judge(AGENTS, results)
}
