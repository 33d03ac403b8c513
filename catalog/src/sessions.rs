//! Sessions: what they depend on, and what they leave when they end.

use crate::{
    apply::ApplyCtx,
    catalog::{Broken, RowKey},
    changes::ChangeSet,
    scope::Scope,
    store::Store,
    topic::Topic,
};
use imbl::{OrdMap, OrdSet};
use std::{collections::VecDeque, sync::Arc};
use types::{
    Str, Tenancy,
    record::{HealthCheck, RaftIndex, Session, status},
};

/// Type word of checks that follow sessions by name.
const FOLLOWS_SESSIONS: &str = "session";

/// Sessions of one partition and namespace.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct SessionTable {
    rows: OrdMap<Str, Arc<Session>>,
    /// By folded name of the node. A node without sessions is not listed.
    by_node: OrdMap<Str, OnNode>,
    /// Last change.
    pub index: u64,
}

/// Sessions on one node.
#[derive(Clone, Default, PartialEq, Debug)]
struct OnNode {
    ids: OrdSet<Str>,
    /// Last change.
    index: u64,
}

impl SessionTable {
    pub fn get(&self, id: &str) -> Option<&Arc<Session>> {
        self.rows.get(id)
    }
    pub fn rows(&self) -> &OrdMap<Str, Arc<Session>> {
        &self.rows
    }
    pub fn session_index(&self, id: &str) -> u64 {
        self.get(id).map_or(self.index, |s| s.index.modify)
    }
    pub fn on_node<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Arc<Session>> {
        self.by_node.get(node).into_iter().flat_map(|n| n.ids.iter()).filter_map(|id| self.rows.get(id))
    }
    pub fn node_index(&self, node: &str) -> u64 {
        self.by_node.get(node).map_or(self.index, |n| n.index)
    }
    /// Nodes with sessions, and their last change.
    pub fn node_indexes(&self) -> impl Iterator<Item = (&Str, u64)> {
        self.by_node.iter().map(|(node, n)| (node, n.index))
    }

    /// Puts a row where it is found; nothing else moves.
    pub fn restore(&mut self, session: Arc<Session>) {
        self.by_node.entry(session.node.folded()).or_default().ids.insert(session.id.clone());
        self.rows.insert(session.id.clone(), session);
    }
    /// Sets what rows do not tell.
    pub fn set_node_index(&mut self, node: Str, index: u64) {
        self.by_node.entry(node).or_default().index = index;
    }

    fn insert(&mut self, index: u64, session: Arc<Session>, changes: &mut ChangeSet) {
        self.restore(session.clone());
        self.touched(index, &session, changes);
    }

    fn remove(&mut self, index: u64, id: &str, changes: &mut ChangeSet) -> Option<Arc<Session>> {
        let session = self.rows.remove(id)?;
        if let Some(node) = self.by_node.get_mut(&session.node.folded()) {
            node.ids.remove(id);
        }
        self.touched(index, &session, changes);
        Some(session)
    }

    fn touched(&mut self, index: u64, session: &Session, changes: &mut ChangeSet) {
        self.index = index;
        let node = session.node.folded();
        if let Some(row) = self.by_node.get_mut(&node) {
            row.index = index;
            if row.ids.is_empty() {
                self.by_node.remove(&node);
            }
        }
        let tenancy = &session.tenancy;
        changes.touch(Topic::Session(tenancy.clone(), session.id.clone()));
        changes.touch(Topic::NodeSessions(tenancy.clone(), node));
        changes.touch(Topic::Sessions(tenancy.clone()));
        if session.ttl_ns > 0 {
            changes.touch(Topic::Deadlines);
        }
    }
}

/// Keys of the checks that a session depends on, in the scope of its node.
fn depends_on(session: &Session) -> impl Iterator<Item = (&Str, RowKey)> {
    let own = &session.tenancy;
    let on_node = session.node_checks.iter().map(move |id| (id, RowKey::new(&own.node_scope(), id)));
    let of_services = session.service_checks.iter().flatten().map(move |check| {
        let tenancy = match check.namespace.as_str() {
            "" => own.clone(),
            namespace => Tenancy::new(own.partition(), namespace),
        };
        (&check.id, RowKey::new(&tenancy, &check.id))
    });
    on_node.chain(of_services)
}

impl Store {
    /// Whether a session may take a lock here, or give one back: then it need not exist, it just holds none.
    ///
    /// # Errors
    /// The text that clients see.
    pub(crate) fn may_lock(&self, tenancy: &Tenancy, session: &Str, takes: bool) -> Result<(), Str> {
        if session.is_empty() {
            return Err("missing session".into());
        }
        match self.session_table(tenancy).and_then(|t| t.get(session)) {
            Some(_) => Ok(()),
            None if !takes => Ok(()),
            None => Err(Str::from(format!("invalid session {:?}", session.as_str()))),
        }
    }

