//! py-consul, in a virtual environment that is kept between runs.

use super::agent::{Agent, PATIENCE, installed, skipped};
use anyhow::{Context, Result, ensure};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tests::process::{Child, clean_command};

/// The release that the script was written for.
const RELEASE: &str = "py-consul==1.8.0";

/// Python with py-consul; `None`, said on stdout, where it cannot be had.
fn python() -> Result<Option<PathBuf>> {
    if !installed("python3", "--version") {
        return Ok(None);
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("py-consul");
    let python = dir.join("bin/python");
    let ready = || succeeds(Command::new(&python).args(["-c", "import consul"]));
    if ready() {
        return Ok(Some(python));
    }
    let made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&dir))
        && succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", RELEASE]));
    if made && ready() {
        return Ok(Some(python));
    }
    skipped(&format!("{RELEASE} cannot be installed (python3-venv, pip and a package index are needed)"));
    Ok(None)
}

fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn py_consul() -> Result<()> {
    let Some(python) = python()? else { return Ok(()) };
    let agent = Agent::start("")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/py_consul.py");
    let log = agent.dir.path().join("python.log");
    let out = File::create(&log)?;
    let mut command = clean_command(&python);
    command.arg(script).arg(agent.http.port().to_string());
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    let ended = Child::start(&mut command)?.wait_end(PATIENCE * 4);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let status = ended.with_context(|| format!("the script does not end:\n{text}"))?;
    ensure!(status.success(), "the script failed:\n{text}\nThe agent says:\n{}", agent.log());
    Ok(())
}
