//! Transactions: operations run on a copy of the state, which takes its place when none failed.

use crate::{
    apply::ApplyCtx,
    catalog::{self, NodeRow, RowKey},
    changes::ChangeSet,
    kv::{KvTable, Locked, Put},
    scope::Scope,
    store::Store,
};
use std::sync::Arc;
use types::{
    DatacenterName, NodeName, Str, Tenancy,
    command::{Deregister, Register},
    record::{HealthCheck, KvEntry, Node, NodeService, RaftIndex},
    txn::{self, KvVerb, RowVerb, TxnAnswer, TxnOp, TxnResult},
};

type Outcome = Result<Vec<TxnResult>, Str>;

fn fail<T>(text: String) -> Result<T, Str> {
    Err(Str::from(text))
}

fn collect(ops: &[TxnOp], mut run: impl FnMut(&TxnOp) -> Outcome) -> TxnAnswer {
    let mut answer = TxnAnswer::default();
    for (at, op) in (0u32..).zip(ops) {
        match run(op) {
            Ok(results) => answer.results.extend(results),
            Err(why) => answer.errors.push((at, why)),
        }
    }
    if !answer.errors.is_empty() {
        answer.results.clear();
    }
    answer
}

/// Answers operations that only read.
pub(crate) fn read(store: &Store, ops: &[TxnOp]) -> TxnAnswer {
    let errors = txn::mistakes(ops);
    if !errors.is_empty() {
        return TxnAnswer { errors, ..TxnAnswer::default() };
    }
    collect(ops, |op| store.txn_read(op))
}

impl Store {
    /// Runs all operations, or none when one fails.
    pub(crate) fn apply_txn(
        &mut self,
        ctx: &ApplyCtx,
        datacenter: &DatacenterName,
        ops: &[TxnOp],
        changes: &mut ChangeSet,
    ) -> TxnAnswer {
        let errors = txn::mistakes(ops);
        if !errors.is_empty() {
            return TxnAnswer { errors, ..TxnAnswer::default() };
        }
        let (mut trial, mut touched) = (self.clone(), ChangeSet::new());
        let answer = collect(ops, |op| {
            if op.writes() { trial.txn_write(ctx, datacenter, op, &mut touched) } else { trial.txn_read(op) }
        });
        if answer.errors.is_empty() {
            *self = trial;
            changes.absorb(touched);
        }
        answer
    }

    fn txn_read(&self, op: &TxnOp) -> Outcome {
        match op {
            TxnOp::Kv { tenancy, verb, key, flags, index, session, .. } => {
                let table = self.kv_table(tenancy);
                let found = table.and_then(|t| t.get(key));
                let missing = || Str::from(format!("key {key:?} doesn't exist", key = key.as_str()));
                match verb {
                    KvVerb::Get => Ok(vec![TxnResult::Kv(found.ok_or_else(missing)?.clone(), true)]),
                    KvVerb::GetOrEmpty => {
                        let empty = || {
                            Arc::new(KvEntry {
                                key: key.clone(),
                                flags: *flags,
                                value: bytes::Bytes::new(),
                                session: None,
                                lock_index: 0,
                                tenancy: tenancy.clone(),
                                index: RaftIndex::default(),
                            })
                        };
                        Ok(vec![TxnResult::Kv(found.cloned().unwrap_or_else(empty), true)])
                    }
                    KvVerb::GetTree => Ok(table
                        .into_iter()
                        .flat_map(|t| t.list(key))
                        .map(|e| TxnResult::Kv(e.clone(), true))
                        .collect()),
                    KvVerb::CheckIndex => {
                        let key = key.as_str();
                        let Some(found) = found else {
                            return fail(format!("failed to check index, key {key:?} doesn't exist"));
                        };
                        let now = found.index.modify;
                        if now != *index {
                            return fail(format!(
                                "failed index check for key {key:?}, current modify index {now} != {index}"
                            ));
                        }
                        Ok(vec![TxnResult::Kv(found.clone(), false)])
                    }
                    KvVerb::CheckSession => {
                        let key = key.as_str();
                        let Some(found) = found else {
                            return fail(format!("failed to check session, key {key:?} doesn't exist"));
                        };
                        let holder = found.session.as_deref().unwrap_or("");
                        if holder != session.as_str() {
                            return fail(format!(
                                "failed session check for key {key:?}, current session {holder:?} != {:?}",
                                session.as_str()
                            ));
                        }
                        Ok(vec![TxnResult::Kv(found.clone(), false)])
                    }
                    KvVerb::CheckNotExists if found.is_some() => {
                        fail(format!("key {:?} exists", key.as_str()))
                    }
                    KvVerb::CheckNotExists => Ok(Vec::new()),
                    other => fail(format!("unknown KV operation: {other:?}")),
                }
            }
            TxnOp::Node { node, .. } => {
                let found = self.txn_node(&node.tenancy, &node.name);
                let missing = || Str::from(format!("node {:?} doesn't exist", node.name.as_str()));
                Ok(vec![TxnResult::Node(found.ok_or_else(missing)?.node.clone())])
            }
            TxnOp::Service { node, service, .. } => {
                let found = self.txn_service(node, service);
                let missing = || {
                    let (id, node) = (service.id.as_str(), node.as_str());
                    Str::from(format!("service {id:?} on node {node:?} doesn't exist"))
                };
                Ok(vec![TxnResult::Service(found.ok_or_else(missing)?.clone())])
            }
            TxnOp::Check { check, .. } => {
                let found = self.txn_check(check);
                let missing = || {
                    let (id, node) = (check.check_id.as_str(), check.node.as_str());
                    Str::from(format!("check {id:?} on node {node:?} doesn't exist"))
                };
                Ok(vec![TxnResult::Check(found.ok_or_else(missing)?.clone())])
            }
        }
    }

