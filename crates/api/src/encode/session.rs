//! Sessions.

use super::writer::{Array, Object, key};
use types::record::Session;

/// One session.
pub fn session(out: &mut Vec<u8>, s: &Session) {
    let mut o = Object::open(out);
    o.str(key!("ID"), &s.id);
    o.str(key!("Name"), &s.name);
    o.str(key!("Node"), &s.node);
    o.u64(key!("LockDelay"), s.lock_delay_ns);
    o.str(key!("Behavior"), s.behavior.as_str());
    o.str(key!("TTL"), &s.ttl);
    super::strings(o.value(key!("NodeChecks")), &s.node_checks);
    let checks = o.value(key!("ServiceChecks"));
    match &s.service_checks {
        None => checks.extend_from_slice(b"null"),
        Some(list) => {
            let mut a = Array::open(checks);
            for check in list {
                let mut c = Object::open(a.item());
                c.str(key!("ID"), &check.id);
                c.str(key!("Namespace"), &check.namespace);
                c.close();
            }
            a.close();
        }
    }
    if s.tenancy.partition() != "default" {
        o.str(key!("Partition"), s.tenancy.partition());
    }
    if s.tenancy.namespace() != "default" {
        o.str(key!("Namespace"), s.tenancy.namespace());
    }
    o.index(s.index);
    o.close();
}

/// A list of sessions.
pub fn sessions<'a>(out: &mut Vec<u8>, list: impl IntoIterator<Item = &'a Session>) {
    let mut a = Array::open(out);
    for s in list {
        session(a.item(), s);
    }
    a.close();
}
