//! What a secondary datacenter has to change to be like the primary one. Pure.

use std::{collections::BTreeMap, sync::Arc};
use types::{
    command::Command,
    entry::{ConfigEntry, EntryKind},
    query::{Query, QueryResult},
    record::{CheckServiceNode, FederationState, RaftIndex},
};

/// Rows in one command, so that no entry of the log is too large.
const ROWS_MAX: usize = 128;

/// What is replicated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Configuration entries.
    ConfigEntries,
    /// Mesh gateways of the datacenters.
    FederationStates,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::ConfigEntries, Self::FederationStates];

    /// The word of metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfigEntries => "config-entries",
            Self::FederationStates => "federation-state",
        }
    }

    /// Everything of the kind.
    pub fn query(self) -> Query {
        match self {
            Self::ConfigEntries => Query::AllConfigEntries,
            Self::FederationStates => Query::FederationStates,
        }
    }

    /// Commands that make `local` like `remote`; `None` when an answer is not of this kind.
    pub fn plan(self, local: &QueryResult, remote: &QueryResult) -> Option<Vec<Command>> {
        match (self, local, remote) {
            (Self::ConfigEntries, QueryResult::ConfigEntries(local), QueryResult::ConfigEntries(remote)) => {
                Some(entries(local, remote))
            }
            (
                Self::FederationStates,
                QueryResult::FederationStates(local),
                QueryResult::FederationStates(remote),
            ) => Some(states(local, remote)),
            _ => None,
        }
    }
}

/// What a datacenter exports is its own matter.
fn is_shared(entry: &ConfigEntry) -> bool {
    entry.kind() != EntryKind::ExportedServices
}

fn entries(local: &[Arc<ConfigEntry>], remote: &[Arc<ConfigEntry>]) -> Vec<Command> {
    let place = |e: &Arc<ConfigEntry>| (e.tenancy.clone(), e.key());
    let theirs: BTreeMap<_, _> = remote.iter().filter(|e| is_shared(e)).map(|e| (place(e), e)).collect();
    let ours: BTreeMap<_, _> = local.iter().filter(|e| is_shared(e)).map(|e| (place(e), e)).collect();
    let set: Vec<ConfigEntry> = theirs
        .iter()
        .filter(|(place, e)| ours.get(*place).is_none_or(|o| !o.says_the_same(e)))
        .map(|(_, e)| ConfigEntry::clone(e))
        .collect();
    let delete: Vec<_> = ours.into_keys().filter(|place| !theirs.contains_key(place)).collect();
    batches(set, delete, |set, delete| Command::ReplicateConfigEntries { set, delete })
}

fn states(local: &[Arc<FederationState>], remote: &[Arc<FederationState>]) -> Vec<Command> {
    let theirs: BTreeMap<_, _> = remote.iter().map(|s| (s.key(), s)).collect();
    let ours: BTreeMap<_, _> = local.iter().map(|s| (s.key(), s)).collect();
    let set: Vec<FederationState> = theirs
        .iter()
        .filter(|(key, s)| {
            ours.get(*key).is_none_or(|o| {
                o.primary_modify_index != s.primary_modify_index || o.mesh_gateways != s.mesh_gateways
            })
        })
        .map(|(_, s)| FederationState::clone(s))
        .collect();
    let delete: Vec<_> = ours
        .iter()
        .filter(|(key, _)| !theirs.contains_key(*key))
        .map(|(_, s)| s.datacenter.clone())
        .collect();
    batches(set, delete, |set, delete| Command::ReplicateFederationStates { set, delete })
}

fn batches<S, D>(set: Vec<S>, delete: Vec<D>, command: impl Fn(Vec<S>, Vec<D>) -> Command) -> Vec<Command> {
    let (mut set, mut delete) = (set.into_iter(), delete.into_iter());
    let mut commands = Vec::new();
    loop {
        let some: Vec<S> = set.by_ref().take(ROWS_MAX).collect();
        let gone: Vec<D> = delete.by_ref().take(ROWS_MAX - some.len()).collect();
        if some.is_empty() && gone.is_empty() {
            return commands;
        }
        commands.push(command(some, gone));
    }
}

/// The gateways as they are told to the other datacenters: indexes belong to the datacenter that counts them.
pub fn told(rows: &[CheckServiceNode]) -> Vec<CheckServiceNode> {
    let mut rows: Vec<CheckServiceNode> = rows.to_vec();
    for row in &mut rows {
        Arc::make_mut(&mut row.node).index = RaftIndex::default();
        Arc::make_mut(&mut row.service).index = RaftIndex::default();
        for check in &mut row.checks {
            Arc::make_mut(check).index = RaftIndex::default();
        }
    }
    rows
}

