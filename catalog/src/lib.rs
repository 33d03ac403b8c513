//! The replicated state machine: nodes, services, checks, keys, sessions, configuration entries, the authority's roots,
//! autopilot's settings, the gateways of other datacenters and the places of nodes in the network.
//!
//! [`Store`] is one version of the state: a handful of persistent maps, cloned in constant time, so that readers keep a
//! version while [`Store::apply`] builds the next one. Applying is a pure function of the log: this crate has no clock, no
//! randomness, no I/O and no configuration. What a write touched comes back as a [`ChangeSet`] of [`Topic`]s; what a read
//! depends on is told by [`topics_of`], without reading.
//!
//! It refuses to know JSON, tokens, filter expressions, and who is leader.
//!
//! Start with [`Store`] and `apply` (writes), [`run_query`] (reads), [`snapshot`] (streams of the whole state).
//!
//! Three rules hold everywhere:
//! - every row lives under (partition, namespace, peer); names are found by their folded form;
//! - an index never decreases: what is deleted leaves the index of the last disappearance behind;
//! - a hash map is only ever asked for one key: whatever is listed comes from an ordered map.

mod address;
mod apply;
mod authority;
mod catalog;
mod changes;
mod coordinates;
mod entries;
mod federation;
mod kv;
mod query;
mod restore;
mod scope;
mod sessions;
pub mod snapshot;
mod store;
mod topic;
mod txn;
mod vip;

pub use apply::ApplyCtx;
pub use changes::ChangeSet;
pub use coordinates::sort_near;
pub use query::{run_query, run_services_filtered};
pub use scope::Scope;
pub use store::Store;
pub use topic::{CheckState, Topic, topics_of};
