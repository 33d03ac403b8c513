//! The npm package `consul`, in a directory that is kept between runs.

use super::agent::{Agent, PATIENCE, installed, skipped};
use anyhow::{Context, Result, ensure};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tests::process::{Child, clean_command};

/// The release that the script was written for.
const RELEASE: &str = "consul@2.0.1";

/// Directory with the package; `None`, said on stdout, where it cannot be had.
fn modules() -> Result<Option<PathBuf>> {
    if !installed("node", "--version") || !installed("npm", "--version") {
        return Ok(None);
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm-consul");
    let modules = dir.join("node_modules");
    if modules.join("consul/package.json").exists() {
        return Ok(Some(modules));
    }
    std::fs::create_dir_all(&dir)?;
    let mut install = Command::new("npm");
    install
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--silent", "--prefix"])
        .arg(&dir)
        .arg(RELEASE);
    install.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if install.status().is_ok_and(|status| status.success()) && modules.join("consul/package.json").exists() {
        return Ok(Some(modules));
    }
    skipped(&format!("{RELEASE} cannot be installed (npm and a package index are needed)"));
    Ok(None)
}

#[test]
fn npm_consul() -> Result<()> {
    let Some(modules) = modules()? else { return Ok(()) };
    let agent = Agent::start("")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/npm_consul.js");
    let log = agent.dir.path().join("node.log");
    let out = File::create(&log)?;
    let mut command = clean_command(Path::new("node"));
    command.arg(script).arg(agent.http.port().to_string()).env("NODE_PATH", modules);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let ended = Child::start(&mut command)?.wait_end(PATIENCE * 4);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let status = ended.with_context(|| format!("the script does not end:\n{text}"))?;
    ensure!(status.success(), "the script failed:\n{text}\nThe agent says:\n{}", agent.log());
    Ok(())
}
