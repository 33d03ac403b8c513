//! The program from outside, under both of its names.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{os::unix::fs::symlink, path::Path, process::Command};

fn stdout(program: &Path, args: &[&str]) -> String {
    let out = Command::new(program).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn a_link_named_consul_behaves_the_same() {
    let program = Path::new(env!("CARGO_BIN_EXE_praetor"));
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("consul");
    symlink(program, &link).unwrap();
    let json = stdout(&link, &["version", "-format=json"]);
    assert_eq!(json, stdout(program, &["version", "-format=json"]));
    let version: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(version["Version"], types::API_LEVEL);
}

#[test]
fn a_broken_file_is_named_and_nothing_starts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.hcl");
    std::fs::write(&file, "datacenter = \"dc1\"\ndata_dirr = \"x\"\n").unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_praetor"))
        .arg("agent")
        .arg("-config-file")
        .arg(&file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.contains("agent.hcl") && text.contains("data_dirr") && text.contains("data_dir"), "{text}");
}
