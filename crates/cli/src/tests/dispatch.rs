use super::*;

#[test]
fn exit_codes_of_the_top_level() {
    for (args, code) in [
        (&[][..], 127),
        (&["nosuchcommand"], 127),
        (&["kv"], 1),
        (&["-http-addr", "x", "members"], 127),
        (&["-http-addr=x", "members"], 1),
        (&["kv", "get", "-h"], 0),
        (&["kv", "get", "-nope", "x"], 1),
        (&["members", "-wan=maybe"], 1),
        (&["operator", "area", "list"], 1),
        (&["license", "get"], 127),
        (&["snapshot", "agent"], 1),
        (&["--help"], 0),
        (&["kv", "get", "a", "-recurse"], 1),
        (&["agent", "-dev"], 42),
        (&["agent", "-h"], 0),
        (&["event", "-name", "x"], 1),
        (&["event", "-h"], 0),
        (&["kv", "-h"], 0),
    ] {
        assert_eq!(run(args).code, code, "{args:?}");
    }
}

#[test]
fn texts_go_to_the_right_stream() {
    let top = run(&[]);
    assert!(top.out.is_empty() && top.err.contains("    members "));
    assert!(run(&["--help"]).err.is_empty());
    assert!(run(&["-http-addr=x", "members"]).err.starts_with("Invalid flags before the subcommand"));
    assert!(run(&["acl", "bootstrap"]).err.contains("not built yet"));
    let group = run(&["catalog"]).err;
    assert!(group.contains("This command has subcommands for interacting with Consul's catalog. The"));
    assert!(group.contains("    datacenters "));
    let help = run(&["members", "-h"]).out;
    assert!(help.contains("-status=<text>") && help.contains("-http-addr=<text>"));
}

#[test]
fn every_group_and_member_is_consistent() {
    for entry in crate::commands::ALL {
        let path = entry.path();
        assert_eq!(crate::commands::ALL.iter().filter(|e| e.path() == path).count(), 1, "{path}");
        if let Some((group, _)) = path.rsplit_once(' ') {
            assert!(crate::commands::ALL.iter().any(|e| e.path() == group), "{group}");
        }
        assert!(!entry.help("praetor").is_empty());
    }
}

#[test]
fn version_and_keygen() {
    for args in [&["version"][..], &["-v"], &["--version"], &["version", "extra"]] {
        let ran = run(args);
        assert_eq!(ran.code, 0);
        let pattern = r"^\S+ v\S+\n(?s:.*)Protocol 2 spoken by default, understands 2 to 3";
        assert!(regex::Regex::new(pattern).unwrap().is_match(&ran.out), "{}", ran.out);
        assert!(ran.out.contains("1.21.4") && ran.out.contains(env!("CARGO_PKG_VERSION")));
    }
    let json: serde_json::Value = serde_json::from_str(&run(&["version", "-format=json"]).out).unwrap();
    assert_eq!((&json["Version"], &json["RPC"]["Max"]), (&"1.21.4".into(), &3.into()));
    assert_eq!(run(&["version", "-format=xml"]).code, 1);
    let (a, b) = (run(&["keygen"]).out, run(&["keygen"]).out);
    assert!(a.len() == 45 && a != b);
}
