//! What a query depends on and what a write touches.

use crate::scope::Scope;
use smallvec::{SmallVec, smallvec};
use types::{
    Str, Tenancy,
    entry::{EntryKey, EntryKind},
    names::fold,
    query::{Query, ServiceLookup},
    record::status,
};

/// Which of the check states a status word belongs to. Words that no Consul knows share one state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CheckState {
    /// `passing`
    Passing,
    /// `warning`
    Warning,
    /// `critical`
    Critical,
    /// Any other word.
    Other,
}

impl CheckState {
    /// The state of a status word.
    pub fn of(word: &str) -> Self {
        match word {
            status::PASSING => Self::Passing,
            status::WARNING => Self::Warning,
            status::CRITICAL => Self::Critical,
            _ => Self::Other,
        }
    }
}

/// A part of the state that changes as one for those who wait. Names are folded.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Topic {
    /// Node rows of a partition (scope of nodes).
    Nodes(Scope),
    /// A node's row and its service rows (scope of nodes).
    NodeServices(Scope, Str),
    /// A node's checks (scope of nodes).
    NodeChecks(Scope, Str),
    /// Names of services and their tags.
    ServiceNames(Scope),
    /// Any service row, or the node row below one.
    ServiceRows(Scope),
    /// Instances of one name, their nodes and checks.
    Service(Scope, Str),
    /// Instances that stand for one name in the mesh.
    Connect(Scope, Str),
    /// Checks of any state.
    Checks(Scope),
    /// Checks that are, or were, in one state.
    CheckState(Scope, CheckState),
    /// Addresses of any node or service.
    Addresses,
    /// One key. Never listed by [`crate::ChangeSet::topics`]; see [`crate::ChangeSet::kv_keys`].
    Kv(Tenancy, Str),
    /// All keys under a prefix. Never listed by [`crate::ChangeSet::topics`]; see [`crate::ChangeSet::kv_keys`].
    KvPrefix(Tenancy, Str),
    /// One configuration entry.
    ConfigEntry(Tenancy, EntryKey),
    /// Configuration entries of a kind.
    ConfigKind(Tenancy, EntryKind),
    /// All configuration entries.
    ConfigEntries(Tenancy),
    /// Roots of the authority.
    CaRoots,
    /// Configuration of the authority.
    CaConfig,
    /// Autopilot's settings.
    Autopilot,
    /// Mesh gateways of the datacenters.
    FederationStates,
    /// Configuration entries of all partitions and namespaces.
    AllConfigEntries,
    /// One session.
    Session(Tenancy, Str),
    /// Sessions.
    Sessions(Tenancy),
    /// Sessions on a node.
    NodeSessions(Tenancy, Str),
    /// What ends by itself.
    Deadlines,
    /// Partitions and namespaces that exist.
    Tenancies,
    /// Places of nodes (scope of nodes).
    Coordinates(Scope),
    /// Place of one node (scope of nodes).
    Coordinate(Scope, Str),
    /// Prepared queries.
    PreparedQueries,
    /// Virtual address of a service.
    VirtualIp(Scope, Str),
}

/// Shortest prefix of a node id that finds a node.
pub(crate) const NODE_ID_PREFIX_MIN: usize = 2;

