//! Snapshots for readers.

use arc_swap::ArcSwap;
use local::Registry;
use std::{collections::BTreeMap, sync::Arc};
use types::{
    Str, Tenancy,
    record::{HealthCheck, NodeService},
};

type ById<T> = Arc<BTreeMap<Str, Arc<T>>>;

/// What the registry showed at one revision.
#[derive(Default)]
pub(crate) struct View {
    revision: Option<u64>,
    services: BTreeMap<Tenancy, ById<NodeService>>,
    checks: BTreeMap<Tenancy, ById<HealthCheck>>,
}

impl View {
    fn of(r: &Registry) -> Self {
        let mut services: BTreeMap<Tenancy, BTreeMap<Str, Arc<NodeService>>> = BTreeMap::new();
        for (k, s) in r.services() {
            services.entry(k.tenancy.clone()).or_default().insert(k.id.clone(), Arc::clone(&s.row));
        }
        let mut checks: BTreeMap<Tenancy, BTreeMap<Str, Arc<HealthCheck>>> = BTreeMap::new();
        for (k, c) in r.checks() {
            checks.entry(k.tenancy.clone()).or_default().insert(k.id.clone(), Arc::clone(&c.row));
        }
        Self {
            revision: Some(r.revision()),
            services: services.into_iter().map(|(t, m)| (t, Arc::new(m))).collect(),
            checks: checks.into_iter().map(|(t, m)| (t, Arc::new(m))).collect(),
        }
    }

    pub(crate) fn services(&self, tenancy: &Tenancy) -> ById<NodeService> {
        self.services.get(tenancy).cloned().unwrap_or_default()
    }

    pub(crate) fn checks(&self, tenancy: &Tenancy) -> ById<HealthCheck> {
        self.checks.get(tenancy).cloned().unwrap_or_default()
    }
}

/// The latest snapshot, made when somebody asks for it and not at each change.
#[derive(Default)]
pub(crate) struct Views(ArcSwap<View>);

impl Views {
    /// The snapshot of `revision`; `registry` is asked only when it is not there yet.
    pub(crate) fn get(&self, revision: u64, registry: impl FnOnce() -> Arc<View>) -> Arc<View> {
        let view = self.0.load_full();
        if view.revision == Some(revision) {
            return view;
        }
        let view = registry();
        self.0.store(Arc::clone(&view));
        view
    }

    pub(crate) fn of(registry: &Registry) -> Arc<View> {
        Arc::new(View::of(registry))
    }
}
