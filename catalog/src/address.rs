//! Who has an IP address.

use crate::catalog::RowKey;
use imbl::OrdSet;
use std::{net::IpAddr, ops::Bound};
use types::Str;

/// IP addresses of the nodes and services of one partition and peer. Host names are not listed.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Addresses(OrdSet<Entry>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    ip: IpAddr,
    /// `None`: the node itself; sorts before services.
    service: Option<RowKey>,
    node: Str,
}

impl Addresses {
    pub fn add(&mut self, address: &str, node: &Str, service: Option<&RowKey>) {
        if let Some(e) = entry(address, node, service) {
            self.0.insert(e);
        }
    }
    pub fn remove(&mut self, address: &str, node: &Str, service: Option<&RowKey>) {
        if let Some(e) = entry(address, node, service) {
            self.0.remove(&e);
        }
    }
    /// Folded node names with, for services, their keys; nodes first.
    pub fn find(&self, ip: IpAddr) -> impl Iterator<Item = (&Str, Option<&RowKey>)> {
        let first = Entry { ip, service: None, node: Str::default() };
        self.0
            .range::<_, Entry>((Bound::Included(&first), Bound::Unbounded))
            .take_while(move |e| e.ip == ip)
            .map(|e| (&e.node, e.service.as_ref()))
    }
}

fn entry(address: &str, node: &Str, service: Option<&RowKey>) -> Option<Entry> {
    Some(Entry { ip: address.parse().ok()?, service: service.cloned(), node: node.clone() })
}
