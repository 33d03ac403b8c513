//! One version of the state.

use crate::{
    authority::{Authority, Autopilot},
    catalog::Catalog,
    entries::EntryTable,
    federation::FederationTable,
    kv::KvTable,
    prepared::QueryTable,
    restore::Staging,
    scope::Scoped,
    sessions::SessionTable,
    tenancies::TenancyTable,
    topic::Topic,
};
use types::{
    PeerName,
    ca::{CaConfig, CaProviderState, CaRoot},
};

/// One version of the state. Cloning takes constant time and shares everything.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Store {
    index: u64,
    pub(crate) catalog: Catalog,
    pub(crate) kv: Scoped<KvTable>,
    pub(crate) entries: Scoped<EntryTable>,
    pub(crate) authority: Authority,
    pub(crate) autopilot: Autopilot,
    pub(crate) federation: FederationTable,
    pub(crate) queries: QueryTable,
    pub(crate) sessions: Scoped<SessionTable>,
    pub(crate) tenancies: TenancyTable,
    pub(crate) lineage: Lineage,
    pub(crate) staging: Option<Staging>,
}

/// What a restored snapshot leaves behind: its rows may be from another log, whose indexes were higher or lower.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Lineage {
    /// What rows call an index of the log is so much higher.
    pub offset: u64,
    /// No answer has a lower index: whoever saw one from before the restore is told, and none is told the same index with other
    /// rows.
    pub floor: u64,
}

impl Store {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// Index in the log of the last command applied.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The same as rows and answers count: higher after a restore.
    pub(crate) fn row_index(&self) -> u64 {
        self.index + self.lineage.offset
    }

    /// Index at which a topic last changed. It never decreases but by a restore, and may move without need: the topic of
    /// something that does not exist moves with whatever of its kind disappears.
    pub fn topic_index(&self, topic: &Topic) -> u64 {
        self.stored_index(topic).max(self.lineage.floor)
    }

    fn stored_index(&self, topic: &Topic) -> u64 {
        let nodes = &self.catalog.nodes;
        let services = &self.catalog.services;
        match topic {
            Topic::Nodes(s) => nodes.get(s).map_or(0, |t| t.index),
            Topic::NodeServices(s, name) => nodes.get(s).map_or(0, |t| t.services_index(name)),
            Topic::NodeChecks(s, name) => nodes.get(s).map_or(0, |t| t.checks_index(name)),
            Topic::ServiceNames(s) => services.get(s).map_or(0, |t| t.names_index),
            Topic::ServiceRows(s) => services.get(s).map_or(0, |t| t.rows_index),
            Topic::Service(s, name) => services.get(s).map_or(0, |t| t.group_index(name)),
            Topic::VirtualIp(s, name) => self.catalog.vips.index(s, name),
            Topic::Connect(s, name) => services.get(s).map_or(0, |t| t.connect_index(name)),
            Topic::Checks(s) => services.get(s).map_or(0, |t| t.checks_index),
            Topic::CheckState(s, state) => services.get(s).map_or(0, |t| t.state_index(*state)),
            Topic::Addresses => self.catalog.rows_index,
            Topic::Kv(tenancy, key) => self.kv_table(tenancy).map_or(0, |t| t.key_index(key)),
            Topic::KvPrefix(tenancy, prefix) => self.kv_table(tenancy).map_or(0, |t| t.prefix_index(prefix)),
            Topic::ConfigEntry(tenancy, key) => self.entry_table(tenancy).map_or(0, |t| t.entry_index(key)),
            Topic::ConfigKind(tenancy, kind) => self.entry_table(tenancy).map_or(0, |t| t.kind_index(*kind)),
            Topic::ConfigEntries(tenancy) => self.entry_table(tenancy).map_or(0, |t| t.index()),
            Topic::CaRoots => self.authority.roots_index(),
            Topic::CaConfig => self.authority.config_index(),
            Topic::Autopilot => self.autopilot.index.modify,
            Topic::FederationStates => self.federation.index,
            Topic::Session(tenancy, id) => self.session_table(tenancy).map_or(0, |t| t.session_index(id)),
            Topic::Sessions(tenancy) => self.session_table(tenancy).map_or(0, |t| t.index),
            Topic::NodeSessions(tenancy, node) => {
                self.session_table(tenancy).map_or(0, |t| t.node_index(node))
            }
            Topic::Tenancies => self.tenancies.index,
            Topic::Deadlines => {
                let sessions = self.sessions.iter().map(|(_, t)| t.index);
                sessions.chain(self.kv.iter().map(|(_, t)| t.expiries_index())).max().unwrap_or(0)
            }
            Topic::PreparedQueries => self.queries.index,
            Topic::Coordinates(_) => self.catalog.coordinates.index,
            Topic::Coordinate(s, node) => self.catalog.coordinates.node_index(s, node),
            Topic::AllConfigEntries => self.entries.iter().map(|(_, t)| t.index()).max().unwrap_or(0),
        }
    }

    /// Private state of the built-in authority, for those who sign with it.
    pub fn ca_provider_state(&self) -> Option<&CaProviderState> {
        self.authority.provider_state()
    }

    /// Configuration of the authority and its roots, if there is one.
    pub fn ca(&self) -> Option<(&CaConfig, &[CaRoot])> {
        self.authority.state().map(|s| (&s.config, s.roots.as_slice()))
    }

    pub(crate) fn kv_table(&self, tenancy: &types::Tenancy) -> Option<&KvTable> {
        const LOCAL: &PeerName = &PeerName(None);
        self.kv.get_for(tenancy, LOCAL)
    }

    pub(crate) fn entry_table(&self, tenancy: &types::Tenancy) -> Option<&EntryTable> {
        const LOCAL: &PeerName = &PeerName(None);
        self.entries.get_for(tenancy, LOCAL)
    }

    pub(crate) fn session_table(&self, tenancy: &types::Tenancy) -> Option<&SessionTable> {
        const LOCAL: &PeerName = &PeerName(None);
        self.sessions.get_for(tenancy, LOCAL)
    }

    pub(crate) fn applied(&mut self, index: u64) {
        self.index = index;
    }
}
