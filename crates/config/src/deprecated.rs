//! Older spellings, rewritten in each source before sources merge, and what a source is told about its keys.

use crate::{
    merge::{Settings, Value},
    schema::{self, Field, Kind, Rule},
};
use types::Str;

/// Old key, new key: the value moves as it is.
const MOVED: &[(&str, &str)] = &[
    ("acl_agent_master_token", "acl.tokens.agent_recovery"),
    ("acl.tokens.agent_master", "acl.tokens.agent_recovery"),
    ("acl_agent_token", "acl.tokens.agent"),
    ("acl_token", "acl.tokens.default"),
    ("acl_master_token", "acl.tokens.initial_management"),
    ("acl.tokens.master", "acl.tokens.initial_management"),
    ("acl_replication_token", "acl.tokens.replication"),
    ("enable_acl_replication", "acl.enable_token_replication"),
    ("acl_datacenter", "primary_datacenter"),
    ("acl_default_policy", "acl.default_policy"),
    ("acl_down_policy", "acl.down_policy"),
    ("acl_ttl", "acl.token_ttl"),
    ("acl_enable_key_list_policy", "acl.enable_key_list_policy"),
    ("ca_file", "tls.defaults.ca_file"),
    ("ca_path", "tls.defaults.ca_path"),
    ("cert_file", "tls.defaults.cert_file"),
    ("key_file", "tls.defaults.key_file"),
    ("tls_cipher_suites", "tls.defaults.tls_cipher_suites"),
    ("tls_min_version", "tls.defaults.tls_min_version"),
    ("verify_incoming", "tls.defaults.verify_incoming"),
    ("verify_outgoing", "tls.defaults.verify_outgoing"),
    ("verify_incoming_https", "tls.https.verify_incoming"),
    ("verify_incoming_rpc", "tls.internal_rpc.verify_incoming"),
    ("verify_server_hostname", "tls.internal_rpc.verify_server_hostname"),
];

/// Old lists that are appended to the new ones.
const APPENDED: &[(&str, &str)] = &[("start_join", "retry_join"), ("start_join_wan", "retry_join_wan")];

/// Old keys that stay until all sources are merged.
const AFTER_MERGE: &[(&str, &str)] = &[
    ("ui", "ui_config.enabled"),
    ("ui_dir", "ui_config.dir"),
    ("ui_content_path", "ui_config.content_path"),
];

fn moved(old: &str, new: &str) -> String {
    format!("The '{old}' field is deprecated. Use the '{new}' field instead.")
}

/// Rewrites the older spellings of one source and tells what it should know.
pub fn rewrite(s: &mut Settings, warnings: &mut Vec<String>) {
    let acl_datacenter = s.get("acl_datacenter").is_some();
    let replication_token = s.get("acl_replication_token").is_some();
    let flat_verify_incoming = s.get("verify_incoming").is_some();
    flat_tls_version(s, warnings);
    for (old, new) in MOVED {
        if let Some(v) = s.take(old) {
            warnings.push(moved(old, new));
            if s.get(new).is_none() {
                s.set(new, v);
            }
        }
    }
    if acl_datacenter {
        s.set("acl.enabled", Value::Bool(true));
    }
    if replication_token {
        s.set("acl.enable_token_replication", Value::Bool(true));
    }
    // gRPC never demanded client certificates under the flat key.
    if flat_verify_incoming && s.get("tls.grpc.verify_incoming").is_none() {
        s.set("tls.grpc.verify_incoming", Value::Bool(false));
    }
    for (old, new) in APPENDED {
        if let Some(Value::List(more)) = s.take(old) {
            warnings.push(moved(old, new));
            let mut list = match s.take(new) {
                Some(Value::List(l)) => l,
                _ => Vec::new(),
            };
            list.extend(more);
            s.set(new, Value::List(list));
        }
    }
    for (old, new) in AFTER_MERGE {
        if s.get(old).is_some() {
            warnings.push(moved(old, new));
        }
    }
    if let Some(Value::Map(mut old)) = s.take("raft_boltdb") {
        warnings.push(moved("raft_boltdb", "raft_logstore.boltdb"));
        if let (Some(v), None) = (old.take("NoFreelistSync"), s.get("raft_logstore.boltdb.no_freelist_sync"))
        {
            s.set("raft_logstore.boltdb.no_freelist_sync", v);
        }
    }
    if s.take("tls_prefer_server_cipher_suites").is_some() {
        warnings.push(
            "The 'tls_prefer_server_cipher_suites' field is deprecated and will be ignored.".to_owned(),
        );
    }
    if s.take("acl_enforce_version_8").is_some() {
        warnings.push("config key \"acl_enforce_version_8\" is deprecated and should be removed".to_owned());
    }
    if let Some(v) = s.take("non_voting_server")
        && s.get("read_replica").is_none()
    {
        s.set("read_replica", v);
    }
    one_service_block(s);
    walk(s, &mut String::new(), schema::TOP, warnings);
    for path in schema::NO_EFFECT_YET {
        if s.get(path).is_some_and(|v| !is_empty(v)) {
            warnings.push(format!("The '{path}' setting is accepted but has no effect yet."));
        }
    }
}

