//! Check runners, and the anti-entropy loop around [`local::Registry`].
//!
//! [`LocalState`] is the handle that the rest of the agent holds: it registers services and checks, runs the checks,
//! keeps API registrations on disk, and brings the catalog in line through `rpc::Submit` and `rpc::Query`.

mod config;
mod state;

pub use config::{
    CHECK_OUTPUT_MAX_SIZE_DEFAULT, CHECK_UPDATE_INTERVAL_DEFAULT, LocalConfig, NodeIdentity, ProbeTls,
    SIDECAR_PORTS_DEFAULT, ScriptPermission,
};
pub use local::{Key, LocalError, Source};
pub use state::{AggregatedHealth, FileDefinitions, LocalState, Ports};
