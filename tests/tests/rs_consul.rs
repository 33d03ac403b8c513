//! The Rust client `rs-consul`: the live tests that its package holds, run against one server.
//!
//! The package comes from the registry, into a directory that is kept between runs, and so is what is built of it.
//! `tests/conformance/rs_consul_gaps.tsv` lists what does not pass yet (test, reason, parted by a tab): a listed test that
//! passes is an error, as is one that fails and is not listed. Without the registry the test says so and is skipped.

use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tests::process::{Child, binary, call, clean_command, free_ports, now};

/// The release that the list of gaps was written for.
const RELEASE: &str = "0.15.0";
/// Of the package, what is not for us: its wish for a compiler, and what the registry notes.
const LEFT_OUT: [&str; 4] = ["rust-toolchain", "Cargo.toml.orig", ".cargo_vcs_info.json", ".cargo-ok"];
/// Patience with the agent; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn rust_client_suite() -> Result<()> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/rs_consul_gaps.tsv");
    let gaps = gaps(&fs::read_to_string(list)?)?;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rs-consul");
    let package = match package(&dir) {
        Ok(package) => package,
        Err(why) => {
            // Past the test runner, which shows nothing of a test that passes.
            writeln!(io::stderr(), "SKIPPED: rs-consul {RELEASE} cannot be had here: {why:#}")?;
            return Ok(());
        }
    };
    let began = now();
    let built = cargo(&package, &dir, &["test", "--offline", "--lib", "--test", "test_runner", "--no-run"])
        .output()?;
    ensure!(built.status.success(), "building rs-consul:\n{}", String::from_utf8_lossy(&built.stderr));
    writeln!(io::stderr(), "rs-consul {RELEASE}: built in {} s", began.elapsed().as_secs())?;

    let agent = Agent::start(&package)?;
    let mut command =
        cargo(&package, &dir, &["test", "--offline", "--lib", "--test", "test_runner", "--no-fail-fast"]);
    command.env("CONSUL_HTTP_ADDR", format!("http://{}", agent.http));
    let out = command.output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let ended = ended(&text);
    ensure!(!ended.is_empty(), "no test ran:\n{text}\n{}", String::from_utf8_lossy(&out.stderr));

    let mut problems = Vec::new();
    let mut counts = BTreeMap::<&str, usize>::new();
    for (test, passed) in &ended {
        let kind = match (passed, gaps.contains_key(*test)) {
            (true, false) => "passed",
            (false, true) => "known gaps",
            (true, true) => {
                problems.push(format!("{test} passes: take it off rs_consul_gaps.tsv"));
                "passed"
            }
            (false, false) => {
                problems.push(format!("{test} fails:\n{}", told(&text, test)));
                "failed"
            }
        };
        *counts.entry(kind).or_default() += 1;
    }
    for test in gaps.keys().filter(|t| !ended.contains_key(t.as_str())) {
        problems.push(format!("rs_consul_gaps.tsv: {test} did not run"));
    }
    for (kind, count) in &counts {
        writeln!(io::stderr(), "rs-consul {RELEASE}: {count} {kind}")?;
    }
    ensure!(
        problems.is_empty(),
        "{} problems:\n{}\nThe agent says:\n{}",
        problems.len(),
        problems.join("\n"),
        agent.log()
    );
    Ok(())
}

/// Cargo in `at`, which is no part of this workspace, building into `dir`.
fn cargo(at: &Path, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = clean_command(&std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from));
    command.args(arguments).current_dir(at).stdin(Stdio::null());
    command.env("CARGO_TARGET_DIR", dir.join("target"));
    command
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TERM_COLOR", "never");
    command.env("CARGO_NET_RETRY", "1");
    command
}

