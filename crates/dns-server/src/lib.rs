//! The DNS server loops and recursors.
//!
//! This crate owns the sockets of the DNS interface and the questions to recursors; what a name means and how an answer is
//! written is `dns`, what the catalog holds is behind `rpc::Query`. Start with `hot.rs`, the path that nearly every
//! question takes: parse, find the digested rows in the loop's own cache, check that they are still valid, write. A
//! question that must wait for another server, a host name or a recursor goes to `resolve.rs`.

mod batch;
mod cache;
mod counters;
mod hot;
mod recursor;
mod resolve;
mod server;
mod sockets;
mod tcp;
mod udp;

pub use counters::{DnsCounters, DnsCounts};
pub use dns::{DnsConfig, InvalidDomain, RecursorStrategy, ServiceTtl, SoaConfig, Zone};
pub use recursor::{InvalidRecursor, resolve_recursors};
pub use server::{Deps, DnsServer};
pub use sockets::{Sockets, bind};

#[cfg(test)]
mod tests;
