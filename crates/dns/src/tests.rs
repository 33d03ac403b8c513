use crate::{
    Chased, Compressor, Context, DnsConfig, Lookup, Name, Outcome, OwnedData, OwnedRecord, Parsed, Plan,
    Source, Transport, View, Zone, answer, parse, plan,
};
use hickory_proto::op::Message;
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};
use types::{
    DatacenterName, RequestError, Tenancy,
    query::{Query, QueryResult},
    record::{CheckServiceNode, HealthCheck, Node, NodeService, Weights},
};

fn zone() -> Zone {
    Zone::new("consul.", "alt.test", DatacenterName::new("dc1"), false).unwrap()
}

fn config() -> DnsConfig {
    DnsConfig {
        node_ttl: Duration::from_secs(3),
        service_ttl: crate::ServiceTtl::new([
            ("ttl1", Duration::from_secs(7)),
            ("pre*", Duration::from_secs(9)),
        ]),
        soa: crate::SoaConfig { min_ttl: 5, ..Default::default() },
        ..DnsConfig::default()
    }
}

fn question(name: &str, qtype: u16, edns: Option<u16>) -> Vec<u8> {
    let mut p = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns.is_some())];
    p.extend_from_slice(Name::from_text(name).unwrap().wire());
    p.extend_from_slice(&qtype.to_be_bytes());
    p.extend_from_slice(&[0, 1]);
    if let Some(size) = edns {
        p.extend_from_slice(&[0, 0, 41]);
        p.extend_from_slice(&size.to_be_bytes());
        p.extend_from_slice(&[0; 6]);
    }
    p
}

fn planned(name: &str, qtype: u16) -> Plan {
    let p = question(name, qtype, None);
    let Parsed::Question(r) = parse(&p, Transport::Udp) else { panic!("a question") };
    plan(&r, &zone(), &config())
}

fn node(n: &str, address: &str) -> Arc<Node> {
    let meta = (n == "n1").then(|| [("env".into(), "prod".into()), ("k=x".into(), "a`b".into())].into());
    Arc::new(Node {
        name: n.into(),
        address: address.into(),
        datacenter: "dc1".into(),
        meta,
        ..Node::default()
    })
}

fn row(n: &str, address: &str, own: &str, port: i64, status: &str) -> CheckServiceNode {
    CheckServiceNode {
        node: node(n, address),
        service: Arc::new(NodeService {
            id: "web".into(),
            service: "web".into(),
            address: own.into(),
            port,
            weights: Weights { passing: 5, warning: 2 },
            ..NodeService::default()
        }),
        checks: vec![Arc::new(HealthCheck { status: status.into(), ..HealthCheck::default() })],
    }
}

fn ask(name: &str, qtype: u16, edns: Option<u16>, tcp: bool, result: QueryResult) -> (Message, usize) {
    ask_with(name, qtype, edns, tcp, Ok(result), &config(), None)
}

fn ask_with(
    name: &str,
    qtype: u16,
    edns: Option<u16>,
    tcp: bool,
    result: Result<QueryResult, RequestError>,
    config: &DnsConfig,
    chased: Option<&Chased>,
) -> (Message, usize) {
    let p = question(name, qtype, edns);
    let Parsed::Question(r) = parse(&p, if tcp { Transport::Tcp } else { Transport::Udp }) else {
        panic!("a question")
    };
    let zone = zone();
    let made = plan(&r, &zone, config);
    let view = match &made {
        Plan::Lookup(l) => Some(View::new(l, result, &zone, config)),
        _ => None,
    };
    let source = view.as_ref().map_or(Source::Plan(&made), Source::View);
    let none = Chased::new();
    let ctx = Context { zone: &zone, config, now: 77, seed: 1, chased: Some(chased.unwrap_or(&none)) };
    let mut out = Vec::new();
    assert_eq!(answer(&r, source, &ctx, &mut Compressor::default(), &mut out), Outcome::Written);
    (Message::from_vec(&out).unwrap(), out.len())
}