/// The package with all that it needs, from an earlier run or the registry.
fn package(dir: &Path) -> Result<PathBuf> {
    let package = dir.join(format!("rs-consul-{RELEASE}"));
    let fetched = |at: &Path, how: &[&str]| -> Result<()> {
        let mut arguments = vec!["fetch", "--quiet"];
        arguments.extend(how);
        let out = cargo(at, dir, &arguments).output().context("cargo")?;
        ensure!(out.status.success(), "cargo fetch: {}", String::from_utf8_lossy(&out.stderr).trim());
        Ok(())
    };
    if package.join("Cargo.toml").exists() && fetched(&package, &["--offline"]).is_ok() {
        return Ok(package);
    }
    // A package that has it as a dependency makes cargo bring it.
    let scratch = dir.join("scratch");
    fs::create_dir_all(scratch.join("src"))?;
    fs::write(scratch.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\nrs-consul = \"={RELEASE}\"\n"
    );
    fs::write(scratch.join("Cargo.toml"), manifest)?;
    fetched(&scratch, &[])?;
    let out = cargo(&scratch, dir, &["metadata", "--format-version=1", "--offline"]).output()?;
    let known: serde_json::Value = serde_json::from_slice(&out.stdout).context("cargo metadata")?;
    let manifest = known["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|p| p["name"] == "rs-consul")
        .and_then(|p| p["manifest_path"].as_str())
        .context("cargo metadata names no rs-consul")?;
    let source = Path::new(manifest).parent().context("a manifest without a directory")?;
    // Under another name until it is whole.
    let part = dir.join("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    copy(source, &part)?;
    // It lies below this workspace, and is none of it.
    let manifest = part.join("Cargo.toml");
    let text = format!("{}\n[workspace]\n", fs::read_to_string(&manifest)?);
    fs::write(&manifest, text)?;
    fetched(&part, &[])?;
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    fs::rename(&part, &package)?;
    Ok(package)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            // Not `fs::copy`, which takes the registry's read-only mode along.
            false => fs::write(target, fs::read(entry.path())?)?,
        }
    }
    Ok(())
}

/// One server with the configuration that the package's tests expect.
struct Agent {
    _process: Child,
    http: SocketAddr,
    dir: tempfile::TempDir,
}

impl Agent {
    fn start(package: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("rs-consul-").tempdir()?;
        let ports = free_ports(4)?;
        let [http, lan, wan, rpc] = ports[..] else { bail!("too few ports") };
        let log = File::create(dir.path().join("log"))?;
        let mut command = clean_command(&binary()?);
        command.args([
            "agent",
            "-dev",
            "-datacenter=dc1",
            "-dns-port=-1",
            "-grpc-port=-1",
            "-grpc-tls-port=-1",
        ]);
        command.arg(format!("-http-port={http}")).arg(format!("-serf-lan-port={lan}"));
        command.arg(format!("-serf-wan-port={wan}")).arg(format!("-server-port={rpc}"));
        command.arg("-config-file").arg(package.join("testdata/config.hcl")).current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut process = Child::start(&mut command)?;
        let http = SocketAddr::from(([127, 0, 0, 1], http));
        let up = process.wait_until(PATIENCE, || {
            let found = call(http, "GET", "/v1/health/service/test-service?passing", "", "");
            (found.body.matches("20001").count() > 0
                && ["1.1.1.1", "2.2.2.2", "3.3.3.3"].iter().all(|a| found.body.contains(a)))
            .then_some(())
        });
        let agent = Self { _process: process, http, dir };
        ensure!(up.is_some(), "the agent did not come up:\n{}", agent.log());
        Ok(agent)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

/// Tests and whether they passed, from what they print.
fn ended(text: &str) -> BTreeMap<&str, bool> {
    text.lines()
        .filter_map(|line| {
            let (test, how) = line.strip_prefix("test ")?.split_once(" ... ")?;
            match how {
                "ok" => Some((test, true)),
                "FAILED" => Some((test, false)),
                _ => None,
            }
        })
        .collect()
}

/// What a test printed.
fn told<'t>(text: &'t str, test: &str) -> &'t str {
    let head = format!("---- {test} stdout ----");
    let Some((_, rest)) = text.split_once(&head) else { return "" };
    rest.split("\n---- ").next().unwrap_or_default().split("\nfailures:").next().unwrap_or_default().trim()
}

/// The list of gaps: test and why.
fn gaps(text: &str) -> Result<BTreeMap<String, String>> {
    let mut gaps = BTreeMap::new();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let Some((test, reason)) = line.split_once('\t').filter(|(_, why)| !why.trim().is_empty()) else {
            bail!("rs_consul_gaps.tsv: not a test and a reason, parted by a tab: {line}");
        };
        if gaps.insert(test.to_owned(), reason.to_owned()).is_some() {
            bail!("rs_consul_gaps.tsv: {test} is listed twice");
        }
    }
    Ok(gaps)
}

#[test]
fn results_and_gaps_are_read() -> Result<()> {
    let text = "test a::b ... ok\ntest c ... FAILED\ntest d ... ignored\nfailures:\n\n---- c stdout ----\n\nno\n\n\nfailures:\n    c\n";
    assert_eq!(ended(text), BTreeMap::from([("a::b", true), ("c", false)]));
    assert_eq!((told(text, "c"), told(text, "d")), ("no", ""));
    assert_eq!(gaps("# why\nc\tnot built\n")?.len(), 1);
    assert!(gaps("c\n").is_err());
    assert!(gaps("c\t \n").is_err());
    assert!(gaps("c\tx\nc\tx\n").is_err());
    Ok(())
}
