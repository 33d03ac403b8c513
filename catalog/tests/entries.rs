//! Configuration entries: conditional writes, indexes, what entries demand of each other, snapshots.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test panics")]

mod support;

use catalog::snapshot;
use support::*;
use types::{
    Str, Tenancy,
    command::{Command, CommandResponse},
    entry::*,
    query::{Query, QueryResult},
    record::{NodeService, ServiceConnect, ServiceKind},
};

fn write(w: &mut World, entry: ConfigEntry, cas: Option<u64>) -> CommandResponse {
    w.apply(Command::ConfigEntrySet { entry: Box::new(entry), cas })
}
fn put(w: &mut World, entry: ConfigEntry) {
    assert_eq!(write(w, entry, None), CommandResponse::Bool(true));
}
fn refused(w: &mut World, entry: ConfigEntry) -> String {
    let before = w.store.clone();
    let CommandResponse::Refused(text) = write(w, entry, None) else { panic!("was not refused") };
    assert!(w.changes.is_empty());
    assert_eq!(w.read(&all()), catalog::run_query(&before, &all(), &[]));
    text.to_string()
}
fn remove(w: &mut World, kind: EntryKind, name: &str, cas: Option<u64>) -> CommandResponse {
    w.apply(Command::ConfigEntryDelete { tenancy: Tenancy::default(), kind, name: name.into(), cas })
}
fn all() -> Query {
    Query::ConfigEntries { tenancy: Tenancy::default(), kind: None }
}
fn entry(name: &str, body: EntryBody) -> ConfigEntry {
    let mut e = ConfigEntry::new(body.kind(), name);
    e.body = body;
    e
}
fn defaults(name: &str, protocol: &str) -> ConfigEntry {
    let b = ServiceDefaults { protocol: protocol.into(), ..Default::default() };
    entry(name, EntryBody::ServiceDefaults(Box::new(b)))
}
fn proxy_defaults(protocol: &str) -> ConfigEntry {
    let config = serde_json::json!({ "protocol": protocol });
    let b = ProxyDefaults { config: Some(types::Opaque::from_json(&config)), ..Default::default() };
    entry("global", EntryBody::ProxyDefaults(Box::new(b)))
}
fn router(name: &str, to: &str) -> ConfigEntry {
    let destination = Some(RouteDestination { service: to.into(), ..Default::default() });
    let b = ServiceRouter { routes: vec![Route { destination, ..Default::default() }] };
    entry(name, EntryBody::ServiceRouter(Box::new(b)))
}
fn splitter(name: &str, to: &[&str]) -> ConfigEntry {
    let splits = to.iter().map(|s| Split { service: Str::new(s), ..Default::default() }).collect();
    entry(name, EntryBody::ServiceSplitter(Box::new(ServiceSplitter { splits })))
}
fn resolver(name: &str, b: ServiceResolver) -> ConfigEntry {
    entry(name, EntryBody::ServiceResolver(Box::new(b)))
}
fn redirect(name: &str, to: &str, subset: &str) -> ConfigEntry {
    let r = Redirect { service: to.into(), service_subset: subset.into(), ..Default::default() };
    resolver(name, ServiceResolver { redirect: Some(r), ..Default::default() })
}
fn ingress(name: &str, protocol: &str, service: &str) -> ConfigEntry {
    let services = vec![IngressService { name: service.into(), ..Default::default() }];
    let listener = IngressListener { port: 80, protocol: protocol.into(), services, ..Default::default() };
    entry(
        name,
        EntryBody::IngressGateway(Box::new(IngressGateway {
            listeners: vec![listener],
            ..Default::default()
        })),
    )
}
fn terminating(name: &str, service: &str) -> ConfigEntry {
    let services = vec![LinkedService { name: service.into(), ..Default::default() }];
    entry(name, EntryBody::TerminatingGateway(Box::new(TerminatingGateway { services })))
}
fn intentions(name: &str, http: bool, provider: &str) -> ConfigEntry {
    let permissions = if http { vec![IntentionPermission::default()] } else { Vec::new() };
    let sources = vec![IntentionSource { name: "a".into(), permissions, ..Default::default() }];
    let jwt = (!provider.is_empty()).then(|| IntentionJwt {
        providers: vec![IntentionJwtProvider { name: provider.into(), ..Default::default() }],
    });
    entry(name, EntryBody::ServiceIntentions(Box::new(ServiceIntentions { sources, jwt })))
}

