//! Writes.

use crate::{
    catalog::{self, Edit},
    changes::ChangeSet,
    entries::EntryTable,
    kv::KvTable,
    scope::Scope,
    store::Store,
    topic::Topic,
    vip::{self, Reason},
};
use types::{
    Str, Tenancy,
    command::{AutopilotConfig, Command, CommandResponse, KvOp},
    entry::{EntryKey, EntryKind},
    record::RaftIndex,
};

/// What the log says about an entry besides the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApplyCtx {
    /// Index of the entry.
    pub index: u64,
    /// Wall time of the proposer, Unix milliseconds.
    pub proposed_at_ms: u64,
}

impl Store {
    /// Applies one command, adds what it touched to `changes`, and answers it. A refused command changes nothing but the
    /// index of the state.
    pub fn apply(&mut self, ctx: &ApplyCtx, command: &Command, changes: &mut ChangeSet) -> CommandResponse {
        self.applied(ctx.index);
        changes.applied(ctx.index);
        let ctx = &ApplyCtx { index: ctx.index + self.lineage.offset, ..*ctx };
        match command {
            Command::Batch(commands) => {
                let one = |c| match c {
                    // What follows it would be another state's.
                    &Command::RestoreCommit { .. } => {
                        CommandResponse::Refused("a batch cannot hold a restore".into())
                    }
                    c => self.apply_single(ctx, c, changes),
                };
                CommandResponse::Batch(commands.iter().map(one).collect())
            }
            single => self.apply_single(ctx, single, changes),
        }
    }

    /// A service has a virtual address while there are configuration entries for it, too.
    fn give_vip(&mut self, index: u64, scope: &Scope, key: &EntryKey, changes: &mut ChangeSet) {
        if !vip::ENTRY_KINDS.contains(&key.kind) || key.name == "*" {
            return;
        }
        let of = |kind: &EntryKind| EntryKey { kind: *kind, name: key.name.clone() };
        let any = |table: &EntryTable| vip::ENTRY_KINDS.iter().any(|kind| table.get(&of(kind)).is_some());
        let vips = &mut self.catalog.vips;
        if self.entries.get(scope).is_some_and(any) {
            vips.hold(index, scope, &key.name, Reason::Entries, changes);
        } else {
            vips.release(index, scope, &key.name, Reason::Entries, changes);
        }
    }

