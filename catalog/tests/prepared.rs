//! Prepared queries: names, templates, sessions, and what they find.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use support::*;
use types::{
    Str, Tenancy,
    command::{Command, CommandResponse},
    coordinate::{Coordinate, CoordinateRow},
    prepared::{Execute, ExecuteTarget, Executed, PreparedQuery},
    query::{Query, QueryResult},
    record::Session,
};

fn query(id: &str, name: &str, service: &str) -> PreparedQuery {
    let mut q = PreparedQuery { id: id.into(), name: name.into(), ..PreparedQuery::default() };
    q.service.service = service.into();
    q
}

fn template(id: &str, name: &str) -> PreparedQuery {
    let mut q = query(id, name, "${name.suffix}");
    q.template.kind = "name_prefix_match".into();
    q
}

fn set(w: &mut World, query: PreparedQuery) -> Result<(), String> {
    stored(w, query, true)
}

fn stored(w: &mut World, query: PreparedQuery, create: bool) -> Result<(), String> {
    match w.apply(Command::PreparedQuerySet { query: Box::new(query), create }) {
        CommandResponse::Refused(text) => Err(text.to_string()),
        _ => Ok(()),
    }
}

fn run(w: &World, asked: Execute) -> Executed {
    match w.read(&Query::Execute(Box::new(asked))).0 {
        QueryResult::Executed(e) => *e,
        other => panic!("{other:?}"),
    }
}

fn named(name: &str) -> Execute {
    Execute::new(ExecuteTarget::Named(name.into()))
}

