//! `peers.json`: a list of `{id, address, non_voter}`, or the old list of addresses.

use raft::{Peer, Server, ServerId};
use serde_json::{Map, Value};
use std::net::SocketAddr;

/// Reads the file. The old form has addresses alone, whose servers must be among those the log knows.
///
/// # Errors
/// What is wrong, and where in the list.
pub(super) fn parse(text: &[u8], known: &[Server]) -> Result<Vec<Server>, String> {
    let list: Vec<Value> = serde_json::from_slice(text)
        .map_err(|e| format!("it is not a list in JSON: {e}; raft/peers.info shows the form"))?;
    let mut servers: Vec<Server> = Vec::new();
    for (i, item) in list.iter().enumerate() {
        let server = match item {
            Value::String(address) => by_address(address, known),
            Value::Object(members) => object(members, known),
            _ => Err("neither an object with id and address nor an address".to_owned()),
        };
        let server = server.map_err(|e| format!("entry {}: {e}", i + 1))?;
        if let Some(before) =
            servers.iter().position(|s| s.id == server.id || s.peer.addr == server.peer.addr)
        {
            return Err(format!("entry {}: its id or address is that of entry {}, too", i + 1, before + 1));
        }
        servers.push(server);
    }
    match servers.iter().any(|s| s.voter) {
        true => Ok(servers),
        false if servers.is_empty() => Err("it names no servers".to_owned()),
        false => Err("none of its servers votes; leave non_voter out on at least one".to_owned()),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_e| format!("address {text:?} is not of the form 10.0.0.1:8300"))
}

fn by_address(text: &str, known: &[Server]) -> Result<Server, String> {
    let addr = address(text)?;
    let server = known.iter().find(|s| s.peer.addr == addr).ok_or_else(|| {
        format!(
            "the log knows no server at {addr}; write an object with its id: {{\"id\": …, \"address\": …}}"
        )
    })?;
    Ok(Server { voter: true, ..server.clone() })
}

fn object(members: &Map<String, Value>, known: &[Server]) -> Result<Server, String> {
    if let Some(other) = members.keys().find(|k| !["id", "address", "non_voter"].contains(&k.as_str())) {
        return Err(format!("unknown key {other:?}; there are id, address and non_voter"));
    }
    let text = |key: &str| match members.get(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
        Some(_) => Err(format!("{key} must be a text that is not empty")),
        None => Err(format!("{key} is missing")),
    };
    let id: ServerId = text("id")?.to_ascii_lowercase().parse().map_err(|e| format!("id: {e}"))?;
    let addr = address(text("address")?)?;
    let voter = match members.get("non_voter") {
        None => true,
        Some(Value::Bool(non_voter)) => !non_voter,
        Some(_) => return Err("non_voter must be true or false".to_owned()),
    };
    let name = known.iter().find(|s| s.id == id).map(|s| s.peer.name.clone()).unwrap_or_default();
    Ok(Server { id, peer: Peer { name, addr }, voter })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123cdef-0a0b-4c0d-8e0f-00000000002a";

    fn known() -> Vec<Server> {
        let peer = Peer { name: "n1".into(), addr: "10.0.0.1:8300".parse().unwrap() };
        vec![Server { id: A.parse().unwrap(), peer, voter: false }]
    }

    fn says(text: &str) -> String {
        parse(text.as_bytes(), &known()).unwrap_err()
    }

    #[test]
    fn both_forms_name_the_same_server() {
        let old = parse(br#"["10.0.0.1:8300"]"#, &known()).unwrap();
        let new = format!(r#"[{{"id":"{}","address":"10.0.0.1:8300"}}]"#, A.to_uppercase());
        assert_eq!(old, parse(new.as_bytes(), &known()).unwrap());
        assert_eq!((old[0].voter, old[0].peer.name.as_str()), (true, "n1"));
        let moved = format!(
            r#"[{{"id":"{A}","address":"10.0.0.9:8300"}},{{"id":"{}","address":"10.0.0.2:1","non_voter":true}}]"#,
            A.replace("2a", "2b")
        );
        let two = parse(moved.as_bytes(), &known()).unwrap();
        assert_eq!((two[0].peer.addr.port(), two[0].voter, two[1].voter), (8300, true, false));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("", "it is not a list in JSON"),
            ("{}", "it is not a list in JSON"),
            ("[]", "it names no servers"),
            ("[1]", "entry 1: neither an object"),
            (r#"["10.0.0.7:8300"]"#, "entry 1: the log knows no server at 10.0.0.7:8300"),
            (r#"["host:8300"]"#, "address \"host:8300\" is not of the form"),
            (r#"[{"address":"10.0.0.1:1"}]"#, "id is missing"),
            (r#"[{"id":"x","address":"10.0.0.1:1"}]"#, "id: a server id is a UUID"),
            (r#"[{"id":5}]"#, "id must be a text"),
            (r#"[{"ID":"x"}]"#, "unknown key \"ID\""),
            (r#"["10.0.0.1:8300","10.0.0.1:8300"]"#, "entry 2: its id or address is that of entry 1, too"),
        ] {
            assert!(says(text).contains(expected), "{text}: {}", says(text));
        }
        let silent = format!(r#"[{{"id":"{A}","address":"10.0.0.1:1","non_voter":true}}]"#);
        assert!(says(&silent).contains("none of its servers votes"));
        assert!(says(&silent.replace("true", "1")).contains("non_voter must be true or false"));
    }
}
