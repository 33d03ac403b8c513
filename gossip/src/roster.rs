//! Who is who: the mirror of foca's members by address, and the members by name that the rest of the agent sees.
//!
//! foca knows identities and whether they answer. Names, tags and the difference between *left* and *failed* are kept
//! here. A name is held by one address; another living member that claims it is a conflict, reported once, and gets
//! the name when the holder is gone. A holder that is gone gives the name up at once: that is the rejoin of a member
//! under a new address.

use crate::{MemberEvent, NameConflict, NodeId, identity::AddrKey, meta::Meta};
use foca::Incarnation;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use types::{
    Str,
    member::{Member, MemberStatus},
};

/// Most addresses remembered; beyond it new ones are refused.
pub(crate) const NODES_MAX: usize = 65_536;
const CONFLICTS_MAX: usize = 256;

/// An address as the failure detector sees it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) active: bool,
    /// Highest incarnation heard of.
    pub(crate) incarnation: Incarnation,
    /// Name and tags; perhaps still those of an earlier run.
    pub(crate) meta: Option<Meta>,
    /// Gone on its own, or forced to.
    pub(crate) left: bool,
    /// Forced to leave unless a record newer than this version arrives.
    pub(crate) forced: Option<u32>,
    /// When it went up or down.
    pub(crate) since: Duration,
    /// Its share of the digest.
    share: u64,
}

impl Node {
    /// Two members that count the same runs alive, with the same records, have the same sum of shares.
    fn current_share(&self) -> u64 {
        if !self.active {
            return 0;
        }
        let version = self.meta.as_ref().filter(|m| m.id == self.id).map_or(0, |m| m.version);
        let mut bytes = Vec::with_capacity(40);
        crate::wire::put_node(&mut bytes, &self.id);
        crate::seal::fnv64(&[&bytes, &version.to_be_bytes()])
    }

    fn status(&self) -> MemberStatus {
        let leaving =
            self.forced.is_some() || self.meta.as_ref().is_some_and(|m| m.leaving && m.id == self.id);
        match (self.active, leaving || self.left) {
            (true, false) => MemberStatus::Alive,
            (true, true) => MemberStatus::Leaving,
            (false, true) => MemberStatus::Left,
            (false, false) => MemberStatus::Failed,
        }
    }
}

/// A member as the agent sees it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: NodeId,
    pub(crate) status: MemberStatus,
    pub(crate) since: Duration,
    meta: Meta,
}

impl Record {
    pub(crate) fn member(&self) -> Member {
        Member {
            name: self.meta.name.clone(),
            addr: self.id.addr(),
            tags: self.meta.tags(),
            status: self.status,
        }
    }
}

/// What the roster wants told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Event(MemberEvent),
    Conflict(NameConflict),
}

/// Everybody.
#[derive(Default)]
pub(crate) struct Roster {
    nodes: BTreeMap<AddrKey, Node>,
    names: BTreeMap<Str, Record>,
    conflicts: BTreeSet<(Str, NodeId)>,
    own_name: Str,
    version: u64,
    digest: u64,
    pub(crate) told: Vec<Told>,
}

impl Roster {
    pub(crate) fn new(own_name: Str) -> Self {
        Self { own_name, ..Self::default() }
    }

