//! What registering and deregistering do, refuse and leave alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use support::*;
use types::{
    Tenancy,
    command::Register,
    query::{Query, QueryResult},
    record::HealthCheckDefinition,
};

#[test]
fn refusals_carry_the_public_texts() {
    let mut w = World::default();
    w.ok(checked(with(node("n1", 1), service("web")), check("serfHealth", "", "passing")));
    let table = [
        (Register { address: "1.2.3.4".into(), ..Default::default() }, "Must provide node"),
        (
            Register { node: "x".into(), ..Default::default() },
            "Must provide address if SkipNodeUpdate is not set",
        ),
        (
            with(node("x", 0), types::record::NodeService { id: "y".into(), ..Default::default() }),
            "Must provide service name (Service.Service) when service ID is provided",
        ),
        (with(node("x", 0), Default::default()), "Must provide service name (Service.Service)"),
        (
            checked(node("n1", 1), types::record::HealthCheck { node: "other".into(), ..check("c", "", "") }),
            "Node 'other' for check 'c' doesn't match register request node 'n1'",
        ),
        (
            with(node("x", 0), types::record::NodeService { address: "0.0.0.0".into(), ..service("y") }),
            "Invalid service address",
        ),
        (
            checked(node("n1", 1), check("c", "ghost", "passing")),
            "Unknown service ID 'ghost' for check ID 'c'",
        ),
        (
            node("N1", 2),
            "failed inserting node: Error while renaming Node ID: \"b0000000-0000-4000-8000-000000000002\": Node name N1 is \
             reserved by node b0000000-0000-4000-8000-000000000001 with name n1 (10.0.0.1)",
        ),
    ];
    for (request, text) in table {
        assert_eq!(w.refused(request), text);
    }
    let bad = Register { id: "nonsense".into(), ..node("x", 0) };
    assert!(w.refused(bad).starts_with("Bad node ID: "));
    let no_port = types::record::NodeService { port: 0, ..proxy("p", "web") };
    assert!(
        w.refused(with(node("x", 0), no_port)).contains("Port or SocketPath must be set for a connect-proxy")
    );
    assert_eq!(w.node("x"), None);
}

#[test]
fn an_unchanged_registration_moves_nothing() {
    let mut w = World::default();
    let r = checked(with(node("n1", 1), proxy("web-proxy", "web")), check("c", "web-proxy", "passing"));
    w.ok(r.clone());
    let before = w.store.catalog_part();
    w.ok(r);
    assert!(w.changes.is_empty());
    assert_eq!(w.store.catalog_part(), before);
}

#[test]
fn defaults_are_filled_in() {
    let mut w = World::default();
    let mut r = checked(with(node("n1", 0), service("web")), check("", "WEB", ""));
    r.checks[0].name = "named".into();
    r.checks[0].definition =
        Some(Box::new(HealthCheckDefinition { tcp: "10.0.0.1:80".into(), ..Default::default() }));
    r.service.as_mut().unwrap().tags = Some(vec!["a".into()]);
    w.ok(r);
    let (rows, _) = w.health("Web");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].service.id.as_str(), "web");
    let c = &rows[0].checks[0];
    assert_eq!((c.check_id.as_str(), c.node.as_str(), c.status.as_str()), ("named", "n1", "critical"));
    assert_eq!((c.kind.as_str(), c.service_name.as_str(), c.service_tags[0].as_str()), ("", "web", "a"));
}

#[test]
fn skip_node_update_leaves_an_existing_node_alone() {
    let mut w = World::default();
    let skipping = |address: &str| Register {
        node: "n3".into(),
        address: address.into(),
        skip_node_update: true,
        ..Default::default()
    };
    w.ok(with(skipping("10.0.0.3"), service("cache")));
    w.ok(with(skipping(""), types::record::NodeService { port: 11211, ..service("cache") }));
    let (rows, _) = w.health("cache");
    assert_eq!((rows[0].node.address.as_str(), rows[0].service.port), ("10.0.0.3", 11211));
}

#[test]
fn a_node_is_renamed_or_takes_a_name_over() {
    let mut w = World::default();
    w.ok(checked(with(node("ren-a", 10), service("ren")), check("c", "ren", "passing")));
    w.ok(node("ren-b", 11));
    w.ok(node("ren-c", 10));
    assert_eq!(w.node("ren-a"), None);
    assert_eq!(w.node("ren-c"), Some(("ren-c".into(), vec!["ren".into()])));
    let (rows, _) = w.health("ren");
    assert_eq!((rows[0].node.name.as_str(), rows[0].checks[0].node.as_str()), ("ren-c", "ren-c"));

    w.ok(node("ren-b", 10));
    assert_eq!(w.health("ren").0, []);
    assert_eq!(w.node("b0000000-0000-4000-8000-00000000000b"), None);
    assert_eq!(w.node("b0000000-0000-4000-8000-00000000000a"), Some(("ren-b".into(), vec![])));
    assert_eq!(w.node("b00000"), Some(("ren-b".into(), vec![])));
    w.deregister("ren-b", "", "");
    w.deregister("ren-c", "", "");
    assert_eq!(w.node("b00000"), None);
}

#[test]
fn an_alive_holder_keeps_its_name_until_it_turns_critical() {
    let mut w = World::default();
    w.ok(checked(node("n1", 1), check("serfHealth", "", "passing")));
    w.refused(node("n1", 2));
    w.ok(checked(node("n1", 1), check("serfHealth", "", "critical")));
    w.ok(node("n1", 2));
    assert_eq!(w.node("b0000000-0000-4000-8000-000000000001"), None);
    assert!(w.node("b0000000-0000-4000-8000-000000000002").is_some());
}

