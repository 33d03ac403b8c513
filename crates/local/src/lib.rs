//! The services and checks of this agent, and the plan that brings the catalog in line with them.
//!
//! Owns: how a definition becomes rows (ids, names, tagged addresses, sidecars, maintenance checks), when a check result
//! becomes a status, the content hash, aggregated health, which rows differ from the catalog and what to do about it, and
//! the forms in which registrations are kept on disk. Refuses: clocks, randomness, files, sockets. Time comes in as
//! milliseconds of a monotonic clock of the caller's choice, jitter as a number.
//!
//! Start with [`Registry`]; [`Registry::compare`] and [`Registry::plan`] are anti-entropy.

mod check_row;
mod compare;
mod duration;
mod error;
mod hash;
mod health;
mod interval;
mod key;
mod output;
mod persist;
mod plan;
mod probe;
mod register;
mod registry;
mod rules;
mod service_row;
mod sidecar;
mod threshold;

pub use duration::go_duration;
pub use error::LocalError;
pub use hash::{content_hash, service_hash};
pub use health::{AggregatedHealth, aggregate_status};
pub use interval::{full_sync_delay, full_sync_interval};
pub use key::{Key, Source};
pub use output::{tail_output, truncate_ttl_output, ttl_expired_output};
pub use persist::{
    PERSIST_VERSION, PersistError, PersistedCheck, PersistedCheckState, PersistedService, file_name,
};
pub use plan::{Operation, plan, register_node};
pub use probe::ProbeKind;
pub use register::{Change, NODE_MAINTENANCE_REASON, SERVICE_MAINTENANCE_REASON};
pub use registry::{
    CHECKS_MAX, CheckEntry, NodeIdentity, Registry, SERVICES_MAX, ScriptPermission, ServiceEntry, Settings,
};
pub use rules::{check_request, service_request};
pub use sidecar::SIDECAR_SUFFIX;
pub use threshold::Thresholds;

#[cfg(test)]
mod tests;
