//! Recorded HTTP requests, replayed.

use anyhow::Result;
use tests::{
    golden_http::{cases, gaps, replay, settle},
    process::binary,
};

/// Refused by the recorded edition and supported here on purpose.
const SKIP: [&str; 1] = ["enterprise"];

#[test]
fn recorded_requests() -> Result<()> {
    let (binary, cases, gaps) = (binary()?, cases("http")?, gaps("http")?);
    let outcomes = replay(&binary, &cases, |case| gaps.iter().any(|g| g.covers(&case.id)))?;
    let (counts, problems) = settle(&cases, &outcomes, &gaps, &SKIP);
    println!("{counts}");
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    Ok(())
}
