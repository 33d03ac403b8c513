//! Where nodes are in the network.

use crate::{catalog::Catalog, changes::ChangeSet, scope::Scope, store::Store, topic::Topic};
use imbl::OrdMap;
use std::sync::Arc;
use types::{
    NodeName, Str,
    coordinate::{Coordinate, CoordinateRow},
    query::{Query, QueryResult},
};

/// Node scope, folded node name, segment.
pub(crate) type CoordinateKey = (Scope, Str, Str);

/// Places by node.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct CoordinateTable {
    rows: OrdMap<CoordinateKey, (Arc<CoordinateRow>, u64)>,
    /// Last change.
    pub index: u64,
    /// Last removal.
    pub extinct: u64,
}

impl CoordinateTable {
    /// Rows with the index of their last change.
    pub fn map(&self) -> &OrdMap<CoordinateKey, (Arc<CoordinateRow>, u64)> {
        &self.rows
    }

    /// Rows of one node.
    fn of<'a>(
        &'a self,
        nodes: &Scope,
        node: &Str,
    ) -> impl Iterator<Item = (&'a CoordinateRow, u64)> + use<'a> {
        let from: CoordinateKey = (nodes.clone(), node.clone(), Str::default());
        let (nodes, node) = (nodes.clone(), node.clone());
        self.rows
            .range(from..)
            .take_while(move |((s, n, _), _)| *s == nodes && *n == node)
            .map(|(_, (row, index))| (&**row, *index))
    }

    pub fn node_index(&self, nodes: &Scope, node: &Str) -> u64 {
        self.of(nodes, node).map(|(_, index)| index).max().unwrap_or(self.extinct)
    }

    /// Stores the place of a node that exists; the same place again changes nothing.
    pub fn set(&mut self, index: u64, nodes: &Scope, row: &CoordinateRow, changes: &mut ChangeSet) {
        let key = (nodes.clone(), row.node.folded(), row.segment.clone());
        if self.rows.get(&key).is_some_and(|(old, _)| **old == *row) {
            return;
        }
        changes.touch(Topic::Coordinates(nodes.clone()));
        changes.touch(Topic::Coordinate(nodes.clone(), key.1.clone()));
        self.rows.insert(key, (Arc::new(row.clone()), index));
        self.index = index;
    }

    /// Forgets a node.
    pub fn remove(&mut self, index: u64, nodes: &Scope, node: &Str, changes: &mut ChangeSet) {
        let segments: Vec<Str> = self.of(nodes, node).map(|(row, _)| row.segment.clone()).collect();
        if segments.is_empty() {
            return;
        }
        for segment in segments {
            self.rows.remove(&(nodes.clone(), node.clone(), segment));
        }
        (self.index, self.extinct) = (index, index);
        changes.touch(Topic::Coordinates(nodes.clone()));
        changes.touch(Topic::Coordinate(nodes.clone(), node.clone()));
    }

    pub fn restore(&mut self, row: Arc<CoordinateRow>, index: u64) {
        let nodes = Scope::local(&row.tenancy.node_scope());
        self.rows.insert((nodes, row.node.folded(), row.segment.clone()), (row, index));
    }
}

impl Catalog {
    /// Takes over where nodes are, of those that are registered.
    pub(crate) fn update_coordinates(&mut self, index: u64, rows: &[CoordinateRow], changes: &mut ChangeSet) {
        for row in rows.iter().filter(|row| row.coordinate.is_valid()) {
            let nodes = Scope::local(&row.tenancy.node_scope());
            if self.nodes.get(&nodes).is_some_and(|t| t.rows.contains_key(&row.node.folded())) {
                self.coordinates.set(index, &nodes, row, changes);
            }
        }
    }
}

/// Answers `Query::Coordinates`.
pub(crate) fn read(
    store: &Store,
    nodes: &Scope,
    node: Option<&NodeName>,
    segment: Option<&Str>,
) -> (QueryResult, u64) {
    let table = &store.catalog.coordinates;
    let wanted = |row: &CoordinateRow| segment.is_none_or(|s| row.segment == *s);
    match node {
        Some(name) => {
            let key = name.folded();
            let rows = table.of(nodes, &key).filter(|(row, _)| wanted(row));
            let rows = rows.map(|(row, _)| Arc::new(row.clone())).collect();
            (QueryResult::Coordinates(rows), table.node_index(nodes, &key))
        }
        None => {
            let rows = table.rows.iter().filter(|((s, _, _), (row, _))| s == nodes && wanted(row));
            (QueryResult::Coordinates(rows.map(|(_, (row, _))| row.clone()).collect()), table.index)
        }
    }
}

/// Sorts the rows of an answer by their distance from a node, those of unknown place last. Nothing happens when the place of
/// `near` itself is unknown. Equal distances keep their order.
pub fn sort_near(store: &Store, query: &Query, near: &str, result: &mut QueryResult) {
    let (Query::Nodes { tenancy, .. }
    | Query::ServiceNodes { tenancy, .. }
    | Query::ServiceChecks { tenancy, .. }
    | Query::ChecksInState { tenancy, .. }
    | Query::ServiceHealth { tenancy, .. }) = query
    else {
        return;
    };
    let nodes = Scope::local(&tenancy.node_scope());
    let Some(distances) = Distances::from(store, nodes, near) else { return };
    match result {
        QueryResult::Nodes(rows) => rows.sort_by_cached_key(|n| distances.to(&n.name)),
        QueryResult::ServiceNodes(rows) => rows.sort_by_cached_key(|r| distances.to(&r.node.name)),
        QueryResult::Checks(rows) => rows.sort_by_cached_key(|c| distances.to(&c.node)),
        QueryResult::ServiceHealth(rows) => rows.sort_by_cached_key(|r| distances.to(&r.node.name)),
        _ => {}
    }
}

/// Distances from one node to others of its partition.
pub(crate) struct Distances<'s> {
    table: &'s CoordinateTable,
    nodes: Scope,
    from: Vec<&'s CoordinateRow>,
}

impl<'s> Distances<'s> {
    /// `None` when nobody knows where `near` is.
    pub fn from(store: &'s Store, nodes: Scope, near: &str) -> Option<Self> {
        let table = &store.catalog.coordinates;
        let from: Vec<_> = table.of(&nodes, &types::names::fold(near)).map(|(row, _)| row).collect();
        (!from.is_empty()).then_some(Self { table, nodes, from })
    }

    /// Nanoseconds; [`u64::MAX`] when it is not known.
    pub fn to(&self, node: &NodeName) -> u64 {
        let to = self.table.of(&self.nodes, &node.folded());
        let place = |segment: &Str| -> Option<&Coordinate> {
            self.from.iter().find(|row| row.segment == *segment).map(|row| &row.coordinate)
        };
        let mut best = u64::MAX;
        for (row, _) in to {
            if let Some(own) = place(&row.segment) {
                // Not negative, and whatever is too large is as far as can be.
                best = best.min((own.distance(&row.coordinate) * 1e9) as u64);
            }
        }
        best
    }
}