/// Whether two lists of gateways tell the others the same. What a check printed is not worth a write in every datacenter.
pub fn tell_the_same(a: &[CheckServiceNode], b: &[CheckServiceNode]) -> bool {
    let same_checks = |a: &CheckServiceNode, b: &CheckServiceNode| {
        a.checks.len() == b.checks.len()
            && a.checks
                .iter()
                .zip(&b.checks)
                .all(|(a, b)| (&a.check_id, &a.status, &a.name) == (&b.check_id, &b.status, &b.name))
    };
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.node == b.node && a.service == b.service && same_checks(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{Str, record::HealthCheck};

    fn entry(kind: EntryKind, name: &str) -> ConfigEntry {
        ConfigEntry::new(kind, name)
    }

    #[test]
    fn only_what_differs_is_written_and_exports_stay_at_home() {
        let of =
            |list: &[ConfigEntry]| QueryResult::ConfigEntries(list.iter().cloned().map(Arc::new).collect());
        let same = entry(EntryKind::ServiceDefaults, "same");
        let mut moved = same.clone();
        moved.index.modify = 99;
        let mut changed = entry(EntryKind::ServiceDefaults, "changed");
        let old = changed.clone();
        changed.meta = [(Str::new("k"), Str::new("v"))].into();
        let local = of(&[
            moved,
            old,
            entry(EntryKind::ServiceDefaults, "gone"),
            entry(EntryKind::ExportedServices, "default"),
        ]);
        let remote = of(&[same, changed.clone(), entry(EntryKind::ExportedServices, "other")]);
        let plan = Kind::ConfigEntries.plan(&local, &remote).unwrap();
        let gone = entry(EntryKind::ServiceDefaults, "gone");
        let want = Command::ReplicateConfigEntries {
            set: vec![changed],
            delete: vec![(gone.tenancy.clone(), gone.key())],
        };
        assert_eq!(plan, [want]);
        assert!(Kind::ConfigEntries.plan(&remote, &remote).unwrap().is_empty());
        assert!(Kind::FederationStates.plan(&local, &remote).is_none());
    }

    #[test]
    fn a_large_difference_is_cut() {
        let of = |n: usize| {
            let list = (0..n).map(|i| Arc::new(entry(EntryKind::ServiceDefaults, &format!("s{i}"))));
            QueryResult::ConfigEntries(list.collect())
        };
        let sizes: Vec<_> = Kind::ConfigEntries
            .plan(&of(0), &of(300))
            .unwrap()
            .iter()
            .map(|c| match c {
                Command::ReplicateConfigEntries { set, delete } => (set.len(), delete.len()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(sizes, [(128, 0), (128, 0), (44, 0)]);
        assert_eq!(Kind::ConfigEntries.plan(&of(300), &of(0)).unwrap().len(), 3);
    }

    #[test]
    fn states_follow_the_primarys_index() {
        let state = |dc: &str, at| {
            Arc::new(FederationState {
                datacenter: dc.into(),
                primary_modify_index: at,
                index: RaftIndex { create: 1, modify: at + 40 },
                ..FederationState::default()
            })
        };
        let local = QueryResult::FederationStates(vec![state("dc1", 5), state("dc2", 6), state("dc4", 9)]);
        let remote = QueryResult::FederationStates(vec![state("DC1", 5), state("dc2", 7), state("dc3", 8)]);
        let plan = Kind::FederationStates.plan(&local, &remote).unwrap();
        let Command::ReplicateFederationStates { set, delete } = &plan[0] else { panic!("{plan:?}") };
        assert_eq!(set.iter().map(|s| s.datacenter.as_str()).collect::<Vec<_>>(), ["dc2", "dc3"]);
        assert_eq!(delete, &["dc4".into()]);
    }

    #[test]
    fn what_a_check_printed_is_not_told() {
        let row = |output: &str, status: &str, modify| {
            let check =
                HealthCheck { output: output.into(), status: status.into(), ..HealthCheck::default() };
            let mut row = CheckServiceNode {
                node: Arc::default(),
                service: Arc::default(),
                checks: vec![Arc::new(check)],
            };
            Arc::make_mut(&mut row.node).index.modify = modify;
            told(&[row])
        };
        assert!(tell_the_same(&row("a", "passing", 3), &row("b", "passing", 4)));
        assert!(!tell_the_same(&row("a", "passing", 3), &row("a", "critical", 3)));
        assert!(!tell_the_same(&row("a", "passing", 3), &[]));
    }
}
