//! Members of a gossip pool.

use super::{
    string_map,
    writer::{Array, Object, key},
};
use types::member::Member;

/// One member. The protocol numbers are those that every agent of this API level reports.
pub fn member(out: &mut Vec<u8>, m: &Member) {
    let mut o = Object::open(out);
    o.str(key!("Name"), &m.name);
    o.str(key!("Addr"), &m.addr.ip().to_string());
    o.u64(key!("Port"), u64::from(m.addr.port()));
    string_map(o.value(key!("Tags")), &m.tags);
    o.u64(key!("Status"), m.status as u64);
    for (k, v) in [
        (key!("ProtocolMin"), 1),
        (key!("ProtocolMax"), 5),
        (key!("ProtocolCur"), 2),
        (key!("DelegateMin"), 2),
        (key!("DelegateMax"), 5),
        (key!("DelegateCur"), 4),
    ] {
        o.u64(k, v);
    }
    o.close();
}

/// A list of members.
pub fn members<'a>(out: &mut Vec<u8>, list: impl IntoIterator<Item = &'a Member>) {
    let mut a = Array::open(out);
    for m in list {
        member(a.item(), m);
    }
    a.close();
}
