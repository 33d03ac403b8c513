use crate::*;
use std::sync::Arc;
use types::{
    Str,
    member::{Member, MemberStatus},
    query::QueryResult,
    record::*,
};

fn map(pairs: &[(&str, &str)]) -> Option<Map> {
    Some(pairs.iter().map(|(k, v)| (Str::new(k), Str::new(v))).collect())
}

fn nodes() -> Vec<Node> {
    let node = |name: &str, id: &str, address: &str| Node {
        name: name.into(),
        id: id.into(),
        address: address.into(),
        datacenter: "dc1".into(),
        ..Default::default()
    };
    vec![
        Node {
            tagged_addresses: map(&[("lan", "127.0.0.1"), ("wan", "127.0.0.1")]),
            meta: map(&[("rack", "r1"), ("consul-network-segment", "")]),
            ..node("gold-1", "a0000000-0000-4000-8000-000000000001", "127.0.0.1")
        },
        Node {
            tagged_addresses: map(&[("lan", "10.0.0.1"), ("wan", "198.51.100.1")]),
            meta: map(&[("zone", "a"), ("os", "linux")]),
            ..node("n1", "b0000000-0000-4000-8000-000000000001", "10.0.0.1")
        },
        node("n2", "b0000000-0000-4000-8000-000000000002", "10.0.0.2"),
        node("n3", "", "10.0.0.3"),
    ]
}

/// The rows of a recorded `db` service: two instances, one of them warned and passing, one critical.
fn instances() -> Vec<CheckServiceNode> {
    let nodes = nodes();
    let check = |id: &str, status: &str, service: &str, tags: &[&str]| {
        Arc::new(HealthCheck {
            check_id: id.into(),
            name: format!("{id} check").into(),
            node: "n".into(),
            status: status.into(),
            service_id: service.into(),
            service_tags: tags.iter().map(Str::new).collect(),
            ..Default::default()
        })
    };
    let service = |id: &str, port, tags: &[&str]| NodeService {
        id: id.into(),
        service: "db".into(),
        port,
        tags: Some(tags.iter().map(Str::new).collect()),
        ..Default::default()
    };
    let gold = NodeService {
        address: "10.0.1.2".into(),
        meta: map(&[("tier", "gold")]),
        tagged_addresses: Some(
            [("wan".into(), ServiceAddress { address: "198.51.100.2".into(), port: 15432 })].into(),
        ),
        weights: Weights { passing: 3, warning: 1 },
        ..service("db-1", 5432, &["master", "v9"])
    };
    vec![
        CheckServiceNode {
            node: Arc::new(nodes[1].clone()),
            service: Arc::new(service("db-2", 5433, &["replica"])),
            checks: vec![check("db2", "critical", "db-2", &["replica"])],
        },
        CheckServiceNode {
            node: Arc::new(nodes[2].clone()),
            service: Arc::new(gold),
            checks: vec![
                check("node-c", "warning", "", &[]),
                check("db-c", "passing", "db-1", &["master", "v9"]),
            ],
        },
    ]
}

/// How many rows are kept; `None` for a refused expression.
fn kept<T: Selectable>(rows: &[T], expression: &str) -> Option<usize> {
    let filter = Filter::<T>::compile(expression).ok()?;
    Some(rows.iter().filter(|r| filter.matches(r)).count())
}

