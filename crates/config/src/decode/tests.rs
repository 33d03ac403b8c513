use super::*;
use crate::text::{self, Format};
use proptest::prelude::*;

fn error(text: &str, format: Format) -> String {
    decode(&text::read(text, format).unwrap()).unwrap_err().to_string()
}

fn hcl(text: &str) -> String {
    error(text, Format::Hcl)
}

#[test]
fn unknown_keys_name_line_and_nearest_key() {
    assert_eq!(
        hcl("server = true\nLogLevel = \"x\"\n"),
        "1 error occurred:\n\t* invalid config key LogLevel (line 2, did you mean log_level?)\n\n"
    );
    assert!(hcl("data_dri = \"x\"").contains("invalid config key data_dri (line 1, did you mean data_dir?)"));
    let nested = hcl(
        "service {\n connect {\n  sidecar_service {\n   proxy {\n    upstreams { foo = 1 }\n   }\n  }\n }\n}",
    );
    assert!(
        nested.contains("invalid config key service.connect.sidecar_service.proxy.upstreams[0].foo (line 5)")
    );
    assert!(hcl("foo = 1\nbar = 2").starts_with("2 errors occurred:\n"));
}

#[test]
fn types_are_strict() {
    for (text, want) in [
        (
            "ports { http = \"8500\" }",
            "'ports.http' expected type 'int', got unconvertible type 'string', value: '8500'",
        ),
        ("retry_join = \"a\"", "'retry_join': source data must be an array or slice, got string"),
        (
            "retry_join = [{ a = 1 }]",
            "'retry_join[0]' expected type 'string', got unconvertible type 'map[string]interface {}'",
        ),
        ("ports { http = 1 }\nports { http = 2 }", "'ports' expected a map, got 'slice'"),
        ("limits { kv_max_value_size = -1 }", "cannot parse 'limits.kv_max_value_size', -1 overflows uint"),
        (
            "log_level = [\"a\", \"b\"]",
            "'log_level' expected type 'string', got unconvertible type '[]interface {}'",
        ),
    ] {
        let e = hcl(text);
        assert!(e.starts_with("1 error(s) decoding:\n\n* ") && e.contains(want), "{e}");
    }
}

#[test]
fn secrets_are_not_shown() {
    assert!(!hcl("encrypt = 12345").contains("12345"));
    assert!(!hcl("acl { tokens { default = 12345 } }").contains("12345"));
    let d = decode(&text::read("encrypt = \"abcdef\"", Format::Hcl).unwrap()).unwrap();
    assert!(!format!("{d:?}").contains("abcdef"));
}

#[test]
fn lists_of_one_collapse_in_free_parts() {
    let d = decode(
        &text::read("connect { ca_config { a = [\"x\"] b = [1, 2] c { d = true } } }", Format::Hcl).unwrap(),
    )
    .unwrap();
    let Some(crate::merge::Value::Any(v)) = d.settings.get("connect.ca_config") else { panic!() };
    assert_eq!(*v, serde_json::json!({"a": "x", "b": [1, 2], "c": {"d": true}}));
}

proptest! {
    #[test]
    fn any_tree_is_decoded_or_refused(key in "[a-z_]{1,12}", value in "[a-z0-9\\[\\]{}\", =]{0,30}") {
        if let Ok(node) = text::read(&format!("{key} = {value}"), Format::Hcl) {
            let _ = decode(&node);
        }
    }
}