fn nodes(e: &Executed) -> String {
    e.nodes.iter().map(|r| r.node.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn ids(w: &World) -> Vec<Str> {
    match w.read(&Query::PreparedQueries { id: None }).0 {
        QueryResult::PreparedQueries(rows) => rows.iter().map(|q| q.id.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_are_unique_and_found_by_name_and_prefix() {
    let mut w = World::default();
    set(&mut w, query("id-1", "Geo", "web")).unwrap();
    set(&mut w, template("id-2", "geo-")).unwrap();
    set(&mut w, template("id-3", "geo-db-")).unwrap();
    let refused = |w: &mut World, q| set(w, q).unwrap_err();
    assert_eq!(
        refused(&mut w, query("id-4", "gEO", "x")),
        "raft apply failed: name 'gEO' aliases an existing query name"
    );
    assert_eq!(
        refused(&mut w, query("id-4", "id-1", "x")),
        "raft apply failed: name 'id-1' aliases an existing query ID"
    );
    set(&mut w, template("id-5", "")).unwrap();
    assert_eq!(
        refused(&mut w, template("id-6", "")),
        "raft apply failed: a query template with an empty name already exists"
    );
    assert_eq!(
        stored(&mut w, query("id-9", "z", "x"), false).unwrap_err(),
        "Cannot modify non-existent prepared query: 'id-9'"
    );
    let service = |name: &str| run(&w, named(name)).query.map(|q| q.service.service.to_string());
    assert_eq!(service("GEO"), Some("web".into()));
    assert_eq!(service("id-1"), Some("web".into()));
    assert_eq!(service("geo-x"), Some("x".into()));
    assert_eq!(service("Geo-DB-master"), Some("master".into()), "the longest prefix");
    assert_eq!(service("other"), Some("other".into()), "the one of every name");
    let long = "m".repeat(2000);
    assert_eq!(service(&format!("geo-{long}")), Some(long.clone()), "of a name of any length");
    assert!(run(&w, named("id-2")).error.contains("only be resolved up by name, not by ID"));
    // A new name frees the old one.
    stored(&mut w, query("id-1", "new", "web"), false).unwrap();
    set(&mut w, query("id-7", "geo", "db")).unwrap();
    assert_eq!(
        w.apply(Command::PreparedQueryDelete { id: "id-8".into() }),
        CommandResponse::Refused("Cannot modify non-existent prepared query: 'id-8'".into())
    );
}

#[test]
fn a_query_ends_with_its_session() {
    let mut w = World::default();
    w.ok(node("n1", 1));
    let bound = PreparedQuery { session: "s1".into(), ..query("id-1", "", "web") };
    assert_eq!(set(&mut w, bound.clone()).unwrap_err(), "raft apply failed: invalid session \"s1\"");
    let session = Session { id: "s1".into(), node: "n1".into(), ..Session::default() };
    assert_eq!(w.apply(Command::SessionCreate(Box::new(session))), CommandResponse::Ok);
    set(&mut w, bound).unwrap();
    set(&mut w, query("id-2", "q", "web")).unwrap();
    assert_eq!(ids(&w), ["id-1", "id-2"].map(Str::new));
    w.apply(Command::SessionDestroy { tenancy: Tenancy::default(), id: "s1".into() });
    assert_eq!(ids(&w), ["id-2"].map(Str::new));
}

#[test]
fn filters_order_and_limit() {
    let mut w = World::default();
    for (i, (name, state)) in
        [("n1", "passing"), ("n2", "warning"), ("n3", "critical"), ("n4", "passing")].into_iter().enumerate()
    {
        let mut s = service("web");
        s.tags = Some(vec![if i % 2 == 0 { "even".into() } else { "odd".into() }]);
        s.meta = Some([("n".into(), Str::from(i.to_string()))].into());
        let mut node = node(name, 1 + i as u32);
        node.address = format!("10.0.0.{}", i + 1).into();
        w.ok(checked(with(node, s), check("c", "web", state)));
    }
    let found = |w: &World, change: &dyn Fn(&mut PreparedQuery), asked: &dyn Fn(&mut Execute)| {
        let mut q = query("id", "q", "web");
        change(&mut q);
        let mut one = Execute::new(ExecuteTarget::Rendered(types::codec::encode(&q).unwrap()));
        asked(&mut one);
        nodes(&run(w, one))
    };
    let plain = |_: &mut Execute| {};
    assert_eq!(found(&w, &|_| {}, &plain), "n1 n2 n4");
    assert_eq!(found(&w, &|q| q.service.only_passing = true, &plain), "n1 n4");
    assert_eq!(found(&w, &|q| q.service.ignore_check_ids = Some(vec!["c".into()]), &plain), "n1 n2 n3 n4");
    assert_eq!(found(&w, &|q| q.service.tags = Some(vec!["ODD".into()]), &plain), "n2 n4");
    assert_eq!(found(&w, &|q| q.service.tags = Some(vec!["!odd".into()]), &plain), "n1");
    assert_eq!(
        found(&w, &|q| q.service.service_meta = Some([("n".into(), "3".into())].into()), &plain),
        "n4"
    );
    assert_eq!(found(&w, &|q| q.service.node_meta = Some([("no".into(), "".into())].into()), &plain), "");
    assert_eq!(found(&w, &|q| q.service.connect = true, &plain), "");
    assert_eq!(found(&w, &|_| {}, &|e| e.limit = 2), "n1 n2");
    let at = |node: &str, x: f64| {
        let mut coordinate = Coordinate::default();
        coordinate.vec[0] = x;
        CoordinateRow { node: node.into(), coordinate, ..CoordinateRow::default() }
    };
    w.apply(Command::CoordinateUpdates(vec![at("n1", 0.35), at("n2", 0.2), at("n4", 0.1)]));
    assert_eq!(found(&w, &|q| q.service.near = "n4".into(), &|e| e.seed = 7), "n4 n2 n1");
    assert_eq!(found(&w, &|q| q.service.near = "n4".into(), &|e| e.near = "n1".into()), "n1 n2 n4");
    assert_eq!(found(&w, &|q| q.service.near = "_agent".into(), &|e| e.agent = "n2".into()), "n2 n4 n1");
    let own = |e: &mut Execute| e.source = Some([10, 0, 0, 2].into());
    assert_eq!(found(&w, &|q| q.service.near = "_ip".into(), &own), "n2 n4 n1");
    let stranger = |e: &mut Execute| e.source = Some([10, 9, 9, 9].into());
    assert_eq!(found(&w, &|q| q.service.near = "_ip".into(), &stranger), "n1 n2 n4", "nobody is there");
    let orders: std::collections::BTreeSet<String> =
        (1..50).map(|seed| found(&w, &|_| {}, &|e| e.seed = seed)).collect();
    assert_eq!(orders.len(), 6, "every order comes up");
    let mut broken = Execute::new(ExecuteTarget::Rendered(vec![9, 9, 9]));
    broken.limit = 1;
    assert!(!run(&w, broken).error.is_empty(), "what cannot be read is refused");
}
