//! Small singletons: the certificate authority and autopilot's settings.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use types::{
    Str,
    ca::{CaConfig, CaProviderState, CaRoot, CaRoots},
    command::AutopilotConfig,
    record::RaftIndex,
};

/// The authority.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Authority {
    /// `None` before the first leader made it.
    state: Option<Arc<AuthorityState>>,
    /// Last serial number that was handed out.
    serial: u64,
}

/// Everything that is replicated about the authority.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorityState {
    pub config: CaConfig,
    pub provider: CaProviderState,
    pub roots: Vec<CaRoot>,
    pub roots_index: u64,
}

/// What [`Authority::set`] moved.
pub(crate) struct AuthorityChange {
    pub config: bool,
    pub roots: bool,
}

impl Authority {
    pub fn config(&self) -> Option<&CaConfig> {
        self.state.as_ref().map(|s| &s.config)
    }
    pub fn config_index(&self) -> u64 {
        self.state.as_ref().map_or(0, |s| s.config.index.modify)
    }
    pub fn roots_index(&self) -> u64 {
        self.state.as_ref().map_or(0, |s| s.roots_index)
    }
    pub fn provider_state(&self) -> Option<&CaProviderState> {
        self.state.as_ref().map(|s| &s.provider)
    }
    pub fn state(&self) -> Option<&AuthorityState> {
        self.state.as_deref()
    }
    pub fn serial(&self) -> u64 {
        self.serial
    }
    pub fn restore_serial(&mut self, serial: u64) {
        self.serial = serial;
    }
    /// A number never handed out before.
    pub fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
    pub fn restore(&mut self, state: AuthorityState) {
        self.state = Some(Arc::new(state));
    }

    /// Roots and trust domain as the API shows them.
    pub fn roots(&self) -> CaRoots {
        let Some(state) = &self.state else { return CaRoots::default() };
        CaRoots {
            active_root_id: state.roots.iter().find(|r| r.active).map(|r| r.id.clone()).unwrap_or_default(),
            trust_domain: Str::from(format!("{}.consul", state.config.cluster_id)),
            roots: state.roots.clone(),
        }
    }

    /// Stores everything in one step; `None` when the stored configuration is not the one expected.
    pub fn set(
        &mut self,
        index: u64,
        expect_index: u64,
        config: &CaConfig,
        provider: &CaProviderState,
        roots: &[CaRoot],
    ) -> Option<AuthorityChange> {
        if self.config_index() != expect_index {
            return None;
        }
        let old = self.state.as_deref();
        let mut roots: Vec<CaRoot> = roots.to_vec();
        for root in &mut roots {
            let known = old.and_then(|o| o.roots.iter().find(|r| r.id == root.id));
            root.index = known.map_or(RaftIndex { create: index, modify: index }, |k| k.index);
            if known.is_none_or(|k| k != root) {
                root.index.modify = index;
            }
        }
        let mut config = config.clone();
        config.index = RaftIndex { create: old.map_or(index, |o| o.config.index.create), modify: index };
        let changed = old.is_none_or(|o| o.roots != roots || o.config.cluster_id != config.cluster_id);
        let roots_index = if changed { index } else { self.roots_index() };
        self.state =
            Some(Arc::new(AuthorityState { config, provider: provider.clone(), roots, roots_index }));
        Some(AuthorityChange { config: true, roots: changed })
    }
}

/// Autopilot's settings; all zero indexes while they are the defaults.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Autopilot {
    pub config: AutopilotConfig,
    pub index: RaftIndex,
}
