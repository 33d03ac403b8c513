//! What is known not to pass, and the verdict on a whole recording.

use super::{Case, Outcome, case::folder};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A line, or lines, known not to pass.
#[derive(Clone, Debug)]
pub struct Gap {
    /// A name, or its beginning and `*`.
    pub name: String,
    /// Why.
    pub reason: String,
}

impl Gap {
    /// Whether it speaks of the line.
    pub fn covers(&self, id: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(beginning) => id.starts_with(beginning),
            None => id == self.name,
        }
    }
}

/// All of `golden/<recording>/known_gaps.tsv`.
///
/// # Errors
/// When the file cannot be read or a row has no reason.
pub fn gaps(recording: &str) -> Result<Vec<Gap>> {
    let path = folder(recording).join("known_gaps.tsv");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let rows = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#'));
    rows.map(|(i, line)| {
        let (name, reason) = line
            .split_once('\t')
            .filter(|(_, reason)| !reason.trim().is_empty())
            .with_context(|| format!("{}:{}: no reason", path.display(), i + 1))?;
        Ok(Gap { name: name.to_owned(), reason: reason.to_owned() })
    })
    .collect()
}

/// The counts, and what is wrong: differences that are no known gap, and gaps that are none.
///
/// Lines of the areas in `skip` are replayed for what they leave behind, but not judged.
pub fn settle(cases: &[Case], outcomes: &[Outcome], gaps: &[Gap], skip: &[&str]) -> (String, Vec<String>) {
    let (mut passed, mut open, mut skipped) = (0, 0, 0);
    let (mut problems, mut areas) = (Vec::new(), BTreeMap::<&str, (usize, usize)>::new());
    let mut failing = BTreeSet::new();
    for outcome in outcomes {
        let id = outcome.id.as_str();
        let fits = outcome.diffs.is_empty();
        if !fits {
            failing.insert(id);
        }
        let gap = gaps.iter().find(|g| g.covers(id));
        if skip.contains(&outcome.area.as_str()) {
            skipped += 1;
        } else if !(outcome.setup && fits && gap.is_none()) {
            let area = areas.entry(if outcome.setup { "setup" } else { &outcome.area }).or_default();
            area.0 += usize::from(fits);
            area.1 += 1;
            match (fits, gap) {
                (true, None) => passed += 1,
                (true, Some(gap)) if gap.name == id => {
                    problems.push(format!("{id}: passes, take it off known_gaps.tsv"));
                }
                (true, Some(_)) => passed += 1,
                (false, Some(_)) => open += 1,
                (false, None) => problems.extend(outcome.diffs.iter().map(|d| format!("{id}: {d}"))),
            }
        }
    }
    for gap in gaps {
        if !cases.iter().any(|c| gap.covers(&c.id)) {
            problems.push(format!("known_gaps.tsv: there is no line {}", gap.name));
        } else if gap.name.ends_with('*') && !failing.iter().any(|id| gap.covers(id)) {
            problems.push(format!("{}: all pass, take it off known_gaps.tsv", gap.name));
        }
    }
    let areas: Vec<String> = areas.iter().map(|(area, (ok, all))| format!("{area} {ok}/{all}")).collect();
    let counts = format!(
        "by area: {}\n{passed} passed, {open} known gaps, {skipped} not judged, {} problems",
        areas.join(", "),
        problems.len()
    );
    (counts, problems)
}
