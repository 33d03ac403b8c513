//! Writing answers.
//!
//! Every function appends compact JSON to a byte vector, in the key order that clients see; [`pretty`] turns compact JSON into
//! the indented form. There is no intermediate value: a list of a thousand instances is one pass over the rows.

mod agent;
mod ca;
mod check;
mod definition;
mod federation;
mod gateway;
mod kv;
mod member;
mod network;
mod node;
mod operator;
mod pretty;
mod proxy;
mod service;
mod session;
mod text;
mod txn;
mod writer;

pub use agent::{agent_check, agent_checks, agent_service, agent_services, client_check};
pub use ca::{authorization, ca_config, ca_pem, ca_roots, service_leaf};
pub use check::{check, checks};
pub use definition::service_definition;
pub use federation::{federation_gateways, federation_state, federation_states};
pub use gateway::gateway_services;
pub use kv::{kv_entries, kv_entry};
pub use member::{member, members};
pub use network::{coordinate, coordinates, datacenter_coordinates, user_event, user_events};
pub use node::{node, nodes};
pub use operator::autopilot_config;
pub use pretty::pretty;
pub use proxy::ProxyForm;
pub use service::{check_service_nodes, node_service, node_services_list, node_services_map, service_nodes};
pub use session::{session, sessions};
pub use text::string;
pub use txn::txn_answer;
pub use writer::{Array, Object, bool, i64, u64};

/// `["a","b"]`.
pub fn strings<S: AsRef<str>>(out: &mut Vec<u8>, list: impl IntoIterator<Item = S>) {
    let mut a = Array::open(out);
    for s in list {
        string(a.item(), s.as_ref());
    }
    a.close();
}

/// `{"a":["x"],"b":[]}`: service names and their tags.
pub fn string_lists<'a, S: AsRef<str> + 'a>(
    out: &mut Vec<u8>,
    map: impl IntoIterator<Item = (&'a str, &'a [S])>,
) {
    let mut o = Object::open(out);
    for (name, list) in map {
        strings(o.dynamic(name), list);
    }
    o.close();
}

/// `{"a":"b"}`.
pub fn string_map<'a, K: AsRef<str> + 'a, V: AsRef<str> + 'a>(
    out: &mut Vec<u8>,
    map: impl IntoIterator<Item = (&'a K, &'a V)>,
) {
    let mut o = Object::open(out);
    for (k, v) in map {
        string(o.dynamic(k.as_ref()), v.as_ref());
    }
    o.close();
}

/// A map, or `null` when there is none.
pub fn optional_map(out: &mut Vec<u8>, map: Option<&types::record::Map>) {
    match map {
        Some(m) => string_map(out, m),
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests;