fn text(list: &[hickory_proto::rr::Record]) -> Vec<String> {
    let mut v: Vec<_> =
        list.iter().map(|r| r.to_string().split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    v.sort();
    v
}

const A: u16 = 1;
const SRV: u16 = 33;

#[test]
fn grammar() {
    let service = |p: &Plan| match p {
        Plan::Lookup(l) => match &l.query {
            Query::ServiceHealth { service, tags, tenancy, .. } => {
                Some((service.to_string(), tags.join(","), tenancy.clone(), l.options.datacenter.clone()))
            }
            _ => None,
        },
        _ => None,
    };
    let found = |s: &str, t: &str, dc: Option<&str>| {
        Some((s.to_owned(), t.to_owned(), Tenancy::default(), dc.map(DatacenterName::new)))
    };
    assert_eq!(service(&planned("WEB.service.consul", A)), found("web", "", None));
    assert_eq!(service(&planned("a.b.web.service.dc2.consul", A)), found("web", "a.b", Some("dc2")));
    assert_eq!(service(&planned("web.service.dc1.dc.alt.test", A)), found("web", "", None));
    assert_eq!(service(&planned("_web._TCP.service.consul", A)), found("web", "", None));
    assert_eq!(service(&planned("_web._udp.dc2.consul", SRV)), found("web", "udp", Some("dc2")));
    assert_eq!(planned("_web._tcp.consul", A), Plan::NxDomain);
    let tenant = service(&planned("web.service.ns1.ns.ap1.ap.dc1.dc.consul", A)).unwrap();
    assert_eq!(tenant.2, Tenancy::new("ap1", "ns1"));
    for name in [
        "consul",
        "web.consul",
        "service.consul",
        "node.consul",
        "web.service.a.b.c.consul",
        "web.service.x.dc.y.peer.consul",
        "web.service.g.sg.consul",
        "0a0000.addr.consul",
        "x.0a000001.addr.consul",
        "x.in-addr.arpa",
    ] {
        assert_eq!(planned(name, A), Plan::NxDomain, "{name}");
    }
    for name in ["example.com", "notconsul", "consul.example.com"] {
        assert_eq!(planned(name, A), Plan::Refused, "{name}");
    }
    assert_eq!(planned("0A000001.addr.whatever.consul", A), Plan::Address([10, 0, 0, 1].into()));
    assert_eq!(planned("ghost.node.consul", 15), Plan::Empty);
    assert_eq!(planned("a.consul", 252), Plan::NotImplemented);
    let Plan::Lookup(l) = planned("1.0.0.10.IN-ADDR.ARPA", 12) else { panic!("a lookup") };
    assert_eq!(l.query, Query::ByAddress { address: [10, 0, 0, 1].into() });
}

#[test]
fn srv_answers_carry_address_and_metadata() {
    let rows = vec![
        row("n1", "10.0.0.1", "", 80, "passing"),
        row("n2", "10.0.0.2", "10.1.0.2", 8080, "warning"),
        row("n6", "2001:db8::6", "", 8081, "critical"),
    ];
    let (m, _) = ask("web.service.CoNsUl", SRV, None, false, QueryResult::ServiceHealth(rows));
    assert_eq!(
        text(&m.answers),
        [
            "web.service.CoNsUl. 0 IN SRV 1 2 8080 0a010002.addr.dc1.CoNsUl.",
            "web.service.CoNsUl. 0 IN SRV 1 5 80 n1.node.dc1.CoNsUl.",
        ]
    );
    assert_eq!(
        text(&m.additionals),
        [
            "0a010002.addr.dc1.CoNsUl. 0 IN A 10.1.0.2",
            "n1.node.dc1.CoNsUl. 0 IN A 10.0.0.1",
            "n1.node.dc1.CoNsUl. 0 IN TXT env=prod",
            "n1.node.dc1.CoNsUl. 0 IN TXT k`=x=a``b",
        ]
    );
}

fn many(n: usize) -> QueryResult {
    let ip = |i: usize| format!("10.9.{}.{}", i / 250, 1 + i % 250);
    QueryResult::ServiceHealth((0..n).map(|i| row(&format!("m{i}"), &ip(i), "", 7000, "passing")).collect())
}

#[test]
fn size_rules() {
    let (m, _) = ask("many.service.consul", A, None, false, many(12));
    assert_eq!((m.answers.len(), m.edns.is_some()), (3, false));
    let (m, _) = ask("many.service.consul", SRV, Some(512), false, many(12));
    assert_eq!((m.answers.len(), m.additionals.len(), m.edns.is_some()), (3, 3, false));
    let (m, _) = ask("many.service.consul", SRV, Some(1232), false, many(12));
    assert_eq!((m.answers.len(), m.additionals.len(), m.edns.is_some()), (12, 12, true));
    let (m, len) = ask("lots.service.consul", A, Some(600), false, many(40));
    assert_eq!((m.answers.len(), m.edns.is_some()), (34, false));
    assert!(len <= 600);
    let (m, _) = ask("many.service.consul", A, None, true, many(1000));
    assert_eq!(m.answers.len(), 1000);
    let (m, len) = ask("many.service.consul", SRV, None, true, many(3000));
    assert!(m.answers.len() <= 1024 && m.answers.len() == m.additionals.len() && len <= 65_523);
    let cut = DnsConfig { enable_truncate: true, udp_answer_limit: 0, ..config() };
    let (m, _) = ask_with("many.service.consul", A, None, false, Ok(many(5)), &cut, None);
    assert_eq!((m.answers.len(), m.metadata.truncation), (0, true));
}

#[test]
fn negative_answers() {
    let (m, _) = ask("ghost.service.alt.test", A, None, false, QueryResult::ServiceHealth(Vec::new()));
    assert_eq!(u16::from(m.metadata.response_code), 3);
    assert_eq!(
        text(&m.authorities),
        ["alt.test. 5 IN SOA ns.alt.test. hostmaster.alt.test. 77 3600 600 86400 5"]
    );
    let (m, _) = ask("web.service.consul", 15, None, false, many(1));
    assert_eq!((u16::from(m.metadata.response_code), m.authorities.len()), (0, 1));
    let (m, _) = ask(
        "n2.node.consul",
        28,
        None,
        false,
        QueryResult::NodeServices(Some((node("n2", "10.0.0.2"), vec![]))),
    );
    assert_eq!((u16::from(m.metadata.response_code), m.answers.len(), m.authorities.len()), (0, 0, 0));
    let (m, _) = ask_with(
        "web.service.dc2.consul",
        A,
        None,
        false,
        Err(RequestError::NoPathToDatacenter),
        &config(),
        None,
    );
    assert_eq!(u16::from(m.metadata.response_code), 3);
    let (m, _) = ask_with("web.service.consul", A, None, false, Err(RequestError::NoLeader), &config(), None);
    assert_eq!(u16::from(m.metadata.response_code), 2);
}

#[test]
fn aliases_are_followed() {
    let rows = QueryResult::ServiceHealth(vec![row("n1", "10.0.0.1", "db.example.com", 443, "passing")]);
    let host = Name::from_text("db.example.com").unwrap();
    let found = OwnedRecord { owner: host.clone(), ttl: 99, data: OwnedData::Address([192, 0, 2, 1].into()) };
    let chased = Chased::from([(host, vec![found])]);
    let (m, _) = ask_with("ttl1.service.consul", A, None, false, Ok(rows), &config(), Some(&chased));
    assert_eq!(
        text(&m.answers),
        ["db.example.com. 7 IN A 192.0.2.1", "ttl1.service.consul. 7 IN CNAME db.example.com."]
    );
}

#[test]
fn zone_questions_name_the_servers() {
    let rows = QueryResult::ServiceHealth(vec![row("Gold-1", "127.0.0.1", "", 8300, "passing")]);
    let (m, _) = ask("CONSUL", 6, None, false, rows);
    assert_eq!(text(&m.answers), ["consul. 5 IN SOA ns.consul. hostmaster.consul. 77 3600 600 86400 5"]);
    assert_eq!(text(&m.authorities), ["CONSUL. 3 IN NS gold-1.node.dc1.consul."]);
    assert_eq!(text(&m.additionals), ["gold-1.node.dc1.consul. 3 IN A 127.0.0.1"]);
}

proptest! {
    #[test]
    fn no_packet_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), flip in any::<(u8, u8)>()) {
        let mut damaged = question("a.web.service.dc1.consul", SRV, Some(1232));
        let at = usize::from(flip.0) % damaged.len();
        damaged[at] = flip.1;
        for p in [&bytes[..], &damaged] {
            if let Parsed::Question(r) = parse(p, Transport::Udp) {
                let (zone, config) = (zone(), config());
                let made = plan(&r, &zone, &config);
                let view = match &made {
                    Plan::Lookup(l) => Some(View::new(l as &Lookup, Ok(many(20)), &zone, &config)),
                    _ => None,
                };
                let ctx = Context { zone: &zone, config: &config, now: 0, seed: 3, chased: None };
                let mut out = Vec::new();
                answer(&r, view.as_ref().map_or(Source::Plan(&made), Source::View), &ctx, &mut Compressor::default(), &mut out);
                prop_assert!(out.is_empty() || Message::from_vec(&out).is_ok());
            }
        }
    }
}
