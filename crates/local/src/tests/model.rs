//! A catalog of one node that does what its commands say, and the properties of plans against it.

use super::*;
use crate::plan;
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};
use types::{
    command::Command,
    query::NodeState,
    record::{HealthCheck, Node, NodeService},
};

#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Catalog {
    node: Option<Arc<Node>>,
    services: BTreeMap<String, Arc<NodeService>>,
    checks: BTreeMap<String, Arc<HealthCheck>>,
}

impl Catalog {
    pub(crate) fn state(&self) -> NodeState {
        NodeState {
            node: self.node.clone(),
            services: self.services.values().cloned().collect(),
            checks: self.checks.values().cloned().collect(),
        }
    }

    pub(crate) fn put_service(&mut self, s: NodeService) {
        self.services.insert(s.id.to_string(), Arc::new(s));
    }

    pub(crate) fn apply(&mut self, command: &Command) {
        match command {
            Command::Register(r) => {
                if self.node.is_none() || !r.skip_node_update {
                    self.node = Some(Arc::new(Node {
                        id: r.id.clone(),
                        name: r.node.clone(),
                        address: r.address.clone(),
                        tagged_addresses: r.tagged_addresses.clone(),
                        meta: r.node_meta.clone(),
                        ..Default::default()
                    }));
                }
                if let Some(s) = &r.service {
                    self.put_service(s.as_ref().clone());
                }
                for c in &r.checks {
                    assert!(
                        c.service_id.is_empty() || self.services.contains_key(c.service_id.as_str()),
                        "a check before its service"
                    );
                    self.checks.insert(c.check_id.to_string(), Arc::new(c.clone()));
                }
            }
            Command::Deregister(d) if !d.service_id.is_empty() => {
                self.services.remove(d.service_id.as_str());
                self.checks.retain(|_, c| c.service_id != d.service_id);
            }
            Command::Deregister(d) => {
                assert!(!d.check_id.is_empty(), "would remove the node");
                self.checks.remove(d.check_id.as_str());
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn run(&mut self, r: &mut Registry) {
        r.compare(&self.state());
        for op in r.plan() {
            self.apply(op.command());
            r.acknowledge(&op);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Service(u8, u8, u8),
    DropService(u8),
    Check(u8, Option<u8>),
    DropCheck(u8),
    Result(u8, bool, u8),
    Sync,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0u8..4;
    prop_oneof![
        (id.clone(), 0u8..3, 0u8..3).prop_map(|(a, b, c)| Step::Service(a, b, c)),
        id.clone().prop_map(Step::DropService),
        (id.clone(), proptest::option::of(0u8..4)).prop_map(|(a, b)| Step::Check(a, b)),
        id.clone().prop_map(Step::DropCheck),
        (id, any::<bool>(), 0u8..3).prop_map(|(a, b, c)| Step::Result(a, b, c)),
        Just(Step::Sync),
    ]
}

fn perform(r: &mut Registry, catalog: &mut Catalog, s: &Step) {
    let token = SecretToken::default();
    // Refusals are part of the walk.
    match s {
        Step::Service(id, port, checks) => {
            let mut d = service(&format!("s{id}"), "s");
            d.port = i64::from(*port);
            d.checks = (0..*checks).map(|c| ttl(&format!("c{c}"))).collect();
            let _ = r.register_service(&d, Source::Api, *port == 2, &token, 0);
        }
        Step::DropService(id) => drop(r.deregister_service(&key(&format!("s{id}")))),
        Step::Check(id, of) => {
            let mut c = ttl(&format!("c{id}"));
            c.service_id = of.map(|s| format!("s{s}").into()).unwrap_or_default();
            let _ = r.register_check(&c, Source::Api, &token, 0);
        }
        Step::DropCheck(id) => drop(r.deregister_check(&key(&format!("c{id}")))),
        Step::Result(id, ok, out) => {
            let status = if *ok { "passing" } else { "critical" };
            r.update_check(&key(&format!("c{id}")), status, &out.to_string(), 0, 0.0);
        }
        Step::Sync => {
            for op in r.plan() {
                catalog.apply(op.command());
                r.acknowledge(&op);
            }
        }
    }
}

proptest! {
    #[test]
    fn plans_converge_and_are_idempotent(
        steps in proptest::collection::vec(step(), 0..30),
        strays in proptest::collection::vec(0u8..8, 0..4),
    ) {
        let mut r = registry();
        let mut catalog = Catalog::default();
        for s in &steps {
            perform(&mut r, &mut catalog, s);
        }
        for n in strays {
            let id = format!("s{n}");
            catalog.put_service(NodeService { id: id.as_str().into(), service: "stray".into(), ..Default::default() });
        }
        let ops = plan(&r, &catalog.state());
        let mut once = catalog.clone();
        ops.iter().for_each(|op| once.apply(op.command()));
        prop_assert_eq!(plan(&r, &once.state()), vec![], "converges at once");
        let mut twice = once.clone();
        ops.iter().for_each(|op| twice.apply(op.command()));
        prop_assert_eq!(&twice, &once, "doing it again changes nothing");
        prop_assert_eq!(r.services().count(), once.services.len());
        prop_assert_eq!(r.checks().count(), once.checks.len());
    }

    #[test]
    fn syncing_only_what_changed_ends_in_the_same_place(steps in proptest::collection::vec(step(), 0..30)) {
        let mut r = registry();
        let mut catalog = Catalog::default();
        for s in &steps {
            perform(&mut r, &mut catalog, s);
        }
        perform(&mut r, &mut catalog, &Step::Sync);
        prop_assert_eq!(plan(&r, &catalog.state()), vec![]);
    }
}