    /// Stores a new session.
    ///
    /// # Errors
    /// The text of what is wrong with it; nothing was changed.
    pub(crate) fn create_session(
        &mut self,
        ctx: &ApplyCtx,
        session: &Session,
        changes: &mut ChangeSet,
    ) -> Result<(), Str> {
        let scope = Scope::local(&session.tenancy);
        let (nodes, node) = (scope.of_nodes(), session.node.folded());
        let row = self.catalog.nodes.get(&nodes).and_then(|t| t.rows.get(&node));
        let row = row.ok_or_else(|| Str::new_static("Missing node registration"))?;
        for (id, key) in depends_on(session) {
            let check = row.checks.get(&key);
            let check = check.ok_or_else(|| Str::from(format!("Missing check '{id}' registration")))?;
            if check.status.as_str() == status::CRITICAL {
                return Err(Str::from(format!("Check '{id}' is in {} state", status::CRITICAL)));
            }
        }
        if self.session_table(&session.tenancy).is_some_and(|t| t.get(&session.id).is_some()) {
            return Err(Str::from(format!("session {:?} exists already", session.id.as_str())));
        }
        let mut session = session.clone();
        session.node = row.node.name.clone();
        session.index = RaftIndex { create: ctx.index, modify: ctx.index };
        let session = Arc::new(session);
        self.sessions.get_mut(&scope).insert(ctx.index, session.clone(), changes);
        let broken = self.tell_checks(ctx, &session, changes);
        self.end_broken_sessions(ctx, broken, changes);
        Ok(())
    }

    /// Ends a session, if there is one.
    pub(crate) fn end_session(
        &mut self,
        ctx: &ApplyCtx,
        tenancy: &Tenancy,
        id: &Str,
        changes: &mut ChangeSet,
    ) {
        let broken = self.remove_session(ctx, tenancy, id, changes);
        self.end_broken_sessions(ctx, broken, changes);
    }

    /// Ends the sessions that depended on something. Checks that follow these by name may end further ones, and so on: each
    /// round removes sessions, so it comes to an end.
    pub(crate) fn end_broken_sessions(
        &mut self,
        ctx: &ApplyCtx,
        broken: Vec<Broken>,
        changes: &mut ChangeSet,
    ) {
        let mut broken = VecDeque::from(broken);
        while let Some(cause) = broken.pop_front() {
            for (tenancy, id) in self.dependents(&cause) {
                broken.extend(self.remove_session(ctx, &tenancy, &id, changes));
            }
        }
    }

    /// Sessions that end with `cause`.
    fn dependents(&self, cause: &Broken) -> Vec<(Tenancy, Str)> {
        let (nodes, node) = match cause {
            Broken::Node(nodes, node) | Broken::Check(nodes, node, _) => (nodes, node),
        };
        if !nodes.peer.is_local() {
            return Vec::new();
        }
        let concerned = |session: &Session| match cause {
            Broken::Node(..) => true,
            Broken::Check(_, _, key) => depends_on(session).any(|(_, k)| k == *key),
        };
        self.sessions
            .iter()
            .filter(|(scope, _)| scope.of_nodes() == *nodes)
            .flat_map(|(_, table)| table.on_node(node))
            .filter(|session| concerned(session))
            .map(|session| (session.tenancy.clone(), session.id.clone()))
            .collect()
    }

    fn remove_session(
        &mut self,
        ctx: &ApplyCtx,
        tenancy: &Tenancy,
        id: &Str,
        changes: &mut ChangeSet,
    ) -> Vec<Broken> {
        if self.session_table(tenancy).is_none_or(|t| t.get(id).is_none()) {
            return Vec::new();
        }
        let scope = Scope::local(tenancy);
        let Some(session) = self.sessions.get_mut(&scope).remove(ctx.index, id, changes) else {
            return Vec::new();
        };
        self.queries.session_ended(ctx.index, id, changes);
        if self.kv_table(tenancy).is_some() {
            self.kv.get_mut(&scope).session_ended(ctx, tenancy, &session, changes);
        }
        self.tell_checks(ctx, &session, changes)
    }

    /// Sets the checks on the session's node that follow sessions of its name: passing while there is one.
    fn tell_checks(&mut self, ctx: &ApplyCtx, session: &Session, changes: &mut ChangeSet) -> Vec<Broken> {
        let nodes = Scope::local(&session.tenancy).of_nodes();
        let node = session.node.folded();
        let Some(row) = self.catalog.nodes.get(&nodes).and_then(|t| t.rows.get(&node)) else {
            return Vec::new();
        };
        let follows = |c: &HealthCheck| {
            c.kind.as_str() == FOLLOWS_SESSIONS
                && c.definition
                    .as_ref()
                    .is_some_and(|d| !d.session_name.is_empty() && d.session_name == session.name)
        };
        let followers: Vec<(RowKey, Arc<HealthCheck>)> =
            row.checks.iter().filter(|(_, c)| follows(c)).map(|(k, c)| (k.clone(), c.clone())).collect();
        if followers.is_empty() {
            return Vec::new();
        }
        let in_force = self
            .sessions
            .iter()
            .filter(|(scope, _)| scope.of_nodes() == nodes)
            .flat_map(|(_, table)| table.on_node(&node))
            .find(|s| s.name == session.name);
        let (state, output) = match in_force {
            Some(s) => (status::PASSING, format!("Session '{}' in force", s.id)),
            None => (status::CRITICAL, format!("Session '{}' is invalid", session.id)),
        };
        let mut edit = crate::catalog::Edit::new(&mut self.catalog, ctx.index, changes);
        for (key, check) in followers {
            if check.status.as_str() != state {
                let mut check = HealthCheck::clone(&check);
                (check.status, check.output) = (state.into(), Str::from(output.clone()));
                edit.store_check(&nodes, &node, &key, check);
            }
        }
        edit.broken
    }
}
