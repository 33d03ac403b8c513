//! Recorded command lines, replayed. `GOLDEN_CLI=members,kv-a` runs some groups only.

use anyhow::Result;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    thread,
};
use tests::{
    golden_cli::{Case, cases, gaps, replay},
    process::binary,
};

/// Groups replayed at a time.
const JOBS: usize = 2;

#[test]
fn recorded_command_lines() -> Result<()> {
    let (binary, all, gaps) = (binary()?, cases()?, gaps()?);
    let only = std::env::var("GOLDEN_CLI").unwrap_or_default();
    let wanted: BTreeSet<&str> = only.split(',').filter(|g| !g.is_empty()).collect();
    let mut groups: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    for case in &all {
        if wanted.is_empty() || wanted.contains(case.group.as_str()) {
            groups.entry(&case.group).or_default().push(case.clone());
        }
    }
    let group_gaps: BTreeSet<&str> = gaps.iter().filter_map(|g| g.group.as_deref()).collect();
    let case_gaps: BTreeSet<&str> = gaps.iter().filter_map(|g| g.case.as_deref()).collect();
    let listed =
        |case: &Case| group_gaps.contains(case.group.as_str()) || case_gaps.contains(case.id.as_str());
    let mut problems = Vec::new();
    for gap in gaps.iter().filter(|g| g.group.is_some() == g.case.is_some()) {
        problems.push(format!("known_gaps.jsonl: name a case or a group: {}", gap.reason));
    }
    let known = |name: &str| all.iter().any(|c| c.id == name || c.group == name);
    for name in group_gaps.iter().chain(&case_gaps).filter(|n| !known(n)) {
        problems.push(format!("known_gaps.jsonl: there is no case or group {name}"));
    }

    let queue = Mutex::new(groups.iter().collect::<Vec<_>>());
    let results = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().pop();
                    let Some((group, cases)) = next else { return };
                    let outcome = replay(&binary, cases, |c| !listed(c));
                    results.lock().unwrap().insert(*group, outcome);
                }
            });
        }
    });

    // In groups that are gaps as a whole some cases pass by what they refuse; that is no merit.
    let (mut passed, mut by_chance, mut open) = (0, 0, 0);
    for (group, outcome) in results.into_inner().unwrap() {
        if group_gaps.contains(group) && outcome.iter().all(|(_, diff)| diff.is_empty()) {
            problems.push(format!("group {group} passes: take it off known_gaps.jsonl"));
        }
        for (id, diff) in outcome {
            let case_gap = case_gaps.contains(id.as_str());
            match (diff.is_empty(), case_gap || group_gaps.contains(group)) {
                (true, _) if case_gap => problems.push(format!("{id} passes: take it off known_gaps.jsonl")),
                (true, true) => by_chance += 1,
                (true, false) => passed += 1,
                (false, true) => open += 1,
                (false, false) => problems.extend(diff.iter().map(|d| format!("{id}: {d}"))),
            }
        }
    }
    println!(
        "{passed} passed, {open} known gaps, {by_chance} passed in groups that are gaps, {} problems",
        problems.len()
    );
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    Ok(())
}