/// Whether a node name in a query may also mean a node id.
pub(crate) fn may_be_node_id(name: &str) -> bool {
    (NODE_ID_PREFIX_MIN..=36).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// What rows with instances of more than one name depend on.
pub(crate) fn any_instance(scope: Scope) -> [Topic; 3] {
    [Topic::Checks(scope.of_nodes()), Topic::Checks(scope.clone()), Topic::ServiceRows(scope)]
}

/// What the answer of `query` depends on: the answer can only change together with one of these, and the greatest
/// [`crate::Store::topic_index`] of them moves when it does. `narrowed` says that only some rows are wanted, by metadata of their
/// nodes or by a filter expression, whatever these are.
pub fn topics_of(query: &Query, narrowed: bool) -> SmallVec<[Topic; 2]> {
    match query {
        Query::Nodes { tenancy, peer } => smallvec![Topic::Nodes(Scope::new(tenancy, peer).of_nodes())],
        // Which names are left depends on all of an instance's row, and on its node's.
        Query::Services { tenancy, peer } if narrowed => {
            smallvec![Topic::ServiceRows(Scope::new(tenancy, peer))]
        }
        Query::Services { tenancy, peer } => smallvec![Topic::ServiceNames(Scope::new(tenancy, peer))],
        Query::ServiceNodes { tenancy, peer, service, lookup, .. }
        | Query::ServiceHealth { tenancy, peer, service, lookup, .. } => {
            let scope = Scope::new(tenancy, peer);
            match lookup {
                ServiceLookup::Plain => smallvec![Topic::Service(scope, service.folded())],
                ServiceLookup::Connect => smallvec![Topic::Connect(scope, service.folded())],
                ServiceLookup::Ingress => {
                    let mut topics = SmallVec::from_vec(any_instance(scope).to_vec());
                    topics.push(Topic::ConfigKind(tenancy.clone(), EntryKind::IngressGateway));
                    topics
                }
            }
        }
        Query::ServiceChecks { tenancy, peer, service } => {
            smallvec![Topic::Service(Scope::new(tenancy, peer), service.folded())]
        }
        Query::NodeServices { tenancy, peer, node } => {
            let scope = Scope::new(tenancy, peer);
            let nodes = scope.of_nodes();
            let mut topics = smallvec![Topic::NodeServices(nodes.clone(), node.folded())];
            if may_be_node_id(node) {
                topics.push(Topic::Nodes(nodes));
                topics.push(Topic::ServiceRows(scope));
            }
            topics
        }
        Query::NodeChecks { tenancy, peer, node } => {
            smallvec![Topic::NodeChecks(Scope::new(tenancy, peer).of_nodes(), node.folded())]
        }
        Query::NodeState { tenancy, node } => {
            let scope = Scope::local(&tenancy.node_scope());
            smallvec![
                Topic::NodeServices(scope.clone(), node.folded()),
                Topic::NodeChecks(scope, node.folded())
            ]
        }
        Query::ChecksInState { tenancy, peer, state } => {
            let scope = Scope::new(tenancy, peer);
            let mut topics = SmallVec::new();
            if narrowed {
                topics.push(Topic::Nodes(scope.of_nodes()));
            }
            topics.push(match state.as_str() {
                "any" => Topic::Checks(scope),
                state => Topic::CheckState(scope, CheckState::of(state)),
            });
            topics
        }
        Query::KvGet { tenancy, key } => smallvec![Topic::Kv(tenancy.clone(), key.clone())],
        Query::KvList { tenancy, prefix } | Query::KvKeys { tenancy, prefix, .. } => {
            smallvec![Topic::KvPrefix(tenancy.clone(), prefix.clone())]
        }
        Query::ConfigEntry { tenancy, kind, name } => {
            smallvec![Topic::ConfigEntry(tenancy.clone(), EntryKey::new(*kind, name))]
        }
        Query::ConfigEntries { tenancy, kind } => match kind {
            Some(kind) => smallvec![Topic::ConfigKind(tenancy.clone(), *kind)],
            None => smallvec![Topic::ConfigEntries(tenancy.clone())],
        },
        Query::GatewayServices { tenancy, .. } => smallvec![
            Topic::ConfigKind(tenancy.clone(), EntryKind::IngressGateway),
            Topic::ConfigKind(tenancy.clone(), EntryKind::TerminatingGateway),
            Topic::ConfigKind(tenancy.clone(), EntryKind::ServiceDefaults),
            Topic::ServiceRows(Scope { tenancy: tenancy.clone(), peer: Default::default() }),
        ],
        Query::KindHealth { tenancy, .. } => {
            let scope = Scope { tenancy: tenancy.clone(), peer: Default::default() };
            SmallVec::from_vec(any_instance(scope).to_vec())
        }
        Query::Coordinates { tenancy, node, .. } => {
            let nodes = Scope::local(&tenancy.node_scope());
            match node {
                Some(node) => smallvec![Topic::Coordinate(nodes, node.folded())],
                None => smallvec![Topic::Coordinates(nodes)],
            }
        }
        Query::PreparedQueries { .. } => smallvec![Topic::PreparedQueries],
        // Never blocks, so nobody waits.
        Query::Execute(_) => smallvec![],
        Query::AllConfigEntries => smallvec![Topic::AllConfigEntries],
        Query::Session { tenancy, id } => smallvec![Topic::Session(tenancy.clone(), id.clone())],
        Query::Sessions { tenancy } => smallvec![Topic::Sessions(tenancy.clone())],
        Query::NodeSessions { tenancy, node } => {
            smallvec![Topic::NodeSessions(tenancy.clone(), node.folded())]
        }
        Query::Deadlines { .. } => smallvec![Topic::Deadlines],
        Query::Partitions { .. } | Query::Namespaces { .. } => smallvec![Topic::Tenancies],
        // Never blocks, so nobody waits.
        Query::Txn(_) => smallvec![],
        Query::FederationStates | Query::FederationState { .. } => smallvec![Topic::FederationStates],
        Query::CaRoots => smallvec![Topic::CaRoots],
        Query::CaConfig => smallvec![Topic::CaConfig, Topic::CaRoots],
        Query::Autopilot => smallvec![Topic::Autopilot],
        Query::ByAddress { .. } => smallvec![Topic::Addresses],
        Query::VirtualIp { tenancy, peer, service } => {
            smallvec![Topic::VirtualIp(Scope::new(tenancy, peer), fold(service))]
        }
    }
}
