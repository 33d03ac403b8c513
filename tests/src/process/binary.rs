//! Finds the program under test.

use anyhow::{Context, Result, bail};
use std::{path::PathBuf, process::Command};

/// `PRAETOR_BINARY` if set; else the workspace's own, built in the profile of this test.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("PRAETOR_BINARY") {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let profile =
        own.parent().and_then(|deps| deps.parent()).context("this test lies outside a target directory")?;
    let path = profile.join("praetor");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--package", "praetor", "--bin", "praetor"]);
    if profile.file_name().is_some_and(|n| n == "release") {
        build.arg("--release");
    }
    if let Some(target) = profile.parent() {
        build.arg("--target-dir").arg(target);
    }
    if !build.status().context("cargo cannot be run")?.success() || !path.exists() {
        bail!("the program {} cannot be built", path.display());
    }
    Ok(path)
}