#[test]
fn conditional_writes() {
    let mut w = World::default();
    assert_eq!(write(&mut w, defaults("web", "tcp"), Some(5)), CommandResponse::Bool(false));
    assert_eq!(write(&mut w, defaults("web", "tcp"), Some(0)), CommandResponse::Bool(true));
    let at = w.index;
    // What is stored already may be written again, whatever was expected, and moves nothing.
    assert_eq!(write(&mut w, defaults("web", "tcp"), Some(99)), CommandResponse::Bool(true));
    assert!(w.changes.is_empty());
    assert_eq!(write(&mut w, defaults("web", "http"), Some(0)), CommandResponse::Bool(false));
    assert_eq!(write(&mut w, defaults("web", "http"), Some(at)), CommandResponse::Bool(true));
    assert_eq!(remove(&mut w, EntryKind::ServiceDefaults, "web", Some(at)), CommandResponse::Bool(false));
    let now = w.index - 1;
    assert_eq!(remove(&mut w, EntryKind::ServiceDefaults, "WEB", Some(now)), CommandResponse::Bool(true));
    assert_eq!(remove(&mut w, EntryKind::ServiceDefaults, "web", Some(1)), CommandResponse::Bool(true));
}

#[test]
fn indexes_tell_of_the_entry_its_kind_and_its_end() {
    let mut w = World::default();
    let one = |name: &str| Query::ConfigEntry {
        tenancy: Tenancy::default(),
        kind: EntryKind::ServiceDefaults,
        name: name.into(),
    };
    let kind = |kind| Query::ConfigEntries { tenancy: Tenancy::default(), kind: Some(kind) };
    put(&mut w, defaults("a", "tcp"));
    put(&mut w, defaults("b", "tcp"));
    assert_eq!((w.read(&one("a")).1, w.read(&one("B")).1), (1, 2));
    assert_eq!(w.read(&one("c")).1, 1, "nothing has disappeared yet");
    put(&mut w, proxy_defaults("tcp"));
    assert_eq!(w.read(&kind(EntryKind::ServiceDefaults)).1, 2);
    assert_eq!(w.read(&kind(EntryKind::ProxyDefaults)).1, 3);
    assert_eq!(w.read(&all()).1, 3);
    remove(&mut w, EntryKind::ServiceDefaults, "a", None);
    assert_eq!(w.read(&one("a")), (QueryResult::ConfigEntry(None), 4));
    assert_eq!(w.read(&one("b")).1, 2);
    let QueryResult::ConfigEntries(rows) = w.read(&all()).0 else { panic!() };
    assert_eq!(rows.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["b", "global"]);
    let restored =
        snapshot::restore(snapshot::Writer::new(w.store.clone()).flatten().collect::<Vec<u8>>().as_slice());
    assert_eq!(restored.unwrap(), w.store);
}

#[test]
fn owners_do_not_see_each_other() {
    let mut w = World::default();
    let mut e = defaults("web", "http");
    e.tenancy = Tenancy::new("", "team");
    let CommandResponse::Refused(text) = write(&mut w, e.clone(), None) else { panic!("was not refused") };
    assert_eq!(text, "Namespace \"team\" does not exist in partition \"default\"");
    w.owner(&e.tenancy);
    w.owner(&Tenancy::new("", "other"));
    put(&mut w, e);
    assert_eq!(w.read(&all()).0, QueryResult::ConfigEntries(Vec::new()));
    let refused = {
        let mut r = router("api", "");
        r.tenancy = Tenancy::new("", "other");
        write(&mut w, r, None)
    };
    assert!(matches!(refused, CommandResponse::Refused(_)));
    let bytes: Vec<u8> = snapshot::Writer::new(w.store.clone()).flatten().collect();
    assert_eq!(snapshot::restore(bytes.as_slice()).unwrap(), w.store, "a refused entry leaves no trace");
}

