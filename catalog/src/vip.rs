//! Virtual addresses of services.

use crate::{changes::ChangeSet, scope::Scope, topic::Topic};
use imbl::{OrdMap, OrdSet};
use std::net::Ipv4Addr;
use types::{Str, entry::EntryKind};

/// Tagged address under which a mesh instance shows its service's virtual address.
pub(crate) const VIRTUAL_TAG: &str = "consul-virtual";
const BASE: u32 = 0xF000_0000;
/// 240.0.0.1 to 255.255.255.254.
pub(crate) const LAST: u32 = 0x0FFF_FFFE;

/// Hands out the numbers of 240.0.0.0/4: the lowest freed one first, else the next.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct VipPool {
    /// Highest number handed out so far.
    pub used: u32,
    /// Numbers that came back.
    pub free: OrdSet<u32>,
}

impl VipPool {
    /// The number that [`VipPool::take`] would give; `None` when all are in use.
    pub fn peek(&self) -> Option<u32> {
        self.free.get_min().copied().or((self.used < LAST).then_some(self.used + 1))
    }
    pub fn take(&mut self) -> Option<u32> {
        let n = self.peek()?;
        if self.free.remove(&n).is_none() {
            self.used = n;
        }
        Some(n)
    }
    pub fn give_back(&mut self, n: u32) {
        self.free.insert(n);
    }
}

/// Kinds of configuration entries that give the service of their name a virtual address.
pub(crate) const ENTRY_KINDS: [EntryKind; 5] = [
    EntryKind::ServiceDefaults,
    EntryKind::ServiceResolver,
    EntryKind::ServiceRouter,
    EntryKind::ServiceSplitter,
    EntryKind::ServiceIntentions,
];

/// What a service has its virtual address for. It keeps it until nothing of this is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// Instances that stand for it in the mesh.
    Instances,
    /// Configuration entries of [`ENTRY_KINDS`].
    Entries,
}

/// The virtual addresses of one service.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Vip {
    /// The one that it was given, as a number of the pool.
    pub number: u32,
    pub by_instances: bool,
    pub by_entries: bool,
    /// Those that an operator gave it besides.
    pub manual: Vec<Ipv4Addr>,
    /// When it was given.
    pub index: u64,
}

impl Vip {
    fn by(&mut self, reason: Reason) -> &mut bool {
        match reason {
            Reason::Instances => &mut self.by_instances,
            Reason::Entries => &mut self.by_entries,
        }
    }
}

/// Virtual addresses by service (folded name), of all scopes.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Vips {
    pub pool: VipPool,
    pub rows: OrdMap<(Scope, Str), Vip>,
    /// Last time a service lost its address.
    pub extinct: u64,
}

impl Vips {
    pub fn get(&self, scope: &Scope, name: &Str) -> Option<&Vip> {
        self.rows.get(&(scope.clone(), name.clone()))
    }

    /// Index of one service's address.
    pub fn index(&self, scope: &Scope, name: &Str) -> u64 {
        self.get(scope, name).map_or(self.extinct, |vip| vip.index)
    }

    /// There is a reason for an address. When all are in use there is none until the next time.
    pub fn hold(&mut self, index: u64, scope: &Scope, name: &Str, reason: Reason, changes: &mut ChangeSet) {
        let key = (scope.clone(), name.clone());
        if let Some(vip) = self.rows.get_mut(&key) {
            *vip.by(reason) = true;
            return;
        }
        let Some(number) = self.pool.take() else { return };
        let mut vip = Vip { number, index, ..Vip::default() };
        *vip.by(reason) = true;
        self.rows.insert(key, vip);
        changes.touch(Topic::VirtualIp(scope.clone(), name.clone()));
    }

    /// A reason for an address is gone.
    pub fn release(
        &mut self,
        index: u64,
        scope: &Scope,
        name: &Str,
        reason: Reason,
        changes: &mut ChangeSet,
    ) {
        let key = (scope.clone(), name.clone());
        let Some(vip) = self.rows.get_mut(&key) else { return };
        *vip.by(reason) = false;
        if vip.by_instances || vip.by_entries {
            return;
        }
        self.pool.give_back(vip.number);
        self.rows.remove(&key);
        self.extinct = index;
        changes.touch(Topic::VirtualIp(scope.clone(), name.clone()));
    }

    /// Gives a service these addresses besides its own, and takes them from other services of its partition. `None` when it has
    /// no address of its own: nothing is changed then. Otherwise those that lost one.
    pub fn assign(&mut self, scope: &Scope, name: &Str, addresses: &[Ipv4Addr]) -> Option<Vec<(Scope, Str)>> {
        let own = (scope.clone(), name.clone());
        self.rows.get(&own)?;
        let takes = |(key, vip): (&(Scope, Str), &Vip)| {
            let same = key.0.tenancy.partition() == scope.tenancy.partition() && key.0.peer == scope.peer;
            (same && *key != own && vip.manual.iter().any(|a| addresses.contains(a))).then(|| key.clone())
        };
        let losers: Vec<(Scope, Str)> = self.rows.iter().filter_map(takes).collect();
        for key in &losers {
            if let Some(vip) = self.rows.get_mut(key) {
                vip.manual.retain(|a| !addresses.contains(a));
            }
        }
        let mut manual = addresses.to_vec();
        manual.sort_unstable();
        manual.dedup();
        self.rows.get_mut(&own)?.manual = manual;
        Some(losers)
    }

    /// All rows are read: finds out which numbers came back.
    ///
    /// # Errors
    /// What is wrong with the rows.
    pub fn rebuilt(&mut self) -> Result<(), &'static str> {
        let taken: OrdSet<u32> = self.rows.values().map(|vip| vip.number).collect();
        if taken.len() != self.rows.len() {
            return Err("two services have one virtual address");
        }
        if taken.get_min() == Some(&0) || taken.get_max().is_some_and(|n| *n > self.pool.used) {
            return Err("a virtual address was never handed out");
        }
        self.pool.free = (1..=self.pool.used).filter(|n| !taken.contains(n)).collect();
        Ok(())
    }
}

/// Text of an address.
pub(crate) fn address(n: u32) -> Str {
    let mut text = smol_str::SmolStrBuilder::new();
    let written = std::fmt::Write::write_fmt(&mut text, format_args!("{}", Ipv4Addr::from(BASE + n)));
    debug_assert!(written.is_ok());
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_freed_first() {
        let mut p = VipPool::default();
        assert_eq!((p.take(), p.take(), p.take()), (Some(1), Some(2), Some(3)));
        p.give_back(3);
        p.give_back(1);
        assert_eq!((p.peek(), p.take(), p.take(), p.take()), (Some(1), Some(1), Some(3), Some(4)));
        assert_eq!(address(1), "240.0.0.1");
        assert_eq!(address(LAST), "255.255.255.254");
        let mut full = VipPool { used: LAST, free: OrdSet::new() };
        assert_eq!(full.take(), None);
    }
}
