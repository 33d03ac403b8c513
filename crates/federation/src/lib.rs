//! Several datacenters as one: what they share, and how they reach each other when only mesh gateways can.
//!
//! - [`duties`]: the leader's part. It tells the others its gateways, and in a secondary datacenter replicates what the
//!   primary has ([`replicate`] decides what to change, [`status`] tells how it goes).
//! - [`gateways`]: which gateways lead where and in which order they are tried (pure); [`follow`] keeps that current.
//! - [`dial`]: opens tunnels through them. Requests use them by `rpc::Pool`, gossip by [`net::WanNet`], to which
//!   [`sink::Inbound`] brings what others send; [`packets`] is the form of gossip packets on a stream.
//! - [`names`]: addresses that stand for servers of other datacenters.
//!
//! Nothing here looks into what it carries, and it refuses to know HTTP, gossip and Raft themselves. Start with
//! [`duties::start`] and [`dial::Dialer::open`].

pub mod dial;
pub mod duties;
pub mod follow;
pub mod gateways;
mod lanes;
pub mod names;
pub mod net;
pub mod packets;
pub mod replicate;
pub mod sink;
pub mod status;

pub use dial::{Dialer, DialerConfig};
pub use duties::{Deps, Settings, start};
pub use gateways::{Endpoint, Gateways};
pub use net::WanNet;
pub use replicate::Kind;
pub use sink::Inbound;
pub use status::{Replication, Status};