#[test]
fn a_chain_speaks_one_protocol() {
    let mut w = World::default();
    let plain = "discovery chain \"web\" uses a protocol \"tcp\" that does not permit advanced routing or splitting behavior";
    assert_eq!(refused(&mut w, router("web", "")), plain);
    assert_eq!(refused(&mut w, splitter("web", &["web"])), plain);
    put(&mut w, proxy_defaults("http"));
    put(&mut w, router("web", ""));
    assert!(
        matches!(remove(&mut w, EntryKind::ProxyDefaults, "global", None), CommandResponse::Refused(t) if t == plain)
    );
    put(&mut w, defaults("db", "tcp"));
    let mixed = "discovery chain \"web\" uses inconsistent protocols; service \"db\" has \"tcp\" which is not \"http\"";
    assert_eq!(refused(&mut w, router("web", "db")), mixed);
    assert_eq!(refused(&mut w, splitter("web", &["web", "db"])), mixed);
    assert_eq!(refused(&mut w, redirect("web", "db", "")), mixed);
    put(&mut w, router("web", "api"));
    // A change of what is reached is a change of the chain, also through others.
    put(&mut w, redirect("api", "far", ""));
    assert!(refused(&mut w, defaults("far", "grpc")).contains("discovery chain"));
    // An existing entry without a protocol hides the common one.
    assert!(refused(&mut w, defaults("far", "")).contains("inconsistent protocols"));
    put(&mut w, defaults("far", "http"));
}

#[test]
fn circles_and_missing_subsets_are_refused() {
    let mut w = World::default();
    put(&mut w, proxy_defaults("http"));
    put(&mut w, redirect("a", "b", ""));
    assert_eq!(refused(&mut w, redirect("b", "a", "")), "detected circular resolver redirect: [a -> b -> a]");
    put(&mut w, redirect("self", "self", ""));
    put(&mut w, splitter("c", &["c", "d"]));
    assert_eq!(refused(&mut w, splitter("d", &["c"])), "detected circular reference: [c -> d -> c]");
    assert_eq!(
        refused(&mut w, redirect("x", "y", "v1")),
        "service \"y\" does not have a subset named \"v1\""
    );
    let subsets = [("v1".into(), Subset::default())].into();
    put(&mut w, resolver("y", ServiceResolver { subsets, ..Default::default() }));
    put(&mut w, redirect("x", "y", "v1"));
    let CommandResponse::Refused(text) = remove(&mut w, EntryKind::ServiceResolver, "y", None) else {
        panic!()
    };
    assert_eq!(text, "service \"y\" does not have a subset named \"v1\"");
    let failover =
        [("*".into(), Failover { service: "y".into(), service_subset: "v9".into(), ..Default::default() })];
    let b = ServiceResolver { failover: failover.into(), ..Default::default() };
    assert_eq!(refused(&mut w, resolver("z", b)), "service \"y\" does not have a subset named \"v9\"");
}

/// Whoever writes many entries cannot make it costly, or fatal, to follow them.
#[test]
fn long_and_wide_chains_are_bounded() {
    let mut w = World::default();
    put(&mut w, proxy_defaults("http"));
    for n in 0..40 {
        // Each leads to the next two, which would be 2^40 ways.
        put(&mut w, splitter(&format!("s{n}"), &[&format!("s{}", n + 1), &format!("s{}", n + 2)]));
    }
    let last = (0..200).map(|n| {
        let e = redirect(&format!("r{n}"), &format!("r{}", n + 1), "");
        write(&mut w, e, None)
    });
    let refused = last.filter(|r| matches!(r, CommandResponse::Refused(_))).count();
    assert!(refused > 0, "redirects in a row have a bound");
    let refused =
        (100..300).map(|n| write(&mut w, splitter(&format!("t{n}"), &[&format!("t{}", n + 1)]), None));
    let refused: Vec<_> = refused.filter(|r| *r != CommandResponse::Bool(true)).collect();
    assert!(
        matches!(&refused[0], CommandResponse::Refused(t) if t.contains("more than 64 splitters")),
        "{refused:?}"
    );
}

