//! The forms in which API registrations outlive the agent, and the rules by which they come back.

use crate::{
    Change, Key, LocalError, Registry, Source, Thresholds,
    check_row::attach,
    registry::{CheckEntry, ServiceEntry, Sync},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{fmt::Write as _, sync::Arc};
use types::{
    SecretToken, Str,
    definition::CheckDefinition,
    record::{HealthCheck, NodeService, status::CRITICAL},
};

/// Version of the forms below.
pub const PERSIST_VERSION: u32 = 1;

/// A file cannot be read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// Not one of ours, or damaged.
    #[error("not a registration: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a later release.
    #[error("unknown version {0}")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    value: T,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

/// A service registered over HTTP: `services/<file name>`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PersistedService {
    /// Token it is synced with.
    pub token: SecretToken,
    /// Its row.
    pub service: NodeService,
    /// It came from another one's `sidecar_service`.
    pub is_sidecar: bool,
}

/// A check registered over HTTP: `checks/<file name>`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PersistedCheck {
    /// Token it is synced with.
    pub token: SecretToken,
    /// Its row; status and output are not taken from here.
    pub check: HealthCheck,
    /// How it probes; `None` for maintenance checks.
    pub definition: Option<CheckDefinition>,
}

/// Last result of a TTL check: `checks/state/<file name>`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PersistedCheckState {
    /// The check.
    pub key: Key,
    /// Its status.
    pub status: Str,
    /// Its output.
    pub output: Str,
    /// Unix time in milliseconds after which this says nothing any more: the TTL has run out.
    pub expires_ms: u64,
}

macro_rules! form {
    ($t:ty) => {
        impl $t {
            /// The text of the file.
            ///
            /// # Errors
            /// [`PersistError::Malformed`] when a value has no JSON form.
            pub fn to_bytes(&self) -> Result<Vec<u8>, PersistError> {
                Ok(serde_json::to_vec(&Versioned { version: PERSIST_VERSION, value: self })?)
            }
            /// Reads the text of a file.
            ///
            /// # Errors
            /// [`PersistError`].
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, PersistError> {
                read(bytes)
            }
        }
    };
}
form!(PersistedService);
form!(PersistedCheck);
form!(PersistedCheckState);

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, PersistError> {
    let VersionOnly { version } = serde_json::from_slice(bytes)?;
    if version != PERSIST_VERSION {
        return Err(PersistError::Version(version));
    }
    Ok(serde_json::from_slice::<Versioned<T>>(bytes)?.value)
}

/// Name of the file of a service or check.
pub fn file_name(key: &Key) -> String {
    let mut hash = Sha256::new();
    if !key.tenancy.is_default() {
        hash.update(format!("{}/{}/", key.tenancy.partition(), key.tenancy.namespace()));
    }
    hash.update(key.id.as_bytes());
    let mut out = String::with_capacity(64);
    for b in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
    }
    out
}

impl Registry {
    /// The persisted form of a service that came over HTTP.
    pub fn persisted_service(&self, key: &Key) -> Option<PersistedService> {
        let s = self.services.get(key).filter(|s| s.source == Source::Api)?;
        Some(PersistedService {
            token: s.token.clone(),
            service: s.row.as_ref().clone(),
            is_sidecar: s.is_sidecar,
        })
    }

    /// The persisted form of a check that came over HTTP.
    pub fn persisted_check(&self, key: &Key) -> Option<PersistedCheck> {
        let c = self.checks.get(key).filter(|c| c.source == Source::Api)?;
        Some(PersistedCheck {
            token: c.token.clone(),
            check: c.row.as_ref().clone(),
            definition: c.definition.as_deref().cloned(),
        })
    }

    /// Takes back a service. `None`: a file defines it, so that the persisted form is obsolete.
    ///
    /// # Errors
    /// The registry is full.
    pub fn restore_service(&mut self, p: PersistedService) -> Result<Option<Change>, LocalError> {
        let key = Key::new(&p.service.tenancy, &p.service.id);
        if self.services.contains_key(&key) {
            return Ok(None);
        }
        self.full(1, 0)?;
        let sync = Sync { in_sync: false, version: self.next_version() };
        let entry = ServiceEntry {
            row: Arc::new(p.service),
            source: Source::Api,
            token: p.token,
            is_sidecar: p.is_sidecar,
            sync,
        };
        self.services.insert(key.clone(), entry);
        self.revision += 1;
        Ok(Some(Change { services: vec![key], ..Change::default() }))
    }

    /// Takes back a check, in state critical. `None`: a file defines it, or its service is gone.
    ///
    /// # Errors
    /// The registry is full, or scripts are no longer allowed.
    pub fn restore_check(&mut self, p: PersistedCheck, now_ms: u64) -> Result<Option<Change>, LocalError> {
        let key = Key::new(&p.check.tenancy, &p.check.check_id);
        if self.checks.contains_key(&key) {
            return Ok(None);
        }
        let mut row = p.check;
        if !row.service_id.is_empty() {
            let Some(service) = self.services.get(&Key::new(&row.tenancy, &row.service_id)) else {
                return Ok(None);
            };
            attach(&mut row, &service.row);
        }
        if let Some(d) = &p.definition {
            self.allowed(d, Source::Api)?;
        }
        self.full(0, 1)?;
        row.node = self.settings.node.name.clone();
        row.status = Str::new_static(CRITICAL);
        row.output = Str::default();
        let runs = p.definition.is_some();
        let thresholds = Thresholds::new(p.definition.as_ref().unwrap_or(&CheckDefinition::default()));
        let sync = Sync { in_sync: false, version: self.next_version() };
        let entry = CheckEntry {
            row: Arc::new(row),
            definition: p.definition.map(Arc::new),
            source: Source::Api,
            token: p.token,
            critical_since_ms: Some(now_ms),
            thresholds,
            deferred_until_ms: None,
            sync,
        };
        self.checks.insert(key.clone(), entry);
        self.revision += 1;
        let restart = if runs { vec![key.clone()] } else { Vec::new() };
        Ok(Some(Change { checks: vec![key], restart, ..Change::default() }))
    }

    /// Takes back the last result of a TTL check, if its TTL has not run out. Answers whether it was taken.
    pub fn restore_state(&mut self, s: &PersistedCheckState, unix_ms: u64, now_ms: u64) -> bool {
        let ttl =
            self.checks.get(&s.key).and_then(|c| c.definition.as_deref()).is_some_and(|d| !d.ttl.is_zero());
        if !ttl || unix_ms >= s.expires_ms {
            return false;
        }
        self.update_check(&s.key, &s.status, &s.output, now_ms, 0.0);
        true
    }
}