    fn apply_single(
        &mut self,
        ctx: &ApplyCtx,
        command: &Command,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        let index = ctx.index;
        let answer = |r: Result<(), Str>| r.map_or_else(CommandResponse::Refused, |()| CommandResponse::Ok);
        if let Err(missing) = self.owners_exist(command) {
            return CommandResponse::Refused(missing);
        }
        match command {
            Command::Noop => CommandResponse::Ok,
            Command::Register(request) => {
                answer(self.edit(ctx, changes, |edit| catalog::register(edit, request)))
            }
            Command::Deregister(request) => {
                answer(self.edit(ctx, changes, |edit| catalog::deregister(edit, request)))
            }
            Command::Kv { tenancy, op } => self.apply_kv(ctx, tenancy, op, changes),
            Command::CaSet { expect_index, config, state, roots } => {
                let change = self.authority.set(index, *expect_index, config, state, roots);
                if let Some(change) = &change {
                    if change.config {
                        changes.touch(Topic::CaConfig);
                    }
                    if change.roots {
                        changes.touch(Topic::CaRoots);
                    }
                }
                CommandResponse::Bool(change.is_some())
            }
            Command::CaSerial => CommandResponse::Number(self.authority.next_serial()),
            Command::AutopilotSet { config, cas } => self.set_autopilot(index, config, *cas, changes),
            Command::ReapTombstones { up_to } => {
                let up_to = up_to.saturating_add(self.lineage.offset);
                self.kv.each_mut(|table| table.reap(up_to));
                CommandResponse::Ok
            }
            Command::ConfigEntrySet { entry, cas } => {
                let scope = Scope::local(&entry.tenancy);
                let mut table = self.entries.get(&scope).cloned().unwrap_or_default();
                let answer = table.set(index, entry, *cas, changes);
                // A refused entry makes no table.
                if table.index() == index {
                    *self.entries.get_mut(&scope) = table;
                }
                self.give_vip(index, &scope, &entry.key(), changes);
                answer
            }
            Command::ConfigEntryDelete { tenancy, kind, name, cas } => {
                let scope = Scope::local(tenancy);
                if self.entries.get(&scope).is_none() {
                    return CommandResponse::Bool(true);
                }
                let key = EntryKey::new(*kind, name);
                let answer = self.entries.get_mut(&scope).delete(index, tenancy, key.clone(), *cas, changes);
                self.give_vip(index, &scope, &key, changes);
                answer
            }
            Command::FederationStateSet { state } => {
                self.federation.set(index, state, changes);
                CommandResponse::Ok
            }
            Command::FederationStateDelete { datacenter } => {
                self.federation.delete(index, &datacenter.folded(), changes);
                CommandResponse::Ok
            }
            Command::ReplicateConfigEntries { set, delete } => {
                for entry in set {
                    let scope = Scope::local(&entry.tenancy);
                    self.entries.get_mut(&scope).put(index, entry, changes);
                    self.give_vip(index, &scope, &entry.key(), changes);
                }
                for (tenancy, key) in delete {
                    let scope = Scope::local(tenancy);
                    if self.entries.get(&scope).is_some() {
                        self.entries.get_mut(&scope).remove(index, tenancy, key, changes);
                        self.give_vip(index, &scope, key, changes);
                    }
                }
                CommandResponse::Ok
            }
            Command::ReplicateFederationStates { set, delete } => {
                for state in set {
                    self.federation.set(index, state, changes);
                }
                for datacenter in delete {
                    self.federation.delete(index, &datacenter.folded(), changes);
                }
                CommandResponse::Ok
            }
            Command::ManualVips { tenancy, service, addresses } => {
                let vips = &mut self.catalog.vips;
                let losers = vips.assign(&Scope::local(tenancy), &service.folded(), addresses);
                CommandResponse::ManualVips(
                    losers.map(|losers| {
                        losers.into_iter().map(|(scope, name)| (scope.tenancy, name)).collect()
                    }),
                )
            }
            Command::SessionCreate(session) => answer(self.create_session(ctx, session, changes)),
            Command::SessionDestroy { tenancy, id } => {
                self.end_session(ctx, tenancy, id, changes);
                CommandResponse::Ok
            }
            Command::Txn { datacenter, ops } => {
                CommandResponse::Txn(Box::new(self.apply_txn(ctx, datacenter, ops, changes)))
            }
            Command::ExpireKeys { keys } => {
                for (tenancy, key, at) in keys {
                    if self.kv_table(tenancy).is_some() {
                        self.kv.get_mut(&Scope::local(tenancy)).expire(index, tenancy, key, *at, changes);
                    }
                }
                CommandResponse::Ok
            }
            Command::PartitionSet(row) => answer(self.set_partition(index, row, changes)),
            Command::PartitionDelete { name } => answer(self.delete_partition(index, name, changes)),
            Command::NamespaceSet(row) => answer(self.set_namespace(index, row, changes)),
            Command::NamespaceDelete { partition, name } => {
                answer(self.delete_namespace(index, partition, name, changes))
            }
            Command::RestoreChunk { id, at, data } => answer(self.stage(id, *at, data)),
            Command::RestoreCommit { id, chunks } => answer(self.commit_restore(ctx, id, *chunks, changes)),
            Command::RestoreAbort => {
                self.staging = None;
                CommandResponse::Ok
            }
            Command::CoordinateUpdates(rows) => {
                self.catalog.update_coordinates(index, rows, changes);
                CommandResponse::Ok
            }
            Command::PreparedQuerySet { query, create } => {
                answer(self.set_query(index, query, *create, changes))
            }
            Command::PreparedQueryDelete { id } => answer(self.delete_query(index, id, changes)),
            Command::Batch(_) => CommandResponse::Refused("a batch cannot hold another batch".into()),
        }
    }

    /// Changes the catalog, and ends the sessions that depended on what broke.
    pub(crate) fn edit<T>(
        &mut self,
        ctx: &ApplyCtx,
        changes: &mut ChangeSet,
        f: impl FnOnce(&mut Edit<'_>) -> T,
    ) -> T {
        let mut edit = Edit::new(&mut self.catalog, ctx.index, changes);
        let out = f(&mut edit);
        let broken = edit.broken;
        self.end_broken_sessions(ctx, broken, changes);
        out
    }

    fn apply_kv(
        &mut self,
        ctx: &ApplyCtx,
        tenancy: &Tenancy,
        op: &KvOp,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        if let Some((session, takes)) = op.session()
            && let Err(why) = self.may_lock(tenancy, session, takes)
        {
            return CommandResponse::Refused(why);
        }
        if op.written_key().is_none() && self.kv_table(tenancy).is_none() {
            // Nothing was ever stored there: no table is made for the asking.
            return KvTable::default().apply(ctx, tenancy, op, &mut ChangeSet::new());
        }
        self.kv.get_mut(&Scope::local(tenancy)).apply(ctx, tenancy, op, changes)
    }

    fn set_autopilot(
        &mut self,
        index: u64,
        config: &AutopilotConfig,
        cas: Option<u64>,
        changes: &mut ChangeSet,
    ) -> CommandResponse {
        let old = self.autopilot.index;
        if cas.is_some_and(|cas| cas != old.modify) {
            return CommandResponse::Bool(false);
        }
        self.autopilot.config = config.clone();
        self.autopilot.index =
            RaftIndex { create: if old.create == 0 { index } else { old.create }, modify: index };
        changes.touch(Topic::Autopilot);
        if cas.is_some() { CommandResponse::Bool(true) } else { CommandResponse::Ok }
    }
}