#[test]
fn recorded_answers_for_nodes() {
    let table: &[(&str, Option<usize>)] = &[
        ("Node == n1", Some(1)),
        ("Node != n1", Some(3)),
        ("Node==\"n1\"", Some(1)),
        ("Meta.zone == a", Some(1)),
        ("Meta[\"zone\"] == \"a\"", Some(1)),
        ("Meta.nope == x", Some(0)),
        ("Meta.nope != x", Some(4)),
        ("Meta is empty", Some(2)),
        ("\"zone\" in Meta", Some(1)),
        ("zone in Meta", Some(1)),
        ("Meta contains zone", Some(1)),
        ("TaggedAddresses.wan == \"198.51.100.1\"", Some(1)),
        ("Address matches \"^10[.]0\"", Some(3)),
        ("Address not matches \"^10[.]0\"", Some(1)),
        ("Node matches `n[12]`", Some(2)),
        ("\"n\" in Node", Some(3)),
        ("Node contains n", Some(3)),
        ("not Node == n1", Some(3)),
        ("Node == n1 or Node == n2 and Meta.zone == a", Some(1)),
        ("(Node == n1 or Node == n2) and Meta.zone == a", Some(1)),
        ("ID == \"b0000000-0000-4000-8000-000000000001\"", Some(1)),
        ("Datacenter == dc1 and (not (Node == n1))", Some(3)),
        ("Node matches `^n[12]$`", Some(2)),
        ("Nope == 1", None),
        ("Node ==", None),
        ("Node == \"n1\" extra", None),
        ("== n1", None),
        ("Node in n1", None),
        ("Node == n1 AND Meta.zone == a", None),
        ("Node = n1", None),
        ("Node == 10.0.0.1", None),
        ("Node matches \"(\"", None),
        (" ", None),
        ("", None),
        ("Meta.zone in \"abc\"", None),
        ("CreateIndex == 1", None),
        ("Locality.Region == x", None),
        // Beyond the recordings.
        ("Meta.nope matches x", Some(4)),
        ("Meta.nope not matches x", Some(4)),
        ("x in Meta.nope", Some(0)),
        ("x not in Meta.nope", Some(4)),
        ("Meta is not empty", Some(2)),
        ("not not Node == n1", Some(1)),
        ("not in Node", Some(0)),
        ("is in Node", Some(0)),
        ("Node == -1", Some(0)),
        ("Node == 1.5", Some(0)),
        ("Node == 01", None),
        ("Node == web-1", None),
        ("Node.x == 1", None),
        ("Meta == x", None),
        ("Meta.zone.more == x", None),
        ("node == n1", None),
        ("\t( Node==n1 )\r\n", Some(1)),
        ("Node == n1 or", None),
        ("Node == n1orNode == n2", None),
        ("(Node == n1)or(Node == n2)", None),
        ("Node==n1 or Node!=n1", Some(4)),
        ("((Node == n1)", None),
        ("Node == \"\\x6e\\u0031\"", Some(1)),
        ("Node == \"\\n\\061\"", Some(0)),
        ("Node == \"\\q\"", None),
        ("Node == \"n1", None),
        ("Node == `\\n`", Some(0)),
        ("Node is empty", None),
        ("PeerName == \"\"", Some(4)),
    ];
    for (expression, expected) in table {
        assert_eq!(kept(&nodes(), expression), *expected, "{expression}");
    }
}

#[test]
fn recorded_answers_for_service_rows() {
    let rows: Vec<ServiceNode> =
        instances().into_iter().map(|i| ServiceNode { node: i.node, service: i.service }).collect();
    let table: &[(&str, Option<usize>)] = &[
        ("ServiceTags contains master", Some(1)),
        ("master in ServiceTags", Some(1)),
        ("master not in ServiceTags", Some(1)),
        ("ServiceTags is empty", Some(0)),
        ("ServicePort == 5432", Some(1)),
        ("ServicePort == \"0x1538\"", Some(1)),
        ("ServicePort == abc", None),
        ("ServicePort is empty", None),
        ("ServiceMeta.tier != gold", Some(1)),
        ("NodeMeta.zone == a", Some(1)),
        ("ServiceTaggedAddresses.wan.Port == 15432", Some(1)),
        ("ServiceTaggedAddresses.wan.Port != 15432", Some(1)),
        ("ServiceTaggedAddresses.wan == x", None),
        ("wan in ServiceTaggedAddresses", Some(1)),
        ("ServiceWeights.Passing == 3", Some(1)),
        ("ServiceWeights == 3", None),
        ("ServiceEnableTagOverride == false", Some(2)),
        ("ServiceEnableTagOverride == maybe", None),
        ("ServiceKind == \"\"", Some(2)),
        ("ServiceID == \"db-1\"", Some(1)),
        ("ServiceTags == master", None),
        ("ServiceTags matches master", None),
        ("ServiceProxy.DestinationServiceName == \"\"", Some(2)),
        ("ServiceProxy.TransparentProxy.DialedDirectly == true", Some(0)),
        ("ServiceProxy.Config.x == 1", None),
        ("ServiceConnect.Native == true", Some(0)),
        ("ServiceAddress == \"10.0.1.2\"", Some(1)),
    ];
    for (expression, expected) in table {
        assert_eq!(kept(&rows, expression), *expected, "{expression}");
    }
}

#[test]
fn recorded_answers_for_instances_and_checks() {
    let table: &[(&str, Option<usize>)] = &[
        ("Service.Port == 5432", Some(1)),
        ("Node.Node == n1", Some(1)),
        ("Checks.Status == critical", Some(1)),
        ("Checks.Status != critical", Some(1)),
        ("Checks is empty", Some(0)),
        ("Checks is not empty", Some(2)),
        ("Checks == x", None),
        ("Checks.ServiceTags contains v9", Some(1)),
        ("v9 not in Checks.ServiceTags", Some(2)),
        ("Service.Tags contains master", Some(1)),
        ("Service.Meta.tier == gold", Some(1)),
        ("Service.Nope == 1", None),
        ("Service == db", None),
        ("Node.Meta.zone == a and Service.Port == 5433", Some(1)),
        ("Service.Weights.Passing == 1", Some(1)),
    ];
    for (expression, expected) in table {
        assert_eq!(kept(&instances(), expression), *expected, "{expression}");
    }
    let checks: Vec<HealthCheck> =
        instances().iter().flat_map(|i| i.checks.iter().map(|c| (**c).clone())).collect();
    let table: &[(&str, Option<usize>)] = &[
        ("Status == passing", Some(1)),
        ("Name contains db", Some(2)),
        ("ServiceTags contains master", Some(1)),
        ("ServiceTags is empty", Some(1)),
        ("Type is empty", None),
        ("CheckID==\"db-c\"", Some(1)),
        ("CheckID==_node_maintenance", None),
        ("\"n-http\" == CheckID", None),
        ("Definition.HTTP == x", None),
    ];
    for (expression, expected) in table {
        assert_eq!(kept(&checks, expression), *expected, "{expression}");
    }
}

