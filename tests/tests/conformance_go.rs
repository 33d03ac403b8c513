//! The Go API client's own tests, run against the program.
//!
//! `tests/conformance/known_gaps.tsv` lists what does not pass yet (package, test, reason, parted by tabs): the listed tests run
//! as well, and one that passes is an error, as is one that fails and is not listed. Only those whose reason begins with
//! `waits forever:` are left out: such a test has no time limit of its own. `PRAETOR_GO_RUN` (a regular expression
//! of Go's `-run`) runs some tests only. Needs Go and its module registry: without them the test says so and is skipped.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tests::process::{binary, clean_command};

/// The packages, by the name that the list of gaps uses, with what `go test` is told beside the common flags.
const PACKAGES: [(&str, &str, &[&str]); 2] = [
    ("api", "github.com/hashicorp/consul/api", &[]),
    ("watch", "github.com/hashicorp/consul/api/watch", &["-vet=off"]),
];
/// The tests of one package that run at a time: most of a test is the harness's fixed wait of two seconds.
const PARALLEL: &str = "-parallel=4";
/// How the reason begins for a test that never ends unless it passes.
const ENDLESS: &str = "waits forever:";
/// A hung test ends the package with a listing of where it hung.
const LIMIT: &str = "-timeout=20m";

/// One line of `go test -json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    test: Option<String>,
    output: Option<String>,
}

/// How the tests of a package went.
#[derive(Debug, Default)]
struct Outcome {
    ended: BTreeMap<String, End>,
    output: BTreeMap<String, String>,
    /// What was printed outside of any test, as when the package does not build.
    loose: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    /// By itself: it needs what only another edition has.
    Skipped,
}

#[test]
fn go_client_suite() -> Result<()> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    if let Err(why) = can_run(&module) {
        // Past the test runner, which shows nothing of a test that passes.
        writeln!(io::stderr(), "SKIPPED: the Go client's tests cannot be had here: {why:#}")?;
        return Ok(());
    }
    let gaps = gaps(&fs::read_to_string(module.join("known_gaps.tsv"))?)?;
    let scratch = tempfile::tempdir()?;
    let path = search_path(scratch.path())?;
    let only = std::env::var("PRAETOR_GO_RUN").ok();

    let (mut problems, mut counts) = (Vec::new(), BTreeMap::new());
    let mut seen = BTreeSet::new();
    for (name, package, flags) in PACKAGES {
        let mut command = clean_command(Path::new("go"));
        command.args(["test", "-count=1", "-json", LIMIT, PARALLEL]).args(flags);
        let endless: Vec<&str> = gaps
            .iter()
            .filter(|((of, _), reason)| of == name && reason.starts_with(ENDLESS))
            .map(|((_, test), _)| test.as_str())
            .collect();
        if !endless.is_empty() {
            command.arg(format!("-skip=^({})$", endless.join("|")));
            counts.insert((name, "known gaps, not run"), endless.len());
        }
        if let Some(only) = &only {
            command.arg(format!("-run={only}"));
        }
        command.arg(package).current_dir(&module).env("PATH", &path).env("TMPDIR", scratch.path());
        let outcome = run(&mut command)?;
        if outcome.ended.is_empty() && only.is_none() {
            bail!("no test of {package} ran:\n{}", outcome.loose);
        }
        for (test, end) in &outcome.ended {
            let key = (name.to_owned(), test.clone());
            let listed = gaps.contains_key(&key);
            let kind = match (end, listed) {
                (End::Passed, true) => {
                    problems.push(format!("{name} {test} passes: take it off known_gaps.tsv"));
                    "passed"
                }
                (End::Failed, false) => {
                    let output = outcome.output.get(test).map_or("", String::as_str);
                    problems.push(format!("{name} {test} fails:\n{}", telling(output)));
                    "failed"
                }
                (End::Passed, false) => "passed",
                (End::Failed, true) => "known gaps",
                (End::Skipped, _) => "skipped by themselves",
            };
            *counts.entry((name, kind)).or_insert(0_usize) += 1;
            seen.insert(key);
        }
    }
    if only.is_none() {
        for ((name, test), _) in
            gaps.iter().filter(|(k, why)| !seen.contains(*k) && !why.starts_with(ENDLESS))
        {
            problems.push(format!("known_gaps.tsv: {name} {test} did not run"));
        }
    }
    for ((name, kind), count) in &counts {
        writeln!(io::stderr(), "go client suite, {name}: {count} {kind}")?;
    }
    if !problems.is_empty() {
        bail!("{} problems:\n{}", problems.len(), problems.join("\n"));
    }
    Ok(())
}