    fn txn_write(
        &mut self,
        ctx: &ApplyCtx,
        datacenter: &DatacenterName,
        op: &TxnOp,
        changes: &mut ChangeSet,
    ) -> Outcome {
        self.owner_exists(op.owner())?;
        match op {
            TxnOp::Kv { .. } => self.txn_kv(ctx, op, changes),
            TxnOp::Node { verb, node } => self.txn_write_node(ctx, datacenter, verb, node, changes),
            TxnOp::Service { verb, node, service } => {
                self.txn_write_service(ctx, datacenter, verb, node, service, changes)
            }
            TxnOp::Check { verb, check } => self.txn_write_check(ctx, datacenter, verb, check, changes),
        }
    }

    fn txn_kv(&mut self, ctx: &ApplyCtx, op: &TxnOp, changes: &mut ChangeSet) -> Outcome {
        let TxnOp::Kv { tenancy, verb, key, value, flags, index, session } = op else {
            return Ok(Vec::new());
        };
        if matches!(verb, KvVerb::Lock | KvVerb::Unlock) {
            self.may_lock(tenancy, session, *verb == KvVerb::Lock)?;
        }
        let deletes = matches!(verb, KvVerb::Delete | KvVerb::DeleteCas | KvVerb::DeleteTree);
        if deletes && self.kv_table(tenancy).is_none() {
            return Ok(Vec::new());
        }
        let table: &mut KvTable = self.kv.get_mut(&Scope::local(tenancy));
        let current = table.get(key).map(|e| e.index.modify);
        let name = key.as_str();
        let put = Put { tenancy, key, value, flags: *flags };
        match verb {
            KvVerb::Cas if current.unwrap_or(0) != *index => {
                return fail(format!("failed to set key {name:?}, index is stale"));
            }
            KvVerb::Set | KvVerb::Cas => table.set(ctx, put, changes),
            KvVerb::Lock => match table.lock(ctx, put, session, changes) {
                Locked::Yes => {}
                Locked::Held => {
                    return fail(format!("failed to lock key {name:?}, lock is already held"));
                }
                Locked::Delayed => return fail(format!("failed to lock key {name:?} due to lock delay")),
            },
            KvVerb::Unlock => {
                if !table.unlock(ctx, put, session, changes) {
                    return fail(format!(
                        "failed to unlock key {name:?}, lock isn't held, or is held by another session"
                    ));
                }
            }
            KvVerb::DeleteCas if current.is_some_and(|c| c != *index) => {
                return fail(format!("failed to delete key {name:?}, index is stale"));
            }
            KvVerb::Delete | KvVerb::DeleteCas => {
                table.delete(ctx.index, tenancy, key, changes);
                return Ok(Vec::new());
            }
            _ => {
                let keys: Vec<Str> = table.list(key).map(|e| e.key.clone()).collect();
                for key in keys {
                    table.delete(ctx.index, tenancy, &key, changes);
                }
                return Ok(Vec::new());
            }
        }
        Ok(table.get(key).map(|e| TxnResult::Kv(e.clone(), false)).into_iter().collect())
    }

    fn txn_write_node(
        &mut self,
        ctx: &ApplyCtx,
        datacenter: &DatacenterName,
        verb: &RowVerb,
        node: &Node,
        changes: &mut ChangeSet,
    ) -> Outcome {
        let current = self.txn_node(&node.tenancy, &node.name).map(|r| r.node.index.modify);
        let what = || format!("node {:?}", node.name.as_str());
        if conditions(verb, current, node.index.modify, "node", &what)? {
            let d = Deregister {
                node: node.name.clone(),
                tenancy: node.tenancy.clone(),
                ..Deregister::default()
            };
            self.edit(ctx, changes, |edit| catalog::deregister(edit, &d))?;
            return Ok(Vec::new());
        }
        let r = Register {
            datacenter: datacenter.clone(),
            id: node.id.clone(),
            node: node.name.clone(),
            address: node.address.clone(),
            tagged_addresses: node.tagged_addresses.clone(),
            node_meta: node.meta.clone(),
            locality: node.locality.clone(),
            tenancy: node.tenancy.clone(),
            ..Register::default()
        };
        self.edit(ctx, changes, |edit| catalog::register(edit, &r))?;
        let stored = self.txn_node(&node.tenancy, &node.name);
        Ok(stored.map(|r| TxnResult::Node(r.node.clone())).into_iter().collect())
    }

