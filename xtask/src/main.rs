//! Repository chores: `cargo xtask check` verifies what the compiler cannot: which crate may depend on which, that pure
//! crates stay pure, and that the tree is tidy.
#![allow(clippy::print_stdout, reason = "a command-line tool")]

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// Crates without tokio, sockets, clock, OS randomness or environment, and what of ours each may name.
const PURE: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("faults", &[]),
    ("filter", &["types"]),
    ("api", &["types"]),
    ("dns", &["types"]),
    ("connect-ca", &["types"]),
    ("catalog", &["types", "faults"]),
    ("gossip", &["types", "faults"]),
    ("local", &["types", "api", "filter"]),
    ("entries", &["types", "api", "filter"]),
    ("config", &["types", "api", "entries"]),
    ("archive", &[]),
    ("watch", &["config"]),
];

/// Shells, and what of ours each may name.
const SHELLS: &[(&str, &[&str])] = &[
    ("runtime", &[]),
    ("telemetry", &["runtime"]),
    ("gossip-driver", &["gossip", "types", "runtime", "telemetry"]),
    ("raft", &["types", "catalog", "faults", "runtime", "telemetry"]),
    ("tls", &["types", "connect-ca", "runtime"]),
    ("rpc", &["types", "archive", "catalog", "faults", "filter", "runtime", "telemetry", "tls"]),
    (
        "http-api",
        &[
            "types",
            "api",
            "archive",
            "connect-ca",
            "entries",
            "filter",
            "local",
            "rpc",
            "runtime",
            "telemetry",
            "tls",
        ],
    ),
    ("dns-server", &["types", "dns", "rpc", "runtime", "telemetry"]),
    ("checks", &["types", "api", "local", "rpc", "runtime", "telemetry", "tls"]),
    ("federation", &["types", "rpc", "runtime", "tls"]),
    ("leader", &["types", "connect-ca", "rpc", "runtime", "telemetry", "api"]),
    ("authority", &["types", "catalog", "connect-ca", "rpc", "runtime"]),
    ("gateway", &["runtime"]),
    (
        "cli",
        &[
            "types",
            "api",
            "archive",
            "config",
            "connect-ca",
            "gateway",
            "runtime",
            "telemetry",
            "tls",
            "watch",
        ],
    ),
];

/// Libraries that only these crates may name.
const WRAPPED: &[(&str, &[&str])] =
    &[("openraft", &["raft"]), ("foca", &["gossip"]), ("bincode", &["types"])];

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("check") => check(),
        other => bail!("unknown task {other:?}; there is: check"),
    }
}

fn check() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("workspace root")?;
    let deps = dependencies(root)?;
    let mut problems = direction(&deps);
    problems.extend(tidy(root)?);
    for p in &problems {
        println!("{p}");
    }
    ensure!(problems.is_empty(), "{} problems", problems.len());
    println!("{} crates follow the rules", deps.len());
    Ok(())
}

/// Normal dependencies of each workspace crate.
fn dependencies(root: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let out = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()?;
    ensure!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    let meta: Value = serde_json::from_slice(&out.stdout)?;
    let mut all = BTreeMap::new();
    for package in meta["packages"].as_array().context("packages")? {
        let name = package["name"].as_str().context("name")?.to_owned();
        let deps = package["dependencies"].as_array().context("dependencies")?;
        let normal =
            deps.iter().filter(|d| d["kind"].is_null()).filter_map(|d| d["name"].as_str().map(str::to_owned));
        all.insert(name, normal.collect());
    }
    Ok(all)
}

fn direction(deps: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut problems = Vec::new();
    for (list, pure) in [(PURE, true), (SHELLS, false)] {
        for (name, allowed) in list {
            let Some(has) = deps.get(*name) else {
                problems.push(format!("crate {name} is in the rules but not in the workspace"));
                continue;
            };
            for d in has {
                if deps.contains_key(d) && !allowed.contains(&d.as_str()) {
                    problems.push(format!("{name} must not depend on {d}"));
                }
                if pure && ["tokio", "hyper", "socket2", "runtime", "telemetry"].contains(&d.as_str()) {
                    problems.push(format!("pure crate {name} must not depend on {d}"));
                }
            }
        }
    }
    for (library, owners) in WRAPPED {
        for (name, has) in deps {
            if has.contains(*library) && !owners.contains(&name.as_str()) {
                problems.push(format!("only {owners:?} may name {library}, {name} does"));
            }
        }
    }
    problems
}

fn tidy(root: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let out = Command::new("git").args(["ls-files"]).current_dir(root).output()?;
    // Outside a git checkout there is no list of files, and nothing to be tidy about.
    for file in String::from_utf8_lossy(&out.stdout).lines().map(PathBuf::from) {
        let path = root.join(&file);
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let shown = file.display();
        if file.extension().is_some_and(|e| e == "rs") {
            if file.ends_with("lib.rs") && !text.starts_with("//!") {
                problems.push(format!("{shown}: a crate opens with what it owns and refuses"));
            }
            if text.lines().count() > 1000 {
                problems.push(format!("{shown}: more than 1000 lines"));
            }
        }
        // `fuzz` is a workspace of its own, built only with a nightly toolchain.
        if !file.starts_with("fuzz")
            && file.file_name().is_some_and(|n| n == "Cargo.toml")
            && text.contains("[package]")
            && !text.contains("[lints]")
        {
            problems.push(format!("{shown}: does not opt in to the workspace's lints"));
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_edge_is_found() {
        let mut deps: BTreeMap<String, BTreeSet<String>> =
            PURE.iter().chain(SHELLS).map(|(n, _)| ((*n).to_owned(), BTreeSet::new())).collect();
        assert!(direction(&deps).is_empty());
        deps.insert("catalog".into(), ["rpc".to_owned(), "tokio".to_owned(), "openraft".to_owned()].into());
        assert_eq!(direction(&deps).len(), 3);
    }
}