#[test]
fn proxies_and_members() {
    let proxy = NodeService {
        kind: ServiceKind::ConnectProxy,
        proxy: Some(Box::new(ServiceProxy {
            destination_service_name: "db".into(),
            upstreams: vec![
                Upstream { destination_name: "cache".into(), local_bind_port: 1, ..Default::default() },
                Upstream { destination_name: "other".into(), ..Default::default() },
            ],
            ..Default::default()
        })),
        ..Default::default()
    };
    let rows = [proxy, NodeService::default()];
    assert_eq!(kept(&rows, "Proxy.Upstreams.DestinationName == cache"), Some(1));
    assert_eq!(kept(&rows, "Proxy.Upstreams.DestinationName != cache"), Some(1));
    assert_eq!(kept(&rows, "Proxy.Upstreams.MeshGateway.Mode == \"\""), Some(1));
    assert_eq!(kept(&rows, "Proxy.Upstreams is empty"), Some(1));
    assert_eq!(kept(&rows, "Kind == `connect-proxy`"), Some(1));
    assert_eq!(kept(&rows, "Tags is empty and Meta is empty"), Some(2));

    let member = Member {
        name: "gold-1".into(),
        addr: "127.0.0.1:8301".parse().unwrap(),
        tags: map(&[("role", "consul")]).unwrap(),
        status: MemberStatus::Alive,
    };
    let rows = [member];
    assert_eq!(kept(&rows, "Name == \"gold-1\" and Tags.role == consul and Status == 1"), Some(1));
    assert_eq!(kept(&rows, "Addr == `127.0.0.1` and Port == 8301"), Some(1));
    assert_eq!(kept(&rows, "Name==other"), Some(0));
    assert_eq!(kept(&rows, "Nope==x"), None);
}

#[test]
fn bounds_are_errors() {
    let deep = format!("{}Node == x{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(Filter::<Node>::compile(&deep).unwrap_err(), FilterError::TooLong);
    let deep = format!("{}Node == x{}", "(".repeat(100), ")".repeat(100));
    assert_eq!(Filter::<Node>::compile(&deep).unwrap_err(), FilterError::TooDeep);
    let nots = format!("{}Node == x", "not ".repeat(100));
    assert_eq!(Filter::<Node>::compile(&nots).unwrap_err(), FilterError::TooDeep);
    let long = format!("Node == x{}", " or Node == x".repeat(1000));
    assert!(Filter::<Node>::compile(&long).is_ok());
    let bomb = "Node matches `(((a{100}){100}){100})`";
    assert!(matches!(Filter::<Node>::compile(bomb).unwrap_err(), FilterError::Regex(_)));
}

#[test]
fn errors_say_what_is_wrong() {
    let text = |e: &str| Filter::<Node>::compile(e).unwrap_err().to_string();
    assert_eq!(text("Nope.x == 1"), "Selector \"Nope.x\" is not valid");
    assert_eq!(text("Meta == 1"), "Invalid match operator \"==\" for selector \"Meta\"");
    assert_eq!(text("Node == a b"), "1:11: expected \"and\", \"or\" or the end of the expression");
}

#[test]
fn rows_of_answers_are_dropped() {
    let mut r = QueryResult::Nodes(nodes().into_iter().map(Arc::new).collect());
    apply_to(&mut r, "Node == n1").unwrap();
    assert!(matches!(&r, QueryResult::Nodes(rows) if rows.len() == 1));
    assert!(apply_to(&mut r, "Nope == n1").is_err());
    assert!(apply_to(&mut QueryResult::Services(Default::default()), "ServiceName == a").is_ok());
    assert!(apply_to(&mut QueryResult::Services(Default::default()), "Service == a").is_err());
    assert!(apply_to(&mut QueryResult::KvKeys(vec![]), "Nope").is_ok());
    let node = Arc::new(nodes().remove(0));
    let mut r = QueryResult::NodeServices(Some((node, vec![Arc::default()])));
    apply_to(&mut r, "Service == web").unwrap();
    assert!(matches!(&r, QueryResult::NodeServices(Some((_, s))) if s.is_empty()));
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "[a-zNode ().!=\"`\\\\\\[\\]0-9-]{0,60}") {
        let _ = Filter::<Node>::compile(&text);
    }
    #[test]
    fn quoted_values_come_through(value in "[^\"\\\\\n]{0,20}") {
        let node = Node { name: value.as_str().into(), ..Default::default() };
        let filter = Filter::<Node>::compile(&format!("Node == \"{value}\"")).unwrap();
        proptest::prop_assert!(filter.matches(&node));
    }
}