/// Whether there is a Go that can have the modules.
fn can_run(module: &Path) -> Result<()> {
    let out = Command::new("go")
        .args(["mod", "download", "github.com/hashicorp/consul/api"])
        .current_dir(module)
        .output()
        .context("there is no program `go`")?;
    if !out.status.success() {
        bail!("go mod download: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}

/// A search path that starts with a directory where the program is called `consul`.
fn search_path(scratch: &Path) -> Result<std::ffi::OsString> {
    let bin = scratch.join("bin");
    fs::create_dir(&bin)?;
    symlink(binary()?, bin.join("consul"))?;
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all: Vec<PathBuf> = std::iter::once(bin).chain(std::env::split_paths(&rest)).collect();
    Ok(std::env::join_paths(all)?)
}

/// Runs the tests of a package and collects how they ended.
fn run(command: &mut Command) -> Result<Outcome> {
    let out = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("go test")?;
    let mut outcome = Outcome::default();
    for line in String::from_utf8_lossy(&out.stdout).lines() {
        match serde_json::from_str(line) {
            Ok(event) => outcome.take(event),
            // An agent that a test started wrote to the same output.
            Err(_) => outcome.loose += &format!("{line}\n"),
        }
    }
    Ok(outcome)
}

impl Outcome {
    fn take(&mut self, event: Event) {
        // Subtests count with the test that they belong to.
        let Some(test) = event.test.as_deref().and_then(|t| t.split('/').next()).map(str::to_owned) else {
            self.loose += event.output.as_deref().unwrap_or("");
            return;
        };
        let whole = event.test.as_deref() == Some(test.as_str());
        match event.action.as_str() {
            "output" => *self.output.entry(test).or_default() += event.output.as_deref().unwrap_or(""),
            // One that a panic or the time limit cuts off has no end of its own.
            "run" if whole => drop(self.ended.entry(test).or_insert(End::Failed)),
            "pass" if whole => drop(self.ended.insert(test, End::Passed)),
            "fail" if whole => drop(self.ended.insert(test, End::Failed)),
            "skip" if whole => drop(self.ended.insert(test, End::Skipped)),
            _ => {}
        }
    }
}

/// What a test itself says, without the log of its agents.
fn telling(output: &str) -> String {
    let told = output.lines().filter(|l| {
        l.starts_with("    ") && !l.contains("[DEBUG]") && !l.contains("[INFO]") && !l.contains("[TRACE]")
    });
    told.take(30).collect::<Vec<_>>().join("\n")
}

/// The list of gaps: (package, test) and why.
fn gaps(text: &str) -> Result<BTreeMap<(String, String), String>> {
    let mut gaps = BTreeMap::new();
    for line in text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [package, test, reason] = fields[..] else {
            bail!("known_gaps.tsv: not three fields parted by tabs: {line}");
        };
        if reason.trim().is_empty() || !PACKAGES.iter().any(|(name, ..)| *name == package) {
            bail!("known_gaps.tsv: no reason, or no such package: {line}");
        }
        if gaps.insert((package.to_owned(), test.to_owned()), reason.to_owned()).is_some() {
            bail!("known_gaps.tsv: {package} {test} is listed twice");
        }
    }
    Ok(gaps)
}

#[test]
fn events_and_gaps_are_read() -> Result<()> {
    let mut outcome = Outcome::default();
    for line in [
        r#"{"Action":"run","Package":"p","Test":"TestA"}"#,
        r#"{"Action":"output","Package":"p","Test":"TestA/sub","Output":"    a.go:1: no\n"}"#,
        r#"{"Action":"pass","Package":"p","Test":"TestA/sub"}"#,
        r#"{"Action":"run","Package":"p","Test":"TestB"}"#,
        r#"{"Action":"pass","Package":"p","Test":"TestB"}"#,
        r#"{"Action":"run","Package":"p","Test":"TestC"}"#,
        r#"{"Action":"skip","Package":"p","Test":"TestC"}"#,
    ] {
        outcome.take(serde_json::from_str(line)?);
    }
    let ends: Vec<End> = outcome.ended.values().copied().collect();
    assert_eq!(ends, [End::Failed, End::Passed, End::Skipped]);
    assert_eq!(telling(&outcome.output["TestA"]), "    a.go:1: no");

    assert_eq!(gaps("# why\napi\tTestA\tnot built\n")?.len(), 1);
    assert!(gaps("api\tTestA\n").is_err());
    assert!(gaps("api\tTestA\t \n").is_err());
    assert!(gaps("other\tTestA\tnot built\n").is_err());
    assert!(gaps("api\tTestA\tx\napi\tTestA\tx\n").is_err());
    Ok(())
}
