//! Partitions and namespaces that exist.
//!
//! The default partition, and the default namespace of each, are always there and have no row until somebody describes them.

use crate::{catalog::row_tenancy, changes::ChangeSet, store::Store, topic::Topic};
use imbl::OrdMap;
use std::sync::Arc;
use types::{
    Str, Tenancy,
    command::Command,
    record::{Namespace, Partition, RaftIndex},
};

/// Name of what is always there.
const DEFAULT: &str = "default";
/// Longest name: a label of DNS has no more.
const NAME_MAX: usize = 63;
/// Indexes of what is always there.
const ALWAYS: RaftIndex = RaftIndex { create: 1, modify: 1 };

/// Rows of partitions and namespaces.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct TenancyTable {
    partitions: OrdMap<Str, Arc<Partition>>,
    /// By partition and name.
    namespaces: OrdMap<(Str, Str), Arc<Namespace>>,
    /// Last change.
    pub index: u64,
}

impl TenancyTable {
    /// Partitions that somebody wrote.
    pub fn partition_rows(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.partitions.values()
    }
    /// Namespaces that somebody wrote.
    pub fn namespace_rows(&self) -> impl Iterator<Item = &Arc<Namespace>> {
        self.namespaces.values()
    }
    /// Puts a row where it is found; nothing else moves.
    pub fn restore_partition(&mut self, row: Arc<Partition>) {
        self.partitions.insert(row.name.clone(), row);
    }
    /// Puts a row where it is found; nothing else moves.
    pub fn restore_namespace(&mut self, row: Arc<Namespace>) {
        self.namespaces.insert((row.partition.clone(), row.name.clone()), row);
    }

    pub fn partition(&self, name: &str) -> Option<Arc<Partition>> {
        let always = || Arc::new(Partition { name: Str::new(name), index: ALWAYS, ..Partition::default() });
        self.partitions.get(name).cloned().or_else(|| (name == DEFAULT).then(always))
    }
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        let mut names: Vec<&str> = self.partitions.keys().map(Str::as_str).collect();
        if !self.partitions.contains_key(DEFAULT) {
            names.push(DEFAULT);
            names.sort_unstable();
        }
        names.into_iter().filter_map(|name| self.partition(name)).collect()
    }
    pub fn namespace(&self, partition: &str, name: &str) -> Option<Arc<Namespace>> {
        self.partition(partition)?;
        let key = (Str::new(partition), Str::new(name));
        let always = || {
            let (partition, name) = key.clone();
            Arc::new(Namespace { partition, name, index: ALWAYS, ..Namespace::default() })
        };
        self.namespaces.get(&key).cloned().or_else(|| (name == DEFAULT).then(always))
    }
    pub fn namespaces(&self, partition: &str) -> Vec<Arc<Namespace>> {
        let from = (Str::new(partition), Str::default());
        let of_partition = self.namespaces.range(from..).take_while(|((p, _), _)| p == partition);
        let mut rows: Vec<Arc<Namespace>> = of_partition.map(|(_, row)| row.clone()).collect();
        if !rows.iter().any(|row| row.name == DEFAULT) {
            rows.extend(self.namespace(partition, DEFAULT));
            rows.sort_by(|a, b| a.name.cmp(&b.name));
        }
        rows
    }
}

fn checked(what: &str, name: &str) -> Result<(), Str> {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ends = name.starts_with('-') || name.ends_with('-');
    if name.is_empty() || name.len() > NAME_MAX || ends || !name.bytes().all(fine) {
        return Err(Str::from(format!(
            "{what} name {name:?} is not valid: it must have 1 to {NAME_MAX} characters of a-z, 0-9 and '-', and neither \
             begin nor end with '-'"
        )));
    }
    Ok(())
}

impl Store {
    /// That partition and namespace exist.
    ///
    /// # Errors
    /// The text that clients see.
    pub(crate) fn owner_exists(&self, owner: &Tenancy) -> Result<(), Str> {
        if owner.is_default() || self.tenancies.namespace(owner.partition(), owner.namespace()).is_some() {
            return Ok(());
        }
        Err(owner.missing(self.tenancies.partition(owner.partition()).is_some()))
    }

    /// That whatever a command would bring into being gets an owner that exists. What is removed, replicated or restored is
    /// not asked for its owner.
    ///
    /// # Errors
    /// The text that clients see.
    pub(crate) fn owners_exist(&self, command: &Command) -> Result<(), Str> {
        match command {
            Command::Register(request) => {
                let service = request.service.iter().map(|s| &s.tenancy);
                let given = service.chain(request.checks.iter().map(|c| &c.tenancy));
                let mut rows = given.map(|given| row_tenancy(request, given));
                self.owner_exists(&request.tenancy)?;
                rows.try_for_each(|owner| self.owner_exists(&owner))
            }
            Command::Kv { tenancy, op } if op.written_key().is_some() => self.owner_exists(tenancy),
            Command::ConfigEntrySet { entry, .. } => self.owner_exists(&entry.tenancy),
            Command::ManualVips { tenancy, .. } => self.owner_exists(tenancy),
            Command::SessionCreate(session) => self.owner_exists(&session.tenancy),
            _ => Ok(()),
        }
    }

