//! TLS: three listeners that inherit from `tls.defaults`.

use super::{ConfigError, Reader, rule};
use crate::settings::{TlsListener, TlsSettings};
use std::path::PathBuf;
use types::Str;

const VERSIONS: [&str; 5] = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"];

const SUITES: &[&str] = &[
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Keys written in a part where they mean nothing.
fn misplaced(r: &Reader<'_>) -> Result<(), ConfigError> {
    for part in ["defaults", "internal_rpc", "https"] {
        if r.is_set(&format!("tls.{part}.use_auto_cert")) {
            return Err(rule("use_auto_cert is only valid in the tls.grpc stanza"));
        }
    }
    for part in ["https", "grpc"] {
        if r.is_set(&format!("tls.{part}.verify_server_hostname")) {
            return Err(rule(
                "verify_server_hostname is only valid in the tls.defaults and tls.internal_rpc stanzas",
            ));
        }
    }
    if r.is_set("tls.grpc.verify_outgoing") {
        return Err(rule("verify_outgoing is not valid in the tls.grpc stanza"));
    }
    Ok(())
}

/// The part in which `key` is set for `part`: its own or the defaults.
fn owner(r: &Reader<'_>, part: &str, key: &str) -> String {
    let own = format!("tls.{part}.{key}");
    if r.is_set(&own) { own } else { format!("tls.defaults.{key}") }
}

fn version(r: &Reader<'_>, path: &str) -> Str {
    let text = r.text_or(path, "TLSv1_2");
    if VERSIONS.contains(&text) || text.is_empty() {
        return Str::new(if text.is_empty() { "TLS_AUTO" } else { text });
    }
    r.error(format!(
        "{path}: invalid TLS version: no matching TLS version found for {text}, please specify one of [{}]",
        VERSIONS.join(", ")
    ));
    Str::new_static("TLSv1_2")
}

fn suites(r: &Reader<'_>, path: &str) -> Vec<Str> {
    let text = r.text(path);
    let mut out = Vec::new();
    for name in text.split(',').filter(|_| !text.is_empty()) {
        if !SUITES.contains(&name) {
            r.error(format!(
                "{path}: invalid TLS cipher suites: no matching Consul Agent TLS cipher suite found for {name}"
            ));
            return Vec::new();
        }
        out.push(Str::new(name));
    }
    out
}

fn listener(r: &Reader<'_>, part: &str) -> TlsListener {
    let file = |key: &str| r.filled(&owner(r, part, key)).map(PathBuf::from);
    let min_version = version(r, &owner(r, part, "tls_min_version"));
    let suites_path = owner(r, part, "tls_cipher_suites");
    let mut cipher_suites = suites(r, &suites_path);
    if min_version == "TLSv1_3" && !cipher_suites.is_empty() {
        let same_part = owner(r, part, "tls_min_version").rsplit_once('.').map(|p| p.0.to_owned())
            == suites_path.rsplit_once('.').map(|p| p.0.to_owned());
        if same_part {
            r.error(format!("{suites_path}: TLS 1.3 cipher suites are not configurable"));
        }
        // An inherited list means nothing for this version.
        cipher_suites.clear();
    }
    TlsListener {
        ca_file: file("ca_file"),
        ca_path: file("ca_path"),
        cert_file: file("cert_file"),
        key_file: file("key_file"),
        min_version,
        cipher_suites,
        verify_incoming: r.bool(&owner(r, part, "verify_incoming"), false),
        verify_outgoing: part != "grpc" && r.bool(&owner(r, part, "verify_outgoing"), false),
        use_auto_cert: r.bool(&format!("tls.{part}.use_auto_cert"), false),
    }
}

pub(super) fn tls(r: &Reader<'_>) -> Result<TlsSettings, ConfigError> {
    misplaced(r)?;
    let verify_server_hostname = r.bool(&owner(r, "internal_rpc", "verify_server_hostname"), false);
    let mut internal_rpc = listener(r, "internal_rpc");
    internal_rpc.verify_outgoing |= verify_server_hostname;
    let tls = TlsSettings {
        internal_rpc,
        https: listener(r, "https"),
        grpc: listener(r, "grpc"),
        verify_server_hostname,
        for_checks: r.bool("enable_agent_tls_for_checks", false),
        server_name: r.str("server_name"),
    };
    if tls.grpc.cert_file.is_some() && r.int("ports.grpc", -1) > 0 && !r.is_set("ports.grpc_tls") {
        return Err(rule(
            "the `ports.grpc` listener no longer supports TLS. Use `ports.grpc_tls` instead. This message is appearing because GRPC is configured to use TLS, but `ports.grpc_tls` is not defined",
        ));
    }
    Ok(tls)
}