    fn txn_write_service(
        &mut self,
        ctx: &ApplyCtx,
        datacenter: &DatacenterName,
        verb: &RowVerb,
        node: &NodeName,
        service: &NodeService,
        changes: &mut ChangeSet,
    ) -> Outcome {
        let mut service = service.clone();
        if service.id.is_empty() {
            service.id = service.service.0.clone().into();
        }
        let current = self.txn_service(node, &service).map(|s| s.index.modify);
        let what = || format!("service {:?} on node {:?}", service.id.as_str(), node.as_str());
        if conditions(verb, current, service.index.modify, "service", &what)? {
            let d = Deregister {
                node: node.clone(),
                service_id: service.id.clone(),
                tenancy: service.tenancy.clone(),
                ..Deregister::default()
            };
            self.edit(ctx, changes, |edit| catalog::deregister(edit, &d))?;
            return Ok(Vec::new());
        }
        if self.txn_node(&service.tenancy, node).is_none() {
            return Err("Missing node registration".into());
        }
        let r = Register {
            datacenter: datacenter.clone(),
            node: node.clone(),
            skip_node_update: true,
            tenancy: service.tenancy.clone(),
            service: Some(Box::new(service.clone())),
            ..Register::default()
        };
        self.edit(ctx, changes, |edit| catalog::register(edit, &r))?;
        let stored = self.txn_service(node, &service);
        Ok(stored.map(|s| TxnResult::Service(s.clone())).into_iter().collect())
    }

    fn txn_write_check(
        &mut self,
        ctx: &ApplyCtx,
        datacenter: &DatacenterName,
        verb: &RowVerb,
        check: &HealthCheck,
        changes: &mut ChangeSet,
    ) -> Outcome {
        let mut check = check.clone();
        if check.check_id.is_empty() {
            check.check_id = types::CheckId(check.name.clone());
        }
        let current = self.txn_check(&check).map(|c| c.index.modify);
        let what = || format!("check {:?} on node {:?}", check.check_id.as_str(), check.node.as_str());
        if conditions(verb, current, check.index.modify, "check", &what)? {
            let d = Deregister {
                node: check.node.clone(),
                check_id: check.check_id.clone(),
                tenancy: check.tenancy.clone(),
                ..Deregister::default()
            };
            self.edit(ctx, changes, |edit| catalog::deregister(edit, &d))?;
            return Ok(Vec::new());
        }
        let Some(row) = self.txn_node(&check.tenancy, &check.node) else {
            return Err("Missing node registration".into());
        };
        let service = RowKey::new(&check.tenancy, &check.service_id);
        if !check.service_id.is_empty() && !row.services.contains_key(&service) {
            return Err("Missing service registration".into());
        }
        let r = Register {
            datacenter: datacenter.clone(),
            node: check.node.clone(),
            skip_node_update: true,
            tenancy: check.tenancy.clone(),
            checks: vec![check.clone()],
            ..Register::default()
        };
        self.edit(ctx, changes, |edit| catalog::register(edit, &r))?;
        let stored = self.txn_check(&check);
        Ok(stored.map(|c| TxnResult::Check(c.clone())).into_iter().collect())
    }

    fn txn_node(&self, tenancy: &Tenancy, name: &NodeName) -> Option<&Arc<NodeRow>> {
        self.catalog.nodes.get(&Scope::local(&tenancy.node_scope()))?.rows.get(&name.folded())
    }
    fn txn_service(&self, node: &NodeName, service: &NodeService) -> Option<&Arc<NodeService>> {
        self.txn_node(&service.tenancy, node)?.services.get(&RowKey::new(&service.tenancy, &service.id))
    }
    fn txn_check(&self, check: &HealthCheck) -> Option<&Arc<HealthCheck>> {
        self.txn_node(&check.tenancy, &check.node)?.checks.get(&RowKey::new(&check.tenancy, &check.check_id))
    }
}

/// Whether the row is to be removed (`true`) or written, when the operation may go on.
fn conditions(
    verb: &RowVerb,
    current: Option<u64>,
    expected: u64,
    kind: &str,
    what: &dyn Fn() -> String,
) -> Result<bool, Str> {
    match verb {
        RowVerb::Set => Ok(false),
        RowVerb::Cas if current.unwrap_or(0) == expected => Ok(false),
        RowVerb::Cas => fail(format!("failed to set {}, index is stale", what())),
        RowVerb::Delete => Ok(true),
        RowVerb::DeleteCas if current == Some(expected) => Ok(true),
        RowVerb::DeleteCas => fail(format!("failed to delete {}, index is stale", what())),
        RowVerb::Unknown(word) => fail(format!("unknown {kind} operation: {word}")),
        RowVerb::Get => fail(format!("unknown {kind} operation: get")),
    }
}
