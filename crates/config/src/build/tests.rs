use super::*;
use crate::schema::{self, Field, Kind, Rule};
use proptest::prelude::*;

fn machine() -> Env<'static> {
    Env {
        host_name: "host".to_owned(),
        interfaces: Vec::new(),
        intro_token: None,
        open_files: None,
        disk: &NoDisk,
    }
}

fn sources(files: &[&str], args: &[&str]) -> Sources {
    let file = |(i, text): (usize, &&str)| SourceText {
        name: format!("{i}.hcl"),
        text: (*text).to_owned(),
        format: Format::Hcl,
    };
    Sources {
        files: files.iter().enumerate().map(file).collect(),
        flags: crate::flags::parse(args).unwrap(),
        warnings: Vec::new(),
    }
}

fn built(files: &[&str], args: &[&str]) -> RuntimeConfig {
    build(&sources(files, args), &machine()).unwrap_or_else(|e| panic!("{e}")).config
}

fn refused(files: &[&str], args: &[&str]) -> String {
    build(&sources(files, args), &machine()).unwrap_err().to_string()
}

const BASE: &str = "data_dir = \"/d\"\nbind_addr = \"127.0.0.1\"\n";

#[test]
fn dev_needs_nothing() {
    let c = built(&[], &["-dev"]);
    assert!(c.server && c.dev_mode && c.data_dir.is_none() && c.ui.enabled);
    assert_eq!(c.net.http[0].to_string(), "tcp://127.0.0.1:8500");
    assert_eq!(c.net.dns[0].to_string(), "127.0.0.1:8600");
    assert_eq!(c.raft.election_timeout.as_millis(), 52);
    assert_eq!((c.net.ports.grpc, c.net.ports.grpc_tls), (Some(8502), Some(8503)));
}

#[test]
fn sources_override_in_order() {
    let c = built(
        &[
            BASE,
            "log_level = \"a\"\nretry_join = [\"f\"]\nnode_meta { a = \"1\" b = \"1\" }",
            "node_meta { b = \"2\" }",
        ],
        &["-log-level", "b", "-retry-join", "g", "-hcl", "log_level = \"c\""],
    );
    assert_eq!(c.log.level, "c");
    assert_eq!(c.join.lan, ["g", "f"]);
    assert_eq!(c.node.meta["b"], "2");
    assert_eq!(c.node.meta["a"], "1");
}

#[test]
fn reload_report_names_what_needs_a_restart() {
    let old = built(&[BASE, "log_level = \"INFO\"\nports { http = 1 }"], &[]);
    let new = built(
        &[
            BASE,
            "log_level = \"WARN\"\nports { http = 2 }\nservice { name = \"a\" }\ndns_config { only_passing = true }",
        ],
        &[],
    );
    let report = crate::diff(&old, &new);
    assert_eq!(report.needs_restart, ["ports.http"]);
    assert_eq!(report.applied, ["dns_config.only_passing", "log_level", "services"]);
}

#[test]
fn values_are_collected() {
    let e = refused(&[BASE, "max_query_time = \"x\"\ncheck_update_interval = \"1d\""], &[]);
    assert!(e.starts_with("2 errors occurred:\n\t* "), "{e}");
    assert!(e.contains("max_query_time: invalid duration: \"x\": time: "), "{e}");
    assert_eq!(refused(&[], &[]), "No private IPv4 address found");
    assert!(refused(&["a {"], &[]).starts_with("failed to parse 0.hcl: At 1:4: "));
}

#[test]
fn secrets_do_not_reach_debug_output() {
    let c = built(
        &[
            BASE,
            "encrypt = \"AAECAwQFBgcICQoLDA0ODw==\"\nacl { tokens { default = \"sesame\" } }\nservice { name = \"a\" token = \"sesame\" }",
        ],
        &[],
    );
    for text in [format!("{c:?}"), crate::debug_config(&c).to_string()] {
        assert!(!text.contains("sesame") && !text.contains("AAECAwQ"), "{text}");
    }
}

/// Paths of all settings that a source may still hold when the configuration is built.
fn paths(fields: &[Field], prefix: &str, out: &mut Vec<String>) {
    for f in fields.iter().filter(|f| !matches!(f.rule, Rule::Fixed | Rule::Enterprise)) {
        let name = if prefix.is_empty() { f.name.to_owned() } else { format!("{prefix}.{}", f.name) };
        match f.kind {
            Kind::Stanza(inner) => paths(inner, &name, out),
            _ => out.push(name),
        }
    }
}

#[test]
fn every_key_is_read_or_said_to_have_no_effect() {
    let text = format!("{BASE}server = true\n");
    let merged = merge_sources(&sources(&[&text], &[]), &mut Vec::new()).unwrap();
    let r = Reader::new(&merged);
    parts::config(&r, &machine(), false).unwrap();
    let read = r.paths_read();
    let rewritten = |p: &str| deprecated::is_old(p) || p.starts_with("service.") || p.starts_with("check.");
    let silent = |p: &str| schema::NO_EFFECT_YET.iter().any(|n| p == *n || p.starts_with(&format!("{n}.")));
    let mut all = Vec::new();
    for top in schema::TOP.iter().filter(|f| !matches!(f.name, "service" | "check")) {
        paths(std::slice::from_ref(top), "", &mut all);
    }
    let unread: Vec<&String> =
        all.iter().filter(|p| !read.contains(*p) && !rewritten(p) && !silent(p)).collect();
    assert!(unread.is_empty(), "{unread:?}");
}

proptest! {
    #[test]
    fn any_file_is_built_or_refused(text in "[a-z_]{3,14} ?[={] ?[a-z0-9\"\\[\\]{}= ]{0,40}\n?") {
        let _ = build(&sources(&[BASE, &text], &[]), &machine());
    }
}
