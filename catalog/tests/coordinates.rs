//! Places of nodes: stored with their node, removed with it, and what is near to what.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use catalog::sort_near;
use support::*;
use types::{
    Str, Tenancy,
    command::{Command, Deregister},
    coordinate::{Coordinate, CoordinateRow},
    query::{Query, QueryResult},
};

fn at(node: &str, x: f64) -> CoordinateRow {
    let mut coordinate = Coordinate::default();
    coordinate.vec[0] = x;
    CoordinateRow { node: node.into(), coordinate, ..CoordinateRow::default() }
}

fn all(node: Option<&str>) -> Query {
    Query::Coordinates { tenancy: Tenancy::default(), node: node.map(Into::into), segment: None }
}

fn names(result: &QueryResult) -> Vec<Str> {
    match result {
        QueryResult::Coordinates(rows) => rows.iter().map(|r| r.node.0.clone()).collect(),
        QueryResult::Nodes(rows) => rows.iter().map(|n| n.name.0.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_live_with_their_node() {
    let mut w = World::default();
    w.apply(Command::Register(Box::new(node("n1", 1))));
    let mut bad = at("n1", 0.0);
    bad.coordinate.height = f64::INFINITY;
    w.apply(Command::CoordinateUpdates(vec![at("N1", 0.1), at("ghost", 0.2), bad]));
    let (rows, index) = w.read(&all(None));
    assert_eq!((names(&rows), index), (vec!["N1".into()], w.index), "unknown nodes and nonsense are passed over");
    let told = w.index;
    w.apply(Command::CoordinateUpdates(vec![at("N1", 0.1)]));
    assert_eq!(w.read(&all(Some("n1"))).1, told, "the same again changes nothing");
    w.apply(Command::Deregister(Deregister { node: "n1".into(), ..Deregister::default() }));
    let (rows, index) = w.read(&all(Some("n1")));
    assert_eq!((names(&rows).len(), index), (0, w.index));
}

#[test]
fn near_sorts_by_distance_and_leaves_the_unknown_last() {
    let mut w = World::default();
    for (i, name) in ["n1", "n2", "n3", "n4"].into_iter().enumerate() {
        w.apply(Command::Register(Box::new(node(name, 1 + i as u32))));
    }
    w.apply(Command::CoordinateUpdates(vec![at("n1", 0.3), at("n3", 0.1), at("n4", 0.0)]));
    let query = Query::Nodes { tenancy: Tenancy::default(), peer: Default::default() };
    let sorted = |near: &str| {
        let mut result = w.read(&query).0;
        sort_near(&w.store, &query, near, &mut result);
        names(&result).iter().map(Str::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sorted("N4"), "n4 n3 n1 n2");
    assert_eq!(sorted("n1"), "n1 n3 n4 n2");
    assert_eq!(sorted("n2"), "n1 n2 n3 n4", "nobody knows where n2 is");
    assert_eq!(sorted("ghost"), "n1 n2 n3 n4");
}
