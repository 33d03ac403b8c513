//! Who owns a row: (partition, namespace, peer).

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use types::{PeerName, Tenancy};

/// Owner of rows. Nodes live in the default namespace of their partition ([`Scope::of_nodes`]).
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// Partition and namespace.
    pub tenancy: Tenancy,
    /// Peer that the rows were imported from.
    pub peer: PeerName,
}

impl Scope {
    /// The scope of these owners.
    pub fn new(tenancy: &Tenancy, peer: &PeerName) -> Self {
        Self { tenancy: tenancy.clone(), peer: peer.clone() }
    }
    /// The scope of this owner's own rows.
    pub(crate) fn local(tenancy: &Tenancy) -> Self {
        Self { tenancy: tenancy.clone(), peer: PeerName::default() }
    }
    /// The scope that owns the nodes of this one.
    pub fn of_nodes(&self) -> Self {
        Self { tenancy: self.tenancy.node_scope(), peer: self.peer.clone() }
    }
    fn is_default(&self) -> bool {
        self.tenancy.is_default() && self.peer.is_local()
    }
}

/// One table for each scope. The default scope, which is nearly always meant, costs no lookup.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Scoped<T: Clone> {
    default: T,
    named: OrdMap<Scope, T>,
}

impl<T: Clone + Default> Default for Scoped<T> {
    fn default() -> Self {
        Self { default: T::default(), named: OrdMap::new() }
    }
}

impl<T: Clone + Default> Scoped<T> {
    /// The table of a scope, if anything was ever stored there.
    pub fn get(&self, scope: &Scope) -> Option<&T> {
        if scope.is_default() { Some(&self.default) } else { self.named.get(scope) }
    }
    /// As [`Scoped::get`], without building a scope first.
    pub fn get_for(&self, tenancy: &Tenancy, peer: &PeerName) -> Option<&T> {
        if tenancy.is_default() && peer.is_local() {
            Some(&self.default)
        } else {
            self.named.get(&Scope::new(tenancy, peer))
        }
    }
    /// The table of a scope, made when missing.
    pub fn get_mut(&mut self, scope: &Scope) -> &mut T {
        if scope.is_default() { &mut self.default } else { self.named.entry(scope.clone()).or_default() }
    }
    /// All tables, the default one first, the others in the order of their scopes.
    pub fn iter(&self) -> impl Iterator<Item = (Scope, &T)> {
        std::iter::once((Scope::default(), &self.default))
            .chain(self.named.iter().map(|(k, v)| (k.clone(), v)))
    }
    /// Changes each table.
    pub fn each_mut(&mut self, mut f: impl FnMut(&mut T)) {
        f(&mut self.default);
        let scopes: Vec<Scope> = self.named.keys().cloned().collect();
        for scope in &scopes {
            if let Some(table) = self.named.get_mut(scope) {
                f(table);
            }
        }
    }
}