#[test]
fn services_outside_are_only_names() {
    let mut w = World::default();
    let b = ServiceDefaults { external_sni: "sni".into(), ..Default::default() };
    put(&mut w, entry("out", EntryBody::ServiceDefaults(Box::new(b))));
    let text =
        |what| format!("service \"out\" has an external SNI set; cannot define {what} for external services");
    assert_eq!(refused(&mut w, redirect("out", "b", "")), text("redirects"));
    let subsets = [("v1".into(), Subset::default())].into();
    assert_eq!(
        refused(&mut w, resolver("out", ServiceResolver { subsets, ..Default::default() })),
        text("subsets")
    );
    let failover = [("*".into(), Failover { service: "b".into(), ..Default::default() })].into();
    assert_eq!(
        refused(&mut w, resolver("out", ServiceResolver { failover, ..Default::default() })),
        text("failover")
    );
}

#[test]
fn intentions_gateways_and_providers() {
    let mut w = World::default();
    let http = "service \"web\" has protocol \"tcp\", which is incompatible with L7 intentions permissions";
    assert_eq!(refused(&mut w, intentions("web", true, "")), http);
    put(&mut w, defaults("web", "http"));
    put(&mut w, intentions("web", true, ""));
    assert_eq!(refused(&mut w, defaults("web", "tcp")), http);
    assert_eq!(
        refused(&mut w, intentions("db", false, "ghost")),
        "1 error occurred:\n\t* Referenced JWT Provider does not exist. Provider Name: ghost\n\n"
    );
    put(&mut w, entry("okta", EntryBody::JwtProvider(Box::default())));
    put(&mut w, intentions("db", false, "okta"));
    let CommandResponse::Refused(text) = remove(&mut w, EntryKind::JwtProvider, "okta", None) else {
        panic!()
    };
    assert_eq!(
        text,
        "cannot delete jwt provider config entry referenced by an intention. Provider name: okta, intention name: db"
    );
    let listener =
        "service \"web\" has protocol \"http\", which does not match defined listener protocol \"tcp\"";
    assert_eq!(refused(&mut w, ingress("edge", "tcp", "web")), listener);
    put(&mut w, ingress("edge", "http", "web"));
    remove(&mut w, EntryKind::ServiceIntentions, "web", None);
    assert!(refused(&mut w, defaults("web", "tcp")).contains("does not match defined listener protocol"));
    assert_eq!(
        refused(&mut w, terminating("Edge", "db")),
        "cannot create a \"terminating-gateway\" config entry with name \"Edge\", a \"ingress-gateway\" config entry with that name already exists"
    );
}

#[test]
fn permissive_proxies_need_the_mesh_to_agree() {
    let mut w = World::default();
    let b = ServiceDefaults { mutual_tls_mode: "permissive".into(), ..Default::default() };
    let e = entry("web", EntryBody::ServiceDefaults(Box::new(b)));
    assert_eq!(
        refused(&mut w, e.clone()),
        "cannot set MutualTLSMode=permissive because AllowEnablingPermissiveMutualTLS=false in the mesh config entry"
    );
    let mesh = Mesh { allow_enabling_permissive_mutual_tls: true, ..Default::default() };
    put(&mut w, entry("mesh", EntryBody::Mesh(Box::new(mesh))));
    put(&mut w, e);
}