#[test]
fn deregistering_removes_what_is_named_and_tolerates_what_is_missing() {
    let mut w = World::default();
    let r = checked(with(node("n1", 1), service("web")), check("c", "web", "passing"));
    w.ok(checked(r, check("n", "", "passing")));
    for (s, c) in [("ghost", ""), ("", "ghost")] {
        w.deregister("N1", s, c);
        assert!(w.changes.is_empty());
    }
    w.deregister("n1", "", "C");
    assert_eq!(w.health("web").0[0].checks.len(), 1);
    w.deregister("n1", "WEB", "");
    assert_eq!(w.health("web").0.len(), 0);
    w.ok(with(node("n1", 1), service("web")));
    w.deregister("n1", "", "");
    assert_eq!(w.node("n1"), None);
    let any =
        Query::ChecksInState { tenancy: Tenancy::default(), peer: Default::default(), state: "any".into() };
    assert_eq!(w.read(&any).0, QueryResult::Checks(vec![]));
}

#[test]
fn mesh_services_share_a_virtual_address() {
    let mut w = World::default();
    w.ok(with(node("n1", 0), proxy("pay-proxy", "pay")));
    w.ok(with(node("n1", 0), proxy("ord-proxy", "ord")));
    let native = types::record::NodeService {
        connect: types::record::ServiceConnect { native: true },
        ..service("nat")
    };
    w.ok(with(node("n2", 0), native));
    w.ok(with(node("n2", 0), types::record::NodeService { port: 9000, ..proxy("pay-proxy", "Pay") }));
    let vip = |w: &World, name: &str| {
        let q =
            Query::VirtualIp { tenancy: Tenancy::default(), peer: Default::default(), service: name.into() };
        match w.read(&q).0 {
            QueryResult::VirtualIp(ip) => ip.map(|s| s.to_string()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(vip(&w, "pay").as_deref(), Some("240.0.0.1"));
    assert_eq!(vip(&w, "nat").as_deref(), Some("240.0.0.3"));
    let shown: Vec<_> = w
        .connect("PAY")
        .iter()
        .map(|r| r.service.tagged_addresses.as_ref().unwrap()["consul-virtual"].clone())
        .map(|a| (a.address.to_string(), a.port))
        .collect();
    assert_eq!(shown, [("240.0.0.1".into(), 80), ("240.0.0.1".into(), 9000)]);

    // Freed with the last instance, and the first to be given out again.
    w.deregister("n1", "ord-proxy", "");
    assert_eq!(vip(&w, "ord"), None);
    w.ok(with(node("n5", 0), proxy("db-proxy", "db")));
    assert_eq!(vip(&w, "db").as_deref(), Some("240.0.0.2"));
    // Turning to another service takes a new address before it gives the old one back.
    w.ok(with(node("n5", 0), proxy("db-proxy", "other")));
    assert_eq!((vip(&w, "db"), vip(&w, "other").as_deref()), (None, Some("240.0.0.4")));
    let shown = w.connect("other")[0].service.tagged_addresses.clone().unwrap();
    assert_eq!(shown["consul-virtual"].address, "240.0.0.4");
}

#[test]
fn addresses_find_nodes_before_services() {
    let mut w = World::default();
    let addressed =
        |name: &str, address: &str| types::record::NodeService { address: address.into(), ..service(name) };
    w.ok(with(node("n1", 0), addressed("web", "10.9.9.9")));
    w.ok(with(node("n1", 0), addressed("db", "10.0.0.1")));
    let find = |w: &World, a: &str| match w.read(&Query::ByAddress { address: a.parse().unwrap() }).0 {
        QueryResult::ByAddress { nodes, services } => (nodes.len(), services.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(find(&w, "10.0.0.1"), (1, 0));
    assert_eq!(find(&w, "10.9.9.9"), (0, 1));
    w.ok(with(node("n1", 0), addressed("web", "10.9.9.8")));
    assert_eq!(find(&w, "10.9.9.9"), (0, 0));
    w.deregister("n1", "", "");
    assert_eq!(find(&w, "10.0.0.1"), (0, 0));
}

#[test]
fn namespaces_and_partitions_are_apart() {
    let mut w = World::default();
    let team = Tenancy::new("p", "team");
    let mut r = checked(with(node("n1", 1), service("web")), check("c", "web", "passing"));
    r.checks.push(check("n", "", "warning"));
    r.tenancy = team.clone();
    assert_eq!(w.refused(r.clone()), "Partition \"p\" does not exist");
    w.owner(&Tenancy::new("p", "other"));
    assert_eq!(w.refused(r.clone()), "Namespace \"team\" does not exist in partition \"p\"");
    // The node's partition exists, the namespace of its service does not.
    let mut service = r.clone();
    (service.tenancy, service.service.as_mut().unwrap().tenancy) = (Tenancy::new("p", ""), team.clone());
    assert_eq!(w.refused(service), "Namespace \"team\" does not exist in partition \"p\"");
    w.owner(&team);
    w.ok(r);
    assert_eq!(w.health("web").0.len(), 0);
    assert_eq!(w.node("n1"), None);
    let q = |tenancy: &Tenancy| Query::ServiceHealth {
        tenancy: tenancy.clone(),
        peer: Default::default(),
        service: "web".into(),
        lookup: Default::default(),
        tags: vec![],
        passing_only: false,
    };
    let rows = |t: &Tenancy| match w.read(&q(t)).0 {
        QueryResult::ServiceHealth(rows) => rows,
        other => panic!("{other:?}"),
    };
    assert_eq!(rows(&team).len(), 1);
    assert_eq!(rows(&team)[0].checks.len(), 2);
    assert_eq!(rows(&Tenancy::new("p", "")).len(), 0);
}