    /// Grows with each outward change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
    /// A hash over who is alive in which run with which record, whatever the order in which that was learned.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }
    pub(crate) fn node(&self, addr: &AddrKey) -> Option<&Node> {
        self.nodes.get(addr)
    }
    /// The node of exactly this run.
    pub(crate) fn run(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(&id.key()).filter(|n| n.id == *id)
    }
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.names.values()
    }
    pub(crate) fn by_name(&self, name: &str) -> Option<&Record> {
        self.names.get(name)
    }
    pub(crate) fn count(&self, status: MemberStatus) -> usize {
        self.names.values().filter(|r| r.status == status).count()
    }

    /// foca counts `id` among the living.
    pub(crate) fn up(&mut self, id: NodeId, now: Duration) {
        if self.nodes.len() >= NODES_MAX && !self.nodes.contains_key(&id.key()) {
            return;
        }
        let node = self.nodes.entry(id.key()).or_insert_with(|| Node {
            id,
            active: false,
            incarnation: 0,
            meta: None,
            left: false,
            forced: None,
            since: now,
            share: 0,
        });
        if node.id != id {
            Self::replace(node, id);
        }
        if !node.active {
            node.active = true;
            node.left = false;
            node.since = now;
        }
        self.settle(&id.key());
    }

    /// foca replaced `old` by `new` at the same address; whether it is up does not change by this.
    pub(crate) fn renamed(&mut self, new: NodeId, now: Duration) {
        if let Some(node) = self.nodes.get_mut(&new.key()) {
            if !node.id.same_member(&new)
                && let Some(meta) = &node.meta
                && let Some(record) = self.names.get_mut(&meta.name)
                && record.id.key() == new.key()
                && matches!(record.status, MemberStatus::Alive | MemberStatus::Leaving)
            {
                // Another member was given the address, so the one that had it is gone.
                record.status = MemberStatus::Failed;
                record.since = now;
                self.told.push(Told::Event(MemberEvent::Failed(record.member())));
                self.version += 1;
            }
            Self::replace(node, new);
            self.settle(&new.key());
        }
    }

    fn replace(node: &mut Node, new: NodeId) {
        if !node.id.same_member(&new) {
            node.meta = None;
        }
        node.id = new;
        node.incarnation = 0;
        node.left = false;
        node.forced = None;
    }

    /// foca gave `id` up. Answers whether that was news.
    pub(crate) fn down(&mut self, id: &NodeId, now: Duration) -> bool {
        let Some(node) = self.nodes.get_mut(&id.key()).filter(|n| n.id == *id && n.active) else {
            return false;
        };
        node.left = node.status() == MemberStatus::Leaving;
        node.active = false;
        node.since = now;
        self.settle(&id.key());
        true
    }

    /// Another member tells of one that is gone and that we did not know.
    pub(crate) fn gone(&mut self, id: NodeId, left: bool, since: Duration) {
        if self.nodes.len() >= NODES_MAX {
            return;
        }
        self.nodes.entry(id.key()).or_insert(Node {
            id,
            active: false,
            incarnation: 0,
            meta: None,
            left,
            forced: None,
            since,
            share: 0,
        });
        self.settle(&id.key());
    }

    /// A gone member is known elsewhere to have left on its own.
    pub(crate) fn mark_left(&mut self, id: &NodeId) {
        if let Some(node) = self.nodes.get_mut(&id.key()).filter(|n| n.id == *id && !n.active && !n.left) {
            node.left = true;
            self.settle(&id.key());
        }
    }

    /// Heard of an incarnation of `id`.
    pub(crate) fn heard(&mut self, id: &NodeId, incarnation: Incarnation) {
        if let Some(node) = self.nodes.get_mut(&id.key()).filter(|n| n.id == *id) {
            node.incarnation = node.incarnation.max(incarnation);
        }
    }

    /// Takes a record if it says more than what is known. Answers whether it did.
    pub(crate) fn learn(&mut self, meta: Meta) -> bool {
        let addr = meta.id.key();
        let Some(node) = self.nodes.get_mut(&addr) else { return false };
        if meta.id != node.id || node.meta.as_ref().is_some_and(|old| !meta.newer_than(old)) {
            return false;
        }
        if node.forced.is_some_and(|version| meta.version > version) {
            node.forced = None;
        }
        if meta.leaving && !node.active {
            node.left = true;
        }
        let renamed = node.meta.as_ref().filter(|old| old.name != meta.name).map(|old| old.name.clone());
        node.meta = Some(meta);
        if let Some(old) = renamed
            && self.names.get(&old).is_some_and(|r| r.id.key() == addr)
            && let Some(record) = self.names.remove(&old)
        {
            self.told.push(Told::Event(MemberEvent::Reap(record.member())));
            self.version += 1;
        }
        self.settle(&addr);
        true
    }

    /// Whether the record of `id` is still to be asked for.
    pub(crate) fn wants(&self, id: &NodeId) -> bool {
        self.run(id).is_some_and(|n| n.meta.as_ref().is_none_or(|m| m.id != n.id))
    }

    /// An operator forces `target` out. Answers whether that was news.
    pub(crate) fn force(&mut self, target: &NodeId, version: u32) -> bool {
        let Some(node) = self.nodes.get_mut(&target.key()).filter(|n| n.id == *target) else { return false };
        if node.forced.is_some() || node.left || node.meta.as_ref().is_some_and(|m| m.version > version) {
            return false;
        }
        if node.active {
            node.forced = Some(version);
        } else {
            node.left = true;
        }
        self.settle(&target.key());
        true
    }

    /// Forgets a member that is gone. Answers the identity to forget.
    pub(crate) fn forget(&mut self, name: &str) -> Option<NodeId> {
        let record = self.names.get(name)?;
        if !matches!(record.status, MemberStatus::Left | MemberStatus::Failed) {
            return None;
        }
        let record = self.names.remove(name)?;
        self.told.push(Told::Event(MemberEvent::Reap(record.member())));
        self.version += 1;
        if self.nodes.get(&record.id.key()).is_some_and(|n| n.id == record.id && !n.active) {
            self.nodes.remove(&record.id.key());
        }
        Some(record.id)
    }

    /// Forgets who has been gone for too long. Answers their identities.
    pub(crate) fn reap(
        &mut self,
        now: Duration,
        failed_after: Duration,
        left_after: Duration,
    ) -> Vec<NodeId> {
        let due = |since: Duration, left: bool| {
            now.saturating_sub(since) >= if left { left_after } else { failed_after }
        };
        let names: Vec<Str> = self
            .names
            .iter()
            .filter(|(_, r)| match r.status {
                MemberStatus::Failed => due(r.since, false),
                MemberStatus::Left => due(r.since, true),
                _ => false,
            })
            .map(|(name, _)| name.clone())
            .collect();
        let mut forgotten: Vec<NodeId> = names.iter().filter_map(|name| self.forget(name)).collect();
        // Addresses whose name was never learned, or is held elsewhere now.
        self.nodes.retain(|_, n| {
            let drop = !n.active && due(n.since, n.left);
            if drop {
                forgotten.push(n.id);
            }
            !drop
        });
        forgotten
    }

    /// Brings the member by name in line with what is known of the address.
    fn settle(&mut self, addr: &AddrKey) {
        let Some(node) = self.nodes.get_mut(addr) else { return };
        self.digest = self.digest.wrapping_sub(node.share);
        node.share = node.current_share();
        self.digest = self.digest.wrapping_add(node.share);
        let Some(meta) = node.meta.clone() else { return };
        let (id, status, since) = (node.id, node.status(), node.since);
        let living = |s: MemberStatus| matches!(s, MemberStatus::Alive | MemberStatus::Leaving);
        let before = match self.names.get(&meta.name) {
            None => None,
            Some(record) if record.id.key() == *addr => Some((record.status, record.meta.clone(), false)),
            Some(record) => {
                if !living(status) {
                    return;
                }
                let same_node = {
                    let (ours, theirs) = (meta.tags(), record.meta.tags());
                    ours.get("id").is_some_and(|a| !a.is_empty() && theirs.get("id") == Some(a))
                };
                let moved = same_node && id.bump() > record.id.bump() && meta.name != self.own_name;
                if living(record.status) && !moved {
                    let conflict = NameConflict {
                        name: meta.name.clone(),
                        holder: record.id.addr(),
                        other: id.addr(),
                        ours: meta.name == self.own_name,
                    };
                    if self.conflicts.len() < CONFLICTS_MAX && self.conflicts.insert((meta.name, id)) {
                        self.told.push(Told::Conflict(conflict));
                    }
                    return;
                }
                Some((record.status, record.meta.clone(), true))
            }
        };
        let record = Record { id, status, since, meta };
        let (changed, event) = match before {
            None => (true, event_of(None, status)),
            Some((was, old, moved)) => {
                let content = moved || !old.same_content(&record.meta);
                let event = if was != status {
                    event_of(Some(was), status).or(content.then_some(MemberEvent::Update as Make))
                } else {
                    (content && living(status)).then_some(MemberEvent::Update as Make)
                };
                (content || was != status, event)
            }
        };
        if let Some(make) = event {
            self.told.push(Told::Event(make(record.member())));
        }
        let name = record.meta.name.clone();
        let gone = !living(status);
        self.names.insert(name.clone(), record);
        if changed {
            self.version += 1;
        }
        if gone && self.conflicts.iter().any(|(n, _)| *n == name) {
            let rivals: Vec<AddrKey> =
                self.conflicts.iter().filter(|(n, _)| *n == name).map(|(_, id)| id.key()).collect();
            self.conflicts.retain(|(n, _)| *n != name);
            for rival in rivals {
                self.settle(&rival);
            }
        }
    }
}

type Make = fn(Member) -> MemberEvent;

fn event_of(was: Option<MemberStatus>, is: MemberStatus) -> Option<Make> {
    use MemberStatus::{Alive, Failed, Leaving, Left};
    match (was, is) {
        (Some(Leaving), Alive) | (Some(Alive), Leaving) => None,
        (_, Alive | Leaving) => Some(MemberEvent::Join),
        (_, Left) => Some(MemberEvent::Leave),
        (_, Failed) => Some(MemberEvent::Failed),
        _ => None,
    }
}
