//! Prepared queries: kept by id, found by name or the longest prefix of it, and executed on what this cluster knows.

mod execute;
mod template;

use crate::{changes::ChangeSet, store::Store, topic::Topic};
use imbl::OrdMap;
use std::sync::Arc;
use types::{
    Str, Tenancy,
    names::fold,
    prepared::{NAME_MAX, PreparedQuery},
    record::RaftIndex,
};

pub(crate) use execute::execute;
use template::Expression;

/// Prepared queries of this datacenter.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct QueryTable {
    rows: OrdMap<Str, Arc<PreparedQuery>>,
    /// Folded name to id; templates are apart.
    names: OrdMap<Str, Str>,
    /// Folded prefix to id.
    templates: OrdMap<Str, Str>,
    /// Compiled expressions of templates, by id.
    expressions: OrdMap<Str, Expression>,
    /// Queries by session.
    sessions: OrdMap<(Str, Str), ()>,
    /// Last change.
    pub index: u64,
}

impl QueryTable {
    pub fn rows(&self) -> &OrdMap<Str, Arc<PreparedQuery>> {
        &self.rows
    }

    pub fn get(&self, id: &str) -> Option<&Arc<PreparedQuery>> {
        self.rows.get(id)
    }

    /// The query of exactly this name, or the template with the longest prefix of it.
    fn named(&self, name: &str) -> Option<&Arc<PreparedQuery>> {
        let folded = fold(name);
        if let Some(id) = self.names.get(&folded).filter(|_| !folded.is_empty()) {
            return self.rows.get(id);
        }
        // Longer prefixes than there may be names are none.
        let mut ends = (0..=folded.len().min(NAME_MAX)).rev().filter(|n| folded.is_char_boundary(*n));
        ends.find_map(|n| self.templates.get(&folded[..n])).and_then(|id| self.rows.get(id))
    }

    /// Makes a query of a template for a name.
    ///
    /// # Errors
    /// What is wrong with the template.
    fn made(&self, template: &PreparedQuery, name: &str) -> Result<PreparedQuery, String> {
        template::render(template, self.expressions.get(&template.id), name, "")
    }

    /// Puts a row where it is found; nothing else moves.
    pub fn restore(&mut self, query: Arc<PreparedQuery>) {
        let name = query.name_key();
        if query.is_template() {
            self.templates.insert(name, query.id.clone());
        } else if !name.is_empty() {
            self.names.insert(name, query.id.clone());
        }
        if !query.session.is_empty() {
            self.sessions.insert((query.session.clone(), query.id.clone()), ());
        }
        // One that cannot be compiled was not taken.
        if let Ok(Some(expression)) = template::compile(&query) {
            self.expressions.insert(query.id.clone(), expression);
        }
        self.rows.insert(query.id.clone(), query);
    }

    fn take_out(&mut self, id: &str) -> Option<Arc<PreparedQuery>> {
        let query = self.rows.remove(id)?;
        let name = query.name_key();
        let names = if query.is_template() { &mut self.templates } else { &mut self.names };
        if names.get(&name).is_some_and(|held| *held == query.id) {
            names.remove(&name);
        }
        self.expressions.remove(id);
        self.sessions.remove(&(query.session.clone(), query.id.clone()));
        Some(query)
    }

    /// The session has ended, and with it the queries that were bound to it.
    pub fn session_ended(&mut self, index: u64, session: &Str, changes: &mut ChangeSet) {
        let from = (session.clone(), Str::default());
        let bound = self.sessions.range(from..).take_while(|((s, _), ())| s == session);
        let bound: Vec<Str> = bound.map(|((_, id), ())| id.clone()).collect();
        for id in bound {
            self.take_out(&id);
            self.index = index;
            changes.touch(Topic::PreparedQueries);
        }
    }
}

trait NameKey {
    fn name_key(&self) -> Str;
}

impl NameKey for PreparedQuery {
    fn name_key(&self) -> Str {
        fold(&self.name)
    }
}

fn failed(why: impl std::fmt::Display) -> Str {
    Str::from(format!("raft apply failed: {why}"))
}

fn unknown(id: &str) -> Str {
    Str::from(format!("Cannot modify non-existent prepared query: '{id}'"))
}

impl Store {
    /// Stores a query.
    ///
    /// # Errors
    /// The text that clients see; nothing was changed.
    pub(crate) fn set_query(
        &mut self,
        index: u64,
        query: &PreparedQuery,
        create: bool,
        changes: &mut ChangeSet,
    ) -> Result<(), Str> {
        let table = &self.queries;
        let old = table.get(&query.id);
        if old.is_none() && !create {
            return Err(unknown(&query.id));
        }
        let name = query.name_key();
        let taken = |names: &OrdMap<Str, Str>| names.get(&name).is_some_and(|id| *id != query.id);
        if query.is_template() && name.is_empty() && taken(&table.templates) {
            return Err(failed("a query template with an empty name already exists"));
        }
        if !name.is_empty() && (taken(&table.names) || taken(&table.templates)) {
            return Err(failed(format!("name '{}' aliases an existing query name", query.name)));
        }
        if table.get(&name).is_some_and(|other| other.id != query.id) {
            return Err(failed(format!("name '{}' aliases an existing query ID", query.name)));
        }
        if !query.session.is_empty() {
            let sessions = self.session_table(&Tenancy::default());
            if sessions.is_none_or(|t| t.get(&query.session).is_none()) {
                return Err(failed(format!("invalid session {:?}", query.session.as_str())));
            }
        }
        template::check(query).map_err(|why| failed(format!("failed compiling template: {why}")))?;
        let create = old.map_or(index, |q| q.index.create);
        let mut row = query.clone();
        row.index = RaftIndex { create, modify: index };
        self.queries.take_out(&query.id);
        self.queries.restore(Arc::new(row));
        self.queries.index = index;
        changes.touch(Topic::PreparedQueries);
        Ok(())
    }

    /// Forgets a query.
    ///
    /// # Errors
    /// The text that clients see; nothing was changed.
    pub(crate) fn delete_query(&mut self, index: u64, id: &str, changes: &mut ChangeSet) -> Result<(), Str> {
        self.queries.take_out(id).ok_or_else(|| unknown(id))?;
        self.queries.index = index;
        changes.touch(Topic::PreparedQueries);
        Ok(())
    }
}
