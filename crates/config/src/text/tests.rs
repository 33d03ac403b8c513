use super::*;
use proptest::prelude::*;

/// The tree in JSON-like text, to compare.
fn shown(n: &Node) -> String {
    match &n.data {
        Data::Null => "null".to_owned(),
        Data::Bool(b) => b.to_string(),
        Data::Int(v) => v.to_string(),
        Data::Float(v) => format!("{v:?}"),
        Data::Text(s) => format!("{s:?}"),
        Data::List(l) => format!("[{}]", l.iter().map(shown).collect::<Vec<_>>().join(",")),
        Data::Object(o) => {
            let members: Vec<String> = o.iter().map(|m| format!("{}:{}", m.key, shown(&m.value))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn hcl(text: &str) -> String {
    shown(&read(text, Format::Hcl).unwrap_or_else(|e| panic!("{text:?}: {e}")))
}

#[test]
fn hcl_values() {
    for (text, want) in [
        ("a = 1", "{a:1}"),
        ("\"a\" = -5", "{a:-5}"),
        ("a = 0x100 b = 0100, c = 8.5e3", "{a:256,b:64,c:8500.0}"),
        ("a = \"x\\u00e9\\t\\\"\"", "{a:\"xé\\t\\\"\"}"),
        ("a = \"${x.\"y\"}\"", "{a:\"${x.\\\"y\\\"}\"}"),
        ("a = [1, 2,]", "{a:[1,2]}"),
        ("a = [\n # c\n 1 // d\n, /* e */ 2]", "{a:[1,2]}"),
        ("a { b = true }", "{a:[{b:true}]}"),
        ("a = { b = false }", "{a:[{b:false}]}"),
        ("a { b = 1 }\r\na { b = 2 }", "{a:[{b:1},{b:2}]}"),
        ("a = [{ b = 1 }]\na { b = 2 }", "{a:[{b:1},{b:2}]}"),
        ("a \"l\" { b = 1 }", "{a:[{l:[{b:1}]}]}"),
        ("a = 1\na = 2", "{a:2}"),
        ("a.b = 1", "{a.b:1}"),
        ("a = <<EOF\nx\n y\nEOF\nb = 1", "{a:\"x\\n y\\n\",b:1}"),
        ("a = <<-EOF\n   x\n    y\n   EOF\n", "{a:\"x\\n y\\n\"}"),
        ("a = [<<E\nx\nE\n]", "{a:[\"x\\n\"]}"),
        ("{\"a\": {\"b\": [1]}}", "{a:[{b:[1]}]}"),
        ("a =", "{}"),
        ("# only\n", "{}"),
        ("", "{}"),
    ] {
        assert_eq!(hcl(text), want, "{text:?}");
    }
}

#[test]
fn hcl_refusals_name_the_place() {
    for (text, line, column) in [
        ("a = b", 1, 5),
        ("x = 1\na = TRUE", 2, 5),
        ("a = 'x'", 1, 5),
        ("a: 1", 1, 2),
        ("a = 1;", 1, 6),
        ("a = +5", 1, 5),
        ("a = [1 2]", 1, 8),
        ("a\n", 2, 1),
        ("a = \"x\n\"", 1, 5),
        ("/* x", 1, 1),
        ("a = <<E\nx\n", 1, 5),
        ("a {", 1, 4),
        ("\u{feff}a = 1", 1, 1),
        ("a { b = }", 1, 9),
        ("a = 10s", 1, 5),
        ("}", 1, 1),
    ] {
        let e = read(text, Format::Hcl).expect_err(text);
        assert_eq!((e.line, e.column), (line, column), "{text:?}: {e}");
    }
}

#[test]
fn json_values() {
    let json = |text: &str| read(text, Format::Json);
    let node = json("{\n \"a\": [1, 2.5, null],\n \"b\": {\"c\": \"d\"},\n \"a\": true}").unwrap();
    assert_eq!(shown(&node), "{a:true,b:{c:\"d\"}}");
    let Data::Object(o) = &node.data else { panic!() };
    assert_eq!((o[0].line, o[1].line), (4, 3));
    for text in ["[]", "1", "{} x", "{\"a\":1,}", "{/* */}", "\u{feff}{}", "{\"a\":}", "{\"a\":01}"] {
        assert!(json(text).is_err(), "{text}");
    }
    assert_eq!(shown(&json("{\"a\":99999999999999999999}").unwrap()), "{a:1e20}");
}

#[test]
fn depth_is_bounded() {
    for format in [Format::Hcl, Format::Json] {
        assert!(read(&format!("{{\"a\":{}", "[".repeat(100_000)), format).is_err());
        assert!(read(&"{\"a\":".repeat(50_000), format).is_err());
    }
    assert!(read(&"a {".repeat(100_000), Format::Hcl).is_err());
    assert!(read(&"a ".repeat(100_000), Format::Hcl).is_err());
    assert!(read(&format!("a = {}{}", "[".repeat(500), "]".repeat(500)), Format::Hcl).is_err());
}

/// Objects that both dialects of HCL write in the same way.
fn object() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i32>().prop_map(serde_json::Value::from),
        "[a-z0-9 \\\\\"\n]{0,8}".prop_map(serde_json::Value::from),
    ];
    let value = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-z_]{1,6}", inner, 0..4)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    });
    // A word of the language is no key.
    proptest::collection::btree_map("k_[a-z]{1,6}", value, 0..5)
        .prop_map(|m| serde_json::Value::Object(m.into_iter().collect()))
}

fn is_plain(v: &serde_json::Value) -> bool {
    match v {
        serde_json::Value::Array(l) => l.iter().all(is_plain),
        serde_json::Value::Object(o) => o
            .iter()
            .all(|(k, v)| !matches!(k.as_str(), "true" | "false" | "null" | "for" | "if") && is_plain(v)),
        _ => true,
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}", hclish in "[a-z0-9={}\\[\\]\",<#/*\\-\n\\\\$ ]{0,200}") {
        for t in [&text, &hclish] {
            let _ = read(t, Format::Hcl);
            let _ = read(t, Format::Json);
        }
    }

    #[test]
    fn what_hcl_rs_writes_means_the_same(v in object().prop_filter("no words", is_plain)) {
        let body: ::hcl::Value = serde_json::from_value(v.clone()).unwrap();
        let text = ::hcl::to_string(&body).unwrap();
        let want = wrap_objects(read(&v.to_string(), Format::Json).unwrap());
        let got = read(&text, Format::Hcl).unwrap_or_else(|e| panic!("{e}: {text}"));
        prop_assert_eq!(shown(&got), shown(&want), "{}", text);
    }
}