#[test]
fn services_of_gateways() {
    let mut w = World::default();
    w.ok(with(node("n1", 1), service("web")));
    w.ok(with(node("n1", 1), proxy("web-proxy", "web")));
    w.ok(with(node("n1", 1), NodeService { connect: ServiceConnect { native: true }, ..service("nat") }));
    w.ok(with(node("n1", 1), service("consul")));
    w.ok(with(node("n1", 1), NodeService { kind: ServiceKind::IngressGateway, ..service("edge") }));
    put(&mut w, defaults("web", "http"));
    put(&mut w, ingress("edge", "http", "*"));
    put(&mut w, terminating("out", "*"));
    let names = |w: &World, gateway: &str| {
        let q = Query::GatewayServices { tenancy: Tenancy::default(), gateway: gateway.into() };
        let (QueryResult::GatewayServices(rows), _) = w.read(&q) else { panic!() };
        rows.iter().map(|r| (r.service.to_string(), r.from_wildcard)).collect::<Vec<_>>()
    };
    assert_eq!(names(&w, "EDGE"), [("nat".to_owned(), true), ("web".to_owned(), true)]);
    assert_eq!(names(&w, "out"), [("web".to_owned(), true)]);
    assert_eq!(names(&w, "none"), []);
    let q = Query::ServiceHealth {
        tenancy: Tenancy::default(),
        peer: types::PeerName::default(),
        service: "web".into(),
        lookup: types::query::ServiceLookup::Ingress,
        tags: Vec::new(),
        passing_only: false,
    };
    let (QueryResult::ServiceHealth(rows), _) = w.read(&q) else { panic!() };
    assert_eq!(rows.iter().map(|r| r.service.service.as_str()).collect::<Vec<_>>(), ["edge"]);
    put(&mut w, terminating("out", "db"));
    assert_eq!(names(&w, "out"), [("db".to_owned(), false)]);
}

#[test]
fn entries_give_a_service_a_virtual_address() {
    let mut w = World::default();
    let vip = |w: &World, name: &str| {
        let asked =
            Query::VirtualIp { tenancy: Tenancy::default(), peer: Default::default(), service: name.into() };
        let QueryResult::VirtualIp(found) = w.read(&asked).0 else { panic!("an address expected") };
        found.map(|ip| ip.to_string())
    };
    let assign = |w: &mut World, name: &str, last: &[u8]| {
        let addresses = last.iter().map(|n| [1, 1, 1, *n].into()).collect();
        let command = Command::ManualVips { tenancy: Tenancy::default(), service: name.into(), addresses };
        let CommandResponse::ManualVips(lost) = w.apply(command) else { panic!("losers expected") };
        lost.map(|lost| lost.into_iter().map(|(_, name)| name.to_string()).collect::<Vec<_>>())
    };
    put(&mut w, defaults("one", "http"));
    put(&mut w, defaults("two", "http"));
    put(&mut w, router("one", "two"));
    assert_eq!(
        (vip(&w, "ONE").as_deref(), vip(&w, "two").as_deref()),
        (Some("240.0.0.1"), Some("240.0.0.2"))
    );
    assert_eq!(assign(&mut w, "missing", &[1]), None);
    assert_eq!(assign(&mut w, "one", &[1, 2, 2, 3]), Some(vec![]));
    assert_eq!(assign(&mut w, "two", &[2]), Some(vec!["one".to_owned()]));
    assert_eq!(assign(&mut w, "two", &[2]), Some(vec![]), "nothing is taken twice");

    let mut bytes = Vec::new();
    snapshot::Writer::new(w.store.clone()).for_each(|chunk| bytes.extend_from_slice(&chunk));
    assert_eq!(snapshot::restore(&mut bytes.as_slice()).unwrap(), w.store);

    // The last reason decides.
    remove(&mut w, EntryKind::ServiceRouter, "one", None);
    assert_eq!(vip(&w, "one").as_deref(), Some("240.0.0.1"));
    remove(&mut w, EntryKind::ServiceDefaults, "one", None);
    assert_eq!((vip(&w, "one"), assign(&mut w, "one", &[9])), (None, None));
    put(&mut w, defaults("three", "http"));
    assert_eq!(vip(&w, "three").as_deref(), Some("240.0.0.1"), "the lowest one that came back");
}
