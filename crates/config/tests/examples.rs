//! Every file of `configs/` loads.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the helpers of these tests fail by panicking too")]

use config::{
    Built, Env, Sources, build,
    build::{NoDisk, SourceText},
    load,
    sockaddr::IfAddr,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

fn configs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

/// Every configuration below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "hcl" || e == "json") {
            out.push(path);
        }
    }
    out.sort();
    out
}

fn machine() -> Env<'static> {
    let eth0 = IfAddr {
        name: "eth0".to_owned(),
        ip: [10, 1, 2, 3].into(),
        bits: 16,
        up: true,
        broadcast: true,
        loopback: false,
        point_to_point: false,
        multicast: true,
        default_route: true,
    };
    Env {
        host_name: "host".to_owned(),
        interfaces: vec![eth0],
        intro_token: None,
        open_files: None,
        disk: &NoDisk,
    }
}

fn load_file(path: &Path, more: &str) -> Built {
    let (mut files, _) = load::read_paths(&[path.display().to_string()], None).unwrap();
    files.push(SourceText {
        name: "more".to_owned(),
        text: more.to_owned(),
        format: config::text::Format::Hcl,
    });
    let sources = Sources { files, ..Sources::default() };
    build(&sources, &machine()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Definitions are completed by what an agent needs.
fn is_definition(path: &Path) -> bool {
    matches!(path.file_name().and_then(|n| n.to_str()), Some("service.hcl" | "web.hcl"))
}

/// Configuration entries are for `config write`.
fn is_entry(path: &Path) -> bool {
    path.parent().is_some_and(|p| p.ends_with("entries"))
}

/// There is an example for each kind that can be written, and each keeps the rules.
#[test]
fn all_entries_load() {
    use types::entry::EntryKind;
    let mut found = Vec::new();
    for path in files(&configs().join("entries")) {
        let text = fs::read_to_string(&path).unwrap();
        let value = config::free_value(&text, config::text::Format::Hcl)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let entry = entries::read(&value).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(path.file_stem().and_then(|n| n.to_str()), Some(entry.kind().as_str()));
        found.push(entry.kind());
    }
    for kind in EntryKind::ALL {
        // One is refused without a licence, the other is written by servers only.
        let writable = !matches!(kind, EntryKind::SamenessGroup | EntryKind::BoundApiGateway);
        assert_eq!(found.contains(kind), writable, "{kind}");
    }
}

#[test]
fn all_examples_load() {
    let all = files(&configs());
    assert!(all.len() >= 12, "{all:?}");
    for path in all.into_iter().filter(|p| !is_entry(p)) {
        let more = if is_definition(&path) {
            "data_dir = \"/d\"\nbind_addr = \"127.0.0.1\"".to_owned()
        } else if path.ends_with("federation/secondary.hcl") {
            // It is given beside the file of all servers.
            fs::read_to_string(path.with_file_name("server.hcl")).unwrap() + "datacenter = \"dc2\""
        } else {
            String::new()
        };
        load_file(&path, &more);
    }
}

#[test]
fn old_style_files() {
    let built = load_file(&configs().join("old-style-server.hcl"), "");
    let c = &built.config;
    assert!(c.connect.mesh_gateway_wan_federation && c.ui.enabled && c.connect.central_service_config);
    assert_eq!(c.bootstrap_expect, 3);
    assert_eq!(c.join.primary_gateways.len(), 2);
    assert_eq!(c.net.bind.to_string(), "10.1.2.3");
    assert!(
        c.tls.internal_rpc.verify_incoming && !c.tls.https.verify_incoming && !c.tls.grpc.verify_incoming
    );
    assert!(c.tls.verify_server_hostname);
    for key in ["ca_file", "cert_file", "key_file", "verify_incoming_rpc", "ui"] {
        let said =
            built.warnings.iter().filter(|w| w.contains(&format!("The '{key}' field is deprecated"))).count();
        assert_eq!(said, 1, "{key}: {:?}", built.warnings);
    }
    let client = load_file(&configs().join("old-style-client.hcl"), "").config;
    assert!(!client.server && client.tls.internal_rpc.cert_file.is_some());
}

#[test]
fn new_style_files() {
    let built = load_file(&configs().join("server.hcl"), "");
    let c = &built.config;
    assert_eq!(c.net.client.len(), 2);
    assert_eq!(c.log.rotate_max_files, 14);
    assert!(!c.tls.https.verify_incoming && c.tls.internal_rpc.verify_incoming);
    assert!(
        built
            .warnings
            .iter()
            .any(|w| w == "\"license_path\" is a Consul Enterprise configuration and will have no effect"),
        "{:?}",
        built.warnings
    );
}

#[test]
fn definitions() {
    let c = load_file(&configs().join("service.hcl"), "data_dir = \"/d\"\nbind_addr = \"127.0.0.1\"").config;
    let web = &c.services[0];
    assert_eq!(web.checks[0].http, "http://127.0.0.1:8080/health");
    let upstreams = &web.sidecar.as_ref().unwrap().proxy.as_ref().unwrap().upstreams;
    assert_eq!(upstreams[1].destination_name, "cache");
}

#[test]
fn the_walk() {
    for (name, server, ip) in [
        ("server1", true, "127.0.0.1"),
        ("server2", true, "127.0.0.2"),
        ("server3", true, "127.0.0.3"),
        ("client1", false, "127.0.0.4"),
        ("client2", false, "127.0.0.5"),
    ] {
        let c = load_file(&configs().join(format!("cluster/{name}.hcl")), "").config;
        assert_eq!(c.node.name.as_str(), name);
        assert_eq!(c.server, server);
        assert_eq!(c.net.advertise_lan.to_string(), ip);
        assert_eq!(c.net.http[0].to_string(), format!("tcp://{ip}:8500"));
        assert_eq!(config::gossip_key::key(c.gossip.encrypt.expose()).unwrap().unwrap().len(), 32);
        assert_eq!(c.join.lan.len(), 3);
    }
}
