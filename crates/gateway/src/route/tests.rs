//! Which name leads where.

use super::*;
use proptest::prelude::*;

const TRUST: &str = "11111111-2222-3333-4444-555555555555.consul";

fn place(host: &str, port: u16) -> Place {
    Place { host: host.to_owned(), port }
}

fn gateway(host: &str, serves_servers: bool) -> RemoteGateway {
    RemoteGateway { place: place(host, 443), serves_servers }
}

fn world() -> World {
    let web = Endpoints {
        whole: vec![place("10.0.0.7", 21000), place("10.0.0.8", 21000)],
        subsets: [("v2".to_owned(), vec![place("10.0.0.8", 21000)])].into(),
    };
    World {
        datacenter: "DC1".to_owned(),
        domain: "consul".to_owned(),
        trust_domain: Some(TRUST.to_owned()),
        expose_servers: true,
        own: BTreeSet::new(),
        servers: vec![
            Server { node: "Alpha".to_owned(), place: place("10.0.0.1", 8300) },
            Server { node: "beta".to_owned(), place: place("10.0.0.2", 8300) },
        ],
        remote: [
            ("dc2".to_owned(), vec![gateway("198.51.100.2", true), gateway("old.example", false)]),
            ("dc3".to_owned(), vec![gateway("198.51.100.3", false)]),
            ("dc1".to_owned(), vec![gateway("198.51.100.1", true)]),
        ]
        .into(),
        services: [("Web".to_owned(), web), ("none".to_owned(), Endpoints::default())].into(),
    }
}

fn lead(table: &Table, name: &str) -> Option<(Kind, Vec<String>)> {
    table.find(name).map(|r| (r.kind, r.backends.iter().map(|p| p.host.clone()).collect()))
}

#[test]
fn each_form_of_name_has_its_route() {
    let table = Table::new(&world());
    let td = TRUST;
    for (name, kind, hosts) in [
        (format!("x.default.dc2.internal.{td}"), Kind::RemoteService, &["198.51.100.2", "old.example"][..]),
        (format!("v1.x.default.dc2.internal.{td}"), Kind::RemoteService, &["198.51.100.2", "old.example"]),
        ("n.server.dc2.consul".to_owned(), Kind::RemoteServer, &["198.51.100.2"]),
        ("a.b.server.dc3.consul".to_owned(), Kind::RemoteServer, &["198.51.100.3"]),
        ("server.dc2.consul".to_owned(), Kind::RemoteServer, &["198.51.100.2"]),
        ("alpha.server.dc1.consul".to_owned(), Kind::LocalServer, &["10.0.0.1"]),
        ("server.dc1.consul".to_owned(), Kind::LocalServer, &["10.0.0.1", "10.0.0.2"]),
        (format!("web.default.dc1.internal.{td}"), Kind::LocalService, &["10.0.0.7", "10.0.0.8"]),
        (format!("v2.web.default.dc1.internal.{td}"), Kind::LocalService, &["10.0.0.8"]),
        (format!("none.default.dc1.internal.{td}"), Kind::LocalService, &[]),
    ] {
        let hosts = hosts.iter().map(|h| (*h).to_owned()).collect();
        assert_eq!(lead(&table, &name), Some((kind, hosts)), "{name}");
    }
    for unknown in [
        "",
        ".",
        "consul",
        "gamma.server.dc1.consul",
        "x.alpha.server.dc1.consul",
        "server.dc4.consul",
        "dc2.internal.11111111-2222-3333-4444-555555555555.consul",
        ".server.dc2.consul.",
        "web.default.dc1.internal.other.consul",
        "v3.web.default.dc1.internal.11111111-2222-3333-4444-555555555555.consul",
    ] {
        assert_eq!(lead(&table, unknown), None, "{unknown}");
    }
}

#[test]
fn servers_are_hidden_unless_exposed() {
    let table = Table::new(&World { expose_servers: false, ..world() });
    for name in ["server.dc1.consul", "alpha.server.dc1.consul", "server.dc2.consul", "n.server.dc2.consul"] {
        assert_eq!(lead(&table, name), None, "{name}");
    }
    assert!(table.find(&format!("web.default.dc1.internal.{TRUST}")).is_some());
}

#[test]
fn without_a_trust_domain_servers_are_reached_and_services_wait() {
    let table = Table::new(&World { trust_domain: None, ..world() });
    assert!(table.find("server.dc1.consul").is_some());
    assert!(table.patterns().keys().all(|name| name.contains("server.")), "{table:?}");
}

#[test]
fn a_datacenter_without_gateways_is_known_and_has_no_backend() {
    let mut world = world();
    world.remote.insert("dc9".to_owned(), Vec::new());
    let table = Table::new(&world);
    assert_eq!(lead(&table, "server.dc9.consul"), Some((Kind::RemoteServer, Vec::new())));
}

#[test]
fn nothing_leads_back_to_the_gateway_itself() {
    let own = BTreeSet::from([place("198.51.100.2", 443)]);
    let table = Table::new(&World { own, ..world() });
    assert_eq!(lead(&table, "server.dc2.consul"), Some((Kind::RemoteServer, vec!["old.example".to_owned()])));
}

fn label() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9-]{0,6}"
}

proptest! {
    #[test]
    fn any_service_is_found_by_its_name(service in label(), subset in label(), dc in label(), host in label()) {
        let endpoints = Endpoints {
            whole: vec![place(&host, 1)],
            subsets: [(subset.clone(), vec![place(&host, 2)])].into(),
        };
        let world = World {
            datacenter: dc.clone(),
            domain: "consul".to_owned(),
            trust_domain: Some(TRUST.to_owned()),
            services: [(service.clone(), endpoints)].into(),
            ..World::default()
        };
        let table = Table::new(&world);
        let name = format!("{service}.default.{dc}.internal.{TRUST}").to_ascii_lowercase();
        prop_assert_eq!(&table.find(&name).unwrap().backends[0].port, &1);
        let name = format!("{subset}.{name}").to_ascii_lowercase();
        prop_assert_eq!(&table.find(&name).unwrap().backends[0].port, &2);
    }

    #[test]
    fn no_name_panics_and_none_leaves_the_table(name in ".{0,60}", dotted in "[a-z.*]{0,60}") {
        let table = Table::new(&world());
        let all: BTreeSet<Place> = table.places().into_iter().cloned().collect();
        for name in [name, dotted] {
            if let Some(route) = table.find(&name) {
                prop_assert!(route.backends.iter().all(|p| all.contains(p)));
            }
        }
    }

    #[test]
    fn what_ends_as_a_remote_datacenter_goes_to_its_gateways(labels in proptest::collection::vec(label(), 1..4)) {
        let table = Table::new(&world());
        let name = format!("{}.dc2.internal.{TRUST}", labels.join(".")).to_ascii_lowercase();
        prop_assert_eq!(table.find(&name).map(|r| r.kind), Some(Kind::RemoteService));
    }
}
