//! Definitions of files, and what was persisted, at start and reload.

use crate::{inner::Inner, store::remove};
use local::{Change, Key, LocalError, Registry, Source};
use std::{collections::BTreeSet, path::Path, sync::Arc};
use types::{
    SecretToken, Str,
    definition::{CheckDefinition, ServiceDefinition},
};

/// The services and checks of definition files, in file order.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct FileDefinitions {
    /// Services, with their checks and sidecars inside.
    pub services: Vec<ServiceDefinition>,
    /// Top-level checks.
    pub checks: Vec<CheckDefinition>,
}

fn failed(what: &str, quoted: impl std::fmt::Display, e: &LocalError) -> LocalError {
    LocalError::Internal(Str::from(format!("Failed to register {what} {quoted}: {e}")))
}

/// Makes the registry hold exactly `files` beside what came over HTTP: all of it, or, when a definition is refused, nothing.
/// Checks that stay keep their state.
pub(crate) async fn load(inner: &Arc<Inner>, files: &FileDefinitions) -> Result<(), LocalError> {
    let change = inner.register(|registry, now| {
        let mut next = registry.clone();
        let change = replace(&mut next, files, now)?;
        *registry = next;
        Ok(change)
    })?;
    // What a file defines wins over what was registered before under the same id: that form is removed.
    inner.persist(&change).await
}

fn replace(next: &mut Registry, files: &FileDefinitions, now_ms: u64) -> Result<Change, LocalError> {
    let none = SecretToken::default();
    let mut all = Change::default();
    next.release_file_sidecar_ports();
    for d in &files.services {
        let change = next
            .register_service(d, Source::File, false, &none, now_ms)
            .map_err(|e| failed("service", format_args!("{:?}", d.name), &e))?;
        all.merge(change);
    }
    for c in &files.checks {
        let change = next
            .register_check(c, Source::File, &none, now_ms)
            .map_err(|e| failed("check", format_args!("'{}'", c.name), &e))?;
        all.merge(change);
    }
    let services: BTreeSet<Key> = all.services.iter().cloned().collect();
    let checks: BTreeSet<Key> = all.checks.iter().cloned().collect();
    all.merge(next.retire_files(&services, &checks));
    Ok(all)
}

/// Takes back what was registered over HTTP before the agent stopped.
pub(crate) async fn restore(inner: &Arc<Inner>) -> Result<(), LocalError> {
    let Some(store) = inner.store() else { return Ok(()) };
    let unreadable = |e: std::io::Error| {
        LocalError::Internal(Str::from(format!("failed to read persisted registrations: {e}")))
    };
    for (path, p) in store.services().await.map_err(unreadable)? {
        let taken = inner.change(|r| r.restore_service(p));
        settle(inner, &path, taken).await;
    }
    for (path, p) in store.checks().await.map_err(unreadable)? {
        let now = inner.now_ms();
        let taken = inner.change(|r| r.restore_check(p, now));
        settle(inner, &path, taken).await;
    }
    let (unix_ms, now) = (inner.ports.clock.unix_ms(), inner.now_ms());
    for (path, state) in store.states().await.map_err(unreadable)? {
        if !inner.change(|r| r.restore_state(&state, unix_ms, now)) {
            discard(&path).await;
        }
    }
    Ok(())
}

async fn settle(inner: &Arc<Inner>, path: &Path, taken: Result<Option<Change>, LocalError>) {
    match taken {
        Ok(Some(change)) => inner.apply_runners(&inner.registry.lock(), &change),
        Ok(None) => discard(path).await,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a persisted registration is not taken back");
        }
    }
}

async fn discard(path: &Path) {
    if let Err(error) = remove(path).await {
        tracing::warn!(path = %path.display(), %error, "cannot remove an obsolete registration");
    }
}
