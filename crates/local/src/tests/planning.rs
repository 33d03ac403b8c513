use super::{model::Catalog, *};
use crate::plan;
use std::sync::Arc;
use types::{
    command::Command,
    query::NodeState,
    record::{HealthCheck, NodeService, ServiceAddress},
};

fn row(id: &str) -> Arc<NodeService> {
    Arc::new(NodeService { id: id.into(), service: id.into(), ..Default::default() })
}

fn check_row(id: &str, service: &str) -> Arc<HealthCheck> {
    Arc::new(HealthCheck { check_id: id.into(), service_id: service.into(), ..Default::default() })
}

#[test]
fn a_service_and_its_checks_are_one_write() {
    let mut r = registry();
    let mut d = service("a", "a");
    d.checks = vec![ttl("c1"), ttl("c2")];
    put(&mut r, &d);
    let ops = r.plan();
    assert_eq!(ops.len(), 2, "node, then service with checks");
    let Command::Register(reg) = ops[1].command() else { panic!("{ops:?}") };
    assert!(reg.skip_node_update && reg.service.is_some());
    assert_eq!(reg.checks.len(), 2);
    for op in &ops {
        r.acknowledge(op);
    }
    assert!(r.plan().is_empty());
    r.update_check(&key("c1"), "passing", "", 0, 0.0);
    let ops = r.plan();
    assert_eq!(ops.len(), 1);
    let Command::Register(reg) = ops[0].command() else { panic!("{ops:?}") };
    assert!(reg.service.is_none() && reg.checks.len() == 1);
}

#[test]
fn only_what_belongs_to_the_servers_stays() {
    let r = registry();
    let mut imported = row("imported").as_ref().clone();
    imported.peer = types::PeerName::new("other");
    let remote = NodeState {
        node: None,
        services: vec![row("consul"), row("old"), Arc::new(imported)],
        checks: vec![check_row("serfHealth", ""), check_row("stray", ""), check_row("of-old", "old")],
    };
    let ops: Vec<_> = plan(&r, &remote)
        .iter()
        .filter_map(|op| match op.command() {
            Command::Deregister(d) => Some((d.service_id.to_string(), d.check_id.to_string())),
            _ => None,
        })
        .collect();
    assert_eq!(ops, [("old".into(), String::new()), (String::new(), "stray".into())]);
}

#[test]
fn tags_of_the_catalog_are_taken_when_allowed() {
    let mut r = registry();
    let mut d = service("a", "a");
    d.enable_tag_override = true;
    put(&mut r, &d);
    let mut catalog = Catalog::default();
    catalog.run(&mut r);
    let mut theirs = r.service(&key("a")).unwrap().row.as_ref().clone();
    theirs.tags = Some(vec!["edited".into()]);
    theirs.tagged_addresses = Some([("consul-virtual".into(), ServiceAddress::default())].into());
    catalog.put_service(theirs.clone());
    r.compare(&catalog.state());
    assert!(r.plan().is_empty());
    assert_eq!(r.service(&key("a")).unwrap().row.tags.as_deref(), Some(&["edited".into()][..]));
    d.enable_tag_override = false;
    put(&mut r, &d);
    r.compare(&catalog.state());
    assert_eq!(r.plan().len(), 1, "otherwise they are put back");
}

#[test]
fn a_late_answer_does_not_hide_a_change() {
    let mut r = registry();
    put(&mut r, &service("a", "a"));
    let ops = r.plan();
    put(&mut r, &ServiceDefinition { port: 7, ..service("a", "a") });
    for op in &ops {
        r.acknowledge(op);
    }
    assert_eq!(r.plan().len(), 1);
}
