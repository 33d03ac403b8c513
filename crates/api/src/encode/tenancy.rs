//! Partitions and namespaces.

use super::writer::{Array, Object, key};
use types::record::{Namespace, Partition};

/// One partition.
pub fn partition(out: &mut Vec<u8>, p: &Partition) {
    let mut o = Object::open(out);
    o.str(key!("Name"), &p.name);
    o.str(key!("Description"), &p.description);
    o.bool(key!("DisableGossip"), false);
    o.index(p.index);
    o.close();
}

/// One namespace.
pub fn namespace(out: &mut Vec<u8>, n: &Namespace) {
    let mut o = Object::open(out);
    o.str(key!("Name"), &n.name);
    o.str(key!("Description"), &n.description);
    if let Some(acls) = &n.acls {
        o.value(key!("ACLs")).extend_from_slice(acls.as_json_text().as_bytes());
    }
    if let Some(meta) = &n.meta {
        super::string_map(o.value(key!("Meta")), meta);
    }
    o.str(key!("Partition"), &n.partition);
    o.index(n.index);
    o.close();
}

/// A list of partitions.
pub fn partitions<'a>(out: &mut Vec<u8>, list: impl IntoIterator<Item = &'a Partition>) {
    let mut a = Array::open(out);
    for p in list {
        partition(a.item(), p);
    }
    a.close();
}

/// A list of namespaces.
pub fn namespaces<'a>(out: &mut Vec<u8>, list: impl IntoIterator<Item = &'a Namespace>) {
    let mut a = Array::open(out);
    for n in list {
        namespace(a.item(), n);
    }
    a.close();
}
