//! Nodes.

use super::{
    optional_map,
    writer::{Array, Object, key},
};
use types::record::{Locality, Node};

/// One node.
pub fn node(out: &mut Vec<u8>, n: &Node) {
    let mut o = Object::open(out);
    o.str(key!("ID"), &n.id);
    o.str(key!("Node"), &n.name);
    o.str(key!("Address"), &n.address);
    o.str(key!("Datacenter"), &n.datacenter);
    if n.tenancy.partition() != "default" {
        o.str(key!("Partition"), n.tenancy.partition());
    }
    o.str_omit(key!("PeerName"), n.peer.as_str());
    optional_map(o.value(key!("TaggedAddresses")), n.tagged_addresses.as_ref());
    optional_map(o.value(key!("Meta")), n.meta.as_ref());
    if let Some(l) = &n.locality {
        locality(o.value(key!("Locality")), l);
    }
    o.index(n.index);
    o.close();
}

/// A list of nodes.
pub fn nodes<'a>(out: &mut Vec<u8>, list: impl IntoIterator<Item = &'a Node>) {
    let mut a = Array::open(out);
    for n in list {
        node(a.item(), n);
    }
    a.close();
}

/// Region and zone.
pub(super) fn locality(out: &mut Vec<u8>, l: &Locality) {
    let mut o = Object::open(out);
    o.str_omit(key!("Region"), &l.region);
    o.str_omit(key!("Zone"), &l.zone);
    o.close();
}
