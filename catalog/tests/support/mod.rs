//! A store with a log index of its own, and short ways to write and read.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod any;
pub mod asked;

use catalog::{ApplyCtx, ChangeSet, Store, run_query};
use types::{
    PeerName, Str, Tenancy,
    command::{Command, CommandResponse, Deregister, KvOp, Register},
    query::{Query, QueryResult, ServiceLookup},
    record::{HealthCheck, Namespace, NodeService, Partition, ServiceKind, ServiceProxy},
};

#[derive(Default)]
pub struct World {
    pub store: Store,
    pub index: u64,
    pub changes: ChangeSet,
}

impl World {
    pub fn apply(&mut self, command: Command) -> CommandResponse {
        self.index += 1;
        self.changes = ChangeSet::new();
        let ctx = ApplyCtx { index: self.index, proposed_at_ms: 0 };
        self.store.apply(&ctx, &command, &mut self.changes)
    }
    pub fn register(&mut self, r: Register) -> CommandResponse {
        self.apply(Command::Register(Box::new(r)))
    }
    pub fn ok(&mut self, r: Register) -> u64 {
        assert_eq!(self.register(r), CommandResponse::Ok);
        self.index
    }
    pub fn refused(&mut self, r: Register) -> String {
        let before = self.store.clone();
        let CommandResponse::Refused(text) = self.register(r) else { panic!("was not refused") };
        assert!(self.changes.is_empty());
        assert_eq!(self.store.catalog_part(), before.catalog_part());
        text.to_string()
    }
    pub fn deregister(&mut self, node: &str, service: &str, check: &str) -> u64 {
        let d = Deregister {
            node: node.into(),
            service_id: service.into(),
            check_id: check.into(),
            ..Default::default()
        };
        assert_eq!(self.apply(Command::Deregister(d)), CommandResponse::Ok);
        self.index
    }
    /// Makes a namespace, and its partition.
    pub fn owner(&mut self, tenancy: &Tenancy) {
        let (partition, name) = (tenancy.partition(), tenancy.namespace());
        let made = Partition { name: partition.into(), ..Default::default() };
        assert_eq!(self.apply(Command::PartitionSet(Box::new(made))), CommandResponse::Ok);
        let made = Namespace { partition: partition.into(), name: name.into(), ..Default::default() };
        assert_eq!(self.apply(Command::NamespaceSet(Box::new(made))), CommandResponse::Ok);
    }
    pub fn kv(&mut self, op: KvOp) -> CommandResponse {
        self.apply(Command::Kv { tenancy: Tenancy::default(), op })
    }
    pub fn read(&self, query: &Query) -> (QueryResult, u64) {
        run_query(&self.store, query, &[])
    }
    pub fn health(&self, service: &str) -> (Vec<types::record::CheckServiceNode>, u64) {
        match self.read(&health(service)) {
            (QueryResult::ServiceHealth(rows), index) => (rows, index),
            other => panic!("{other:?}"),
        }
    }
    pub fn connect(&self, service: &str) -> Vec<types::record::ServiceNode> {
        let q = Query::ServiceNodes {
            tenancy: Tenancy::default(),
            peer: PeerName::default(),
            service: service.into(),
            lookup: ServiceLookup::Connect,
            tags: vec!["ignored".into()],
        };
        match self.read(&q).0 {
            QueryResult::ServiceNodes(rows) => rows,
            other => panic!("{other:?}"),
        }
    }
    pub fn node(&self, name: &str) -> Option<(String, Vec<String>)> {
        let q =
            Query::NodeServices { tenancy: Tenancy::default(), peer: PeerName::default(), node: name.into() };
        match self.read(&q).0 {
            QueryResult::NodeServices(found) => {
                found.map(|(n, s)| (n.name.to_string(), s.iter().map(|s| s.id.to_string()).collect()))
            }
            other => panic!("{other:?}"),
        }
    }
    pub fn keys(&self, prefix: &str, separator: &str) -> (Vec<String>, u64) {
        let q =
            Query::KvKeys { tenancy: Tenancy::default(), prefix: prefix.into(), separator: separator.into() };
        match self.read(&q) {
            (QueryResult::KvKeys(keys), i) => (keys.iter().map(|k| k.to_string()).collect(), i),
            other => panic!("{other:?}"),
        }
    }
}

/// The state without its own index, which every command moves.
pub trait CatalogPart {
    fn catalog_part(&self) -> Vec<(Vec<u8>, usize)>;
}
impl CatalogPart for Store {
    fn catalog_part(&self) -> Vec<(Vec<u8>, usize)> {
        let mut copy = self.clone();
        copy.apply(&ApplyCtx { index: u64::MAX, proposed_at_ms: 0 }, &Command::Noop, &mut ChangeSet::new());
        catalog::snapshot::Writer::new(copy).map(|c| (c.clone(), c.len())).collect()
    }
}

pub fn health(service: &str) -> Query {
    Query::ServiceHealth {
        tenancy: Tenancy::default(),
        peer: PeerName::default(),
        service: service.into(),
        lookup: ServiceLookup::Plain,
        tags: vec![],
        passing_only: false,
    }
}
pub fn node(name: &str, id: u32) -> Register {
    let id = if id == 0 { Str::default() } else { Str::from(format!("b0000000-0000-4000-8000-{id:012x}")) };
    Register {
        node: name.into(),
        id,
        address: "10.0.0.1".into(),
        datacenter: "dc1".into(),
        ..Default::default()
    }
}
pub fn with(mut r: Register, service: NodeService) -> Register {
    r.service = Some(Box::new(service));
    r
}
pub fn checked(mut r: Register, check: HealthCheck) -> Register {
    r.checks.push(check);
    r
}
pub fn service(name: &str) -> NodeService {
    NodeService { service: name.into(), port: 80, ..Default::default() }
}
pub fn proxy(name: &str, target: &str) -> NodeService {
    NodeService {
        kind: ServiceKind::ConnectProxy,
        proxy: Some(Box::new(ServiceProxy { destination_service_name: target.into(), ..Default::default() })),
        ..service(name)
    }
}
pub fn check(id: &str, service: &str, status: &str) -> HealthCheck {
    HealthCheck {
        check_id: id.into(),
        name: id.into(),
        service_id: service.into(),
        status: status.into(),
        ..Default::default()
    }
}