/// The flat key knows further spellings of versions.
fn flat_tls_version(s: &mut Settings, warnings: &mut Vec<String>) {
    let Some(Value::Text(old)) = s.get("tls_min_version") else { return };
    let new = match old.as_str() {
        "" => "TLS_AUTO",
        "tls10" => "TLSv1_0",
        "tls11" => "TLSv1_1",
        "tls12" => "TLSv1_2",
        "tls13" => "TLSv1_3",
        _ => return,
    };
    warnings.push(format!("'tls_min_version' value '{old}' is deprecated, please specify '{new}' instead"));
    s.set("tls_min_version", Value::Text(Str::new_static(new)));
}

/// `service` joins this source's `services`, after them; likewise `check`.
fn one_service_block(s: &mut Settings) {
    for (one, many) in [("service", "services"), ("check", "checks")] {
        let Some(block) = s.take(one) else { continue };
        let mut list = match s.take(many) {
            Some(Value::List(l)) => l,
            _ => Vec::new(),
        };
        list.push(block);
        s.set(many, Value::List(list));
    }
}

/// Tells about Enterprise keys and drops what users cannot set.
fn walk(s: &mut Settings, path: &mut String, fields: &[Field], warnings: &mut Vec<String>) {
    for field in fields {
        let Some(v) = s.0.get_mut(field.name) else { continue };
        let name = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        match field.rule {
            Rule::Fixed => {
                s.0.remove(field.name);
            }
            Rule::Enterprise => {
                warnings
                    .push(format!("\"{name}\" is a Consul Enterprise configuration and will have no effect"));
            }
            _ => {
                if let (Value::Map(inner), Kind::Stanza(fields)) = (v, field.kind) {
                    walk(inner, &mut name.clone(), fields, warnings);
                }
            }
        }
    }
}

/// Whether a value asks for nothing.
fn is_empty(v: &Value) -> bool {
    match v {
        Value::Map(m) => m.0.values().all(is_empty),
        Value::List(l) => l.is_empty(),
        Value::Any(serde_json::Value::Object(o)) => o.is_empty(),
        Value::Bool(b) => !b,
        // A port or limit that is off.
        Value::Int(n) => *n <= 0,
        _ => false,
    }
}

/// Whether a key is an older spelling.
#[cfg(test)]
pub(crate) fn is_old(path: &str) -> bool {
    MOVED.iter().chain(APPENDED).chain(AFTER_MERGE).any(|(old, _)| *old == path)
        || path.starts_with("raft_boltdb")
        || matches!(path, "tls_prefer_server_cipher_suites" | "acl_enforce_version_8" | "non_voting_server")
}

/// What waits until all sources are merged: the new key wins if any source set it.
pub fn rewrite_merged(s: &mut Settings) {
    for (old, new) in AFTER_MERGE {
        if let Some(v) = s.take(old)
            && s.get(new).is_none()
        {
            s.set(new, v);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode, text};

    fn read(hcl: &str) -> (Settings, Vec<String>) {
        let mut d = decode::decode(&text::read(hcl, text::Format::Hcl).unwrap()).unwrap();
        let mut warnings = Vec::new();
        rewrite(&mut d.settings, &mut warnings);
        (d.settings, warnings)
    }

    #[test]
    fn old_acl_keys_move_and_switch_access_control_on() {
        let (s, w) = read("acl_datacenter = \"dc1\"\nacl { enabled = false }\nacl_master_token = \"x\"");
        assert_eq!(s.get("acl.enabled"), Some(&Value::Bool(true)));
        assert_eq!(s.get("primary_datacenter"), Some(&Value::Text(Str::new("dc1"))));
        assert!(s.get("acl.tokens.initial_management").is_some());
        assert!(w.iter().any(|w| w == "The 'acl_master_token' field is deprecated. Use the 'acl.tokens.initial_management' field instead."), "{w:?}");
    }

    #[test]
    fn the_new_spelling_wins_within_a_source() {
        let (s, _) = read("acl_default_policy=\"allow\"\nacl { default_policy=\"deny\" }");
        assert_eq!(s.get("acl.default_policy"), Some(&Value::Text(Str::new("deny"))));
    }

    #[test]
    fn flat_verify_incoming_spares_grpc() {
        let (s, _) = read("verify_incoming = true");
        assert_eq!(s.get("tls.defaults.verify_incoming"), Some(&Value::Bool(true)));
        assert_eq!(s.get("tls.grpc.verify_incoming"), Some(&Value::Bool(false)));
    }

    #[test]
    fn keys_without_effect_exist() {
        for path in schema::NO_EFFECT_YET {
            let mut fields = schema::TOP;
            for part in path.split('.') {
                let field = schema::field(fields, part).unwrap_or_else(|| panic!("{path}"));
                if let Kind::Stanza(inner) = field.kind {
                    fields = inner;
                }
            }
        }
    }

    #[test]
    fn what_has_no_effect_is_said_once() {
        let (_, w) = read("telemetry { circonus_check_id = \"1\" }\nsnapshot_agent { a = 1 }");
        assert_eq!(w.iter().filter(|w| w.contains("no effect yet")).count(), 2, "{w:?}");
    }
}
