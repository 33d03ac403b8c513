mod handle;
mod probes;
mod servers;
mod syncing;

use crate::{FileDefinitions, LocalConfig, LocalState, NodeIdentity, Ports, ScriptPermission};
use parking_lot::Mutex;
use runtime::{BoxFuture, RngSeed, Shutdown, Tasks, TestClock};
use std::{collections::BTreeMap, sync::Arc};
use types::{
    RequestError, SecretToken,
    command::{Command, CommandResponse},
    query::{NodeState, Query, QueryMeta, QueryOptions, QueryResponse, QueryResult},
    record::{HealthCheck, Node, NodeService},
};

/// A catalog of one node behind both ports, which can be made to fail.
#[derive(Default)]
pub(crate) struct Catalog {
    pub(crate) node: Option<Arc<Node>>,
    pub(crate) services: BTreeMap<String, Arc<NodeService>>,
    pub(crate) checks: BTreeMap<String, Arc<HealthCheck>>,
    pub(crate) down: bool,
    pub(crate) forbidden_token: Option<SecretToken>,
    pub(crate) writes: Vec<Command>,
    index: u64,
}

#[derive(Clone, Default)]
pub(crate) struct Servers(pub(crate) Arc<Mutex<Catalog>>);

impl Catalog {
    fn apply(&mut self, command: &Command) -> CommandResponse {
        match command {
            Command::Batch(all) => {
                return CommandResponse::Batch(all.iter().map(|c| self.apply(c)).collect());
            }
            Command::Register(r) => {
                if self.node.is_none() || !r.skip_node_update {
                    self.node = Some(Arc::new(Node {
                        id: r.id.clone(),
                        name: r.node.clone(),
                        address: r.address.clone(),
                        tagged_addresses: r.tagged_addresses.clone(),
                        meta: r.node_meta.clone(),
                        ..Node::default()
                    }));
                }
                if let Some(s) = &r.service {
                    self.services.insert(s.id.to_string(), Arc::new(s.as_ref().clone()));
                }
                for c in &r.checks {
                    self.checks.insert(c.check_id.to_string(), Arc::new(c.clone()));
                }
            }
            Command::Deregister(d) if !d.service_id.is_empty() => {
                self.services.remove(d.service_id.as_str());
                self.checks.retain(|_, c| c.service_id != d.service_id);
            }
            Command::Deregister(d) => drop(self.checks.remove(d.check_id.as_str())),
            other => panic!("{other:?}"),
        }
        self.index += 1;
        CommandResponse::Ok
    }
}

impl rpc::Submit for Servers {
    fn submit(
        &self,
        _datacenter: Option<&str>,
        token: &SecretToken,
        command: Command,
    ) -> BoxFuture<'_, Result<(u64, CommandResponse), RequestError>> {
        let mut c = self.0.lock();
        let answer = if c.down {
            Err(RequestError::NoServers)
        } else if c.forbidden_token.as_ref() == Some(token) {
            Err(RequestError::PermissionDenied("Permission denied".into()))
        } else {
            c.writes.push(command.clone());
            let response = c.apply(&command);
            Ok((c.index, response))
        };
        Box::pin(std::future::ready(answer))
    }
}

impl rpc::Query for Servers {
    fn query(
        &self,
        _query: Query,
        options: QueryOptions,
    ) -> BoxFuture<'_, Result<QueryResponse, RequestError>> {
        let c = self.0.lock();
        if c.down {
            return Box::pin(std::future::ready(Err(RequestError::NoServers)));
        }
        if options.min_index > 0 && options.min_index >= c.index {
            return Box::pin(std::future::pending());
        }
        let result = QueryResult::NodeState(NodeState {
            node: c.node.clone(),
            services: c.services.values().cloned().collect(),
            checks: c.checks.values().cloned().collect(),
        });
        let meta = QueryMeta { index: c.index.max(1), ..QueryMeta::default() };
        Box::pin(std::future::ready(Ok(QueryResponse { meta, result })))
    }
    fn query_now(
        &self,
        _query: &Query,
        _options: &QueryOptions,
    ) -> Option<Result<QueryResponse, RequestError>> {
        None
    }
    fn version_now(&self, _query: &Query, _options: &QueryOptions) -> Option<u64> {
        None
    }
}

pub(crate) struct Agent {
    pub(crate) state: LocalState,
    pub(crate) servers: Servers,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) shutdown: Shutdown,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

pub(crate) fn config() -> LocalConfig {
    let node = NodeIdentity {
        id: "a0".into(),
        name: "n1".into(),
        datacenter: "dc1".into(),
        address: "10.0.0.1".into(),
        ..NodeIdentity::default()
    };
    LocalConfig { scripts: ScriptPermission::All, ..LocalConfig::new(node) }
}

pub(crate) async fn start_with(config: LocalConfig, files: FileDefinitions, servers: Servers) -> Agent {
    let shutdown = Shutdown::new();
    let clock = Arc::new(TestClock::at(1_000_000));
    let ports = Ports {
        submit: Arc::new(servers.clone()),
        query: Arc::new(servers.clone()),
        cluster_size: Arc::new(|| 1),
        clock: Arc::clone(&clock) as Arc<dyn runtime::WallClock>,
        seed: RngSeed::fixed(7),
        tasks: Tasks::new(shutdown.clone()),
    };
    let state = LocalState::start(config, files, ports).await.unwrap();
    Agent { state, servers, clock, shutdown }
}

pub(crate) async fn start() -> Agent {
    start_with(config(), FileDefinitions::default(), Servers::default()).await
}

impl Agent {
    /// Waits until `f` holds; the local state says when to look again.
    pub(crate) async fn until(&self, mut f: impl FnMut(&LocalState) -> bool) {
        let mut changed = self.state.changed();
        while !f(&self.state) {
            changed.changed().await.unwrap();
        }
    }
}
