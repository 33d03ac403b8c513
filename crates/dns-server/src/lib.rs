//! The DNS server loops and recursors.

mod counters;
mod server;
mod sockets;

pub use counters::{DnsCounters, DnsCounts};
pub use dns::{DnsConfig, InvalidDomain, RecursorStrategy, ServiceTtl, SoaConfig, Zone};
pub use server::{Deps, DnsServer};
pub use sockets::{Sockets, bind};
