//! The tables of the catalog.

use super::group::Group;
use crate::{
    address::Addresses,
    coordinates::CoordinateTable,
    scope::{Scope, Scoped},
    topic::CheckState,
    vip::Vips,
};
use imbl::OrdMap;
use std::sync::Arc;
use types::{
    PeerName, Str, Tenancy,
    names::fold,
    record::{HealthCheck, Node, NodeService, status},
};

/// Nodes, services and checks of all scopes.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Catalog {
    /// By partition and peer.
    pub nodes: Scoped<NodeTable>,
    /// By partition, namespace and peer.
    pub services: Scoped<ServiceTable>,
    /// Virtual addresses of all scopes.
    pub vips: Vips,
    /// Last change of any node or service row.
    pub rows_index: u64,
    /// Where nodes are in the network.
    pub coordinates: CoordinateTable,
}

/// Nodes of one partition and peer.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct NodeTable {
    /// By folded name.
    pub rows: OrdMap<Str, Arc<NodeRow>>,
    /// Folded id to folded name.
    pub by_id: OrdMap<Str, Str>,
    /// IP addresses of nodes and services.
    pub addresses: Addresses,
    /// Last change of a node row.
    pub index: u64,
    /// Last time a node disappeared.
    pub extinct: u64,
}

/// Key of a service or check on a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RowKey {
    /// Namespace, `None` for the default one.
    pub namespace: Option<Str>,
    /// Folded id.
    pub id: Str,
}

impl RowKey {
    pub fn new(tenancy: &Tenancy, id: &str) -> Self {
        let namespace = match tenancy.namespace() {
            "default" => None,
            other => Some(Str::new(other)),
        };
        Self { namespace, id: fold(id) }
    }
}

/// A node with what is registered on it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct NodeRow {
    pub node: Arc<Node>,
    pub services: OrdMap<RowKey, Arc<NodeService>>,
    pub checks: OrdMap<RowKey, Arc<HealthCheck>>,
    /// Checks of the node itself, in the order of their keys.
    pub node_checks: Vec<Arc<HealthCheck>>,
    /// Last change of the node row or of a service on it.
    pub services_index: u64,
    /// Last change of a check on it.
    pub checks_index: u64,
}

impl NodeRow {
    /// A node on which nothing is registered.
    pub fn new(node: Arc<Node>, index: u64) -> Self {
        Self {
            node,
            services: OrdMap::new(),
            checks: OrdMap::new(),
            node_checks: Vec::new(),
            services_index: index,
            checks_index: index,
        }
    }
}

/// Services and checks of one partition, namespace and peer.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct ServiceTable {
    /// Instances by folded service name.
    pub groups: OrdMap<Str, Arc<Group>>,
    /// Instances by the folded name they stand for in the mesh.
    pub connect: OrdMap<Str, Arc<Group>>,
    /// Last change of the set of names and tags.
    pub names_index: u64,
    /// Last change of a service row, or of the node below one.
    pub rows_index: u64,
    /// Last time a service name disappeared.
    pub extinct: u64,
    /// Last time a name lost its last mesh instance.
    pub connect_extinct: u64,
    /// Last change of a check.
    pub checks_index: u64,
    /// Last change of a check that is or was in this state.
    pub state_index: [u64; 4],
    /// Checks that do not pass, by folded node name and check id: nearly all checks pass, and those who watch for the
    /// others should not read them all.
    pub failing: OrdMap<(Str, Str), Arc<HealthCheck>>,
}

impl ServiceTable {
    /// Lists a check that does not pass, or lists it no more.
    pub fn list_failing(&mut self, node: &Str, id: &Str, check: Option<&Arc<HealthCheck>>) {
        match check.filter(|c| c.status.as_str() != status::PASSING) {
            Some(check) => {
                self.failing.insert((node.clone(), id.clone()), check.clone());
            }
            None => {
                self.failing.remove(&(node.clone(), id.clone()));
            }
        }
    }
    pub fn group_index(&self, folded: &str) -> u64 {
        self.groups.get(folded).map_or(self.extinct, |g| g.index)
    }
    pub fn connect_index(&self, folded: &str) -> u64 {
        self.connect.get(folded).map_or(self.connect_extinct, |g| g.index)
    }
    pub fn state_index(&self, state: CheckState) -> u64 {
        self.state_index[state as usize]
    }
}

impl NodeTable {
    pub fn services_index(&self, folded: &str) -> u64 {
        self.rows.get(folded).map_or(self.extinct, |r| r.services_index)
    }
    pub fn checks_index(&self, folded: &str) -> u64 {
        self.rows.get(folded).map_or(self.extinct, |r| r.checks_index)
    }
}

impl Catalog {
    /// The nodes that a scope's rows live on.
    pub fn node_table(&self, tenancy: &Tenancy, peer: &PeerName) -> Option<&NodeTable> {
        if tenancy.is_default() {
            self.nodes.get_for(tenancy, peer)
        } else {
            self.nodes.get(&Scope { tenancy: tenancy.node_scope(), peer: peer.clone() })
        }
    }
}