    /// Stores a partition.
    ///
    /// # Errors
    /// The text that clients see.
    pub(crate) fn set_partition(
        &mut self,
        index: u64,
        row: &Partition,
        changes: &mut ChangeSet,
    ) -> Result<(), Str> {
        checked("partition", &row.name)?;
        let mut row = row.clone();
        let old = self.tenancies.partition(&row.name);
        row.index = RaftIndex { create: old.map_or(index, |o| o.index.create), modify: index };
        self.tenancies.restore_partition(Arc::new(row));
        self.touch_tenancies(index, changes);
        Ok(())
    }

    /// Stores a namespace.
    ///
    /// # Errors
    /// The text that clients see.
    pub(crate) fn set_namespace(
        &mut self,
        index: u64,
        row: &Namespace,
        changes: &mut ChangeSet,
    ) -> Result<(), Str> {
        checked("namespace", &row.name)?;
        if self.tenancies.partition(&row.partition).is_none() {
            return Err(Str::from(format!("partition {:?} does not exist", row.partition.as_str())));
        }
        let mut row = row.clone();
        let old = self.tenancies.namespace(&row.partition, &row.name);
        row.index = RaftIndex { create: old.map_or(index, |o| o.index.create), modify: index };
        self.tenancies.restore_namespace(Arc::new(row));
        self.touch_tenancies(index, changes);
        Ok(())
    }

    /// Removes a partition that holds nothing; one that does not exist is fine.
    ///
    /// # Errors
    /// The text that clients see: what it still holds.
    pub(crate) fn delete_partition(
        &mut self,
        index: u64,
        name: &Str,
        changes: &mut ChangeSet,
    ) -> Result<(), Str> {
        if name == DEFAULT {
            return Err("the default partition cannot be deleted".into());
        }
        let mut held = self.held_by(|t| t.partition() == name.as_str());
        let namespaces = self.tenancies.namespaces(name).iter().filter(|n| n.name != DEFAULT).count();
        held.push(("namespaces", namespaces));
        refuse_if_held("partition", name, &held)?;
        if self.tenancies.partitions.remove(name).is_some() {
            self.tenancies.namespaces.remove(&(name.clone(), Str::new_static(DEFAULT)));
            self.touch_tenancies(index, changes);
        }
        Ok(())
    }

    /// Removes a namespace that holds nothing; one that does not exist is fine.
    ///
    /// # Errors
    /// The text that clients see: what it still holds.
    pub(crate) fn delete_namespace(
        &mut self,
        index: u64,
        partition: &Str,
        name: &Str,
        changes: &mut ChangeSet,
    ) -> Result<(), Str> {
        if name == DEFAULT {
            return Err("the default namespace cannot be deleted".into());
        }
        let held = self.held_by(|t| t.partition() == partition.as_str() && t.namespace() == name.as_str());
        refuse_if_held("namespace", name, &held)?;
        if self.tenancies.namespaces.remove(&(partition.clone(), name.clone())).is_some() {
            self.touch_tenancies(index, changes);
        }
        Ok(())
    }

    /// How many rows of each kind owners have.
    fn held_by(&self, owner: impl Fn(&Tenancy) -> bool) -> Vec<(&'static str, usize)> {
        let catalog = &self.catalog;
        let nodes = catalog.nodes.iter().filter(|(s, _)| owner(&s.tenancy)).map(|(_, t)| t.rows.len());
        let services = catalog.services.iter().filter(|(s, _)| owner(&s.tenancy));
        let services = services.map(|(_, t)| t.groups.len());
        let keys = self.kv.iter().filter(|(s, _)| owner(&s.tenancy)).map(|(_, t)| t.entries().len());
        let sessions = self.sessions.iter().filter(|(s, _)| owner(&s.tenancy)).map(|(_, t)| t.rows().len());
        let entries = self.entries.iter().filter(|(s, _)| owner(&s.tenancy));
        let entries = entries.map(|(_, t)| t.list(None).count());
        vec![
            ("nodes", nodes.sum()),
            ("services", services.sum()),
            ("keys", keys.sum()),
            ("sessions", sessions.sum()),
            ("configuration entries", entries.sum()),
        ]
    }

    fn touch_tenancies(&mut self, index: u64, changes: &mut ChangeSet) {
        self.tenancies.index = index;
        changes.touch(Topic::Tenancies);
    }
}

fn refuse_if_held(what: &str, name: &str, held: &[(&str, usize)]) -> Result<(), Str> {
    let held: Vec<String> =
        held.iter().filter(|(_, n)| *n > 0).map(|(kind, n)| format!("{kind}: {n}")).collect();
    if held.is_empty() {
        return Ok(());
    }
    Err(Str::from(format!("{what} {name:?} is not empty, remove what it holds first ({})", held.join(", "))))
}
