//! TLS of listeners and of connections between agents.
//!
//! Owns: reading authorities, certificates and keys from files, with errors that name setting and file; what rustls is told
//! for each part of the `tls` stanza; who is let in on the server port and why not; the swap to new files while running.
//! Refuses to know HTTP, the messages of the server port and where settings come from.
//!
//! Start with [`Tls`]: one per agent, shared by every listener and by the connection pool. It holds one immutable value of all
//! material; [`Tls::prepare`] makes the next one and [`Tls::install`] swaps it, so that a handshake sees the old files or the
//! new ones and never a mix. Connections that are open stay as they are.

mod client;
mod handshake;
mod learned;
mod listen;
mod load;
mod material;
mod reason;
mod refusals;
mod settings;
mod state;
mod stream;
mod suites;
#[cfg(test)]
mod tests;
mod verify;

pub use client::plain_client;
pub use handshake::{Lane, Peer, Refused};
pub use learned::{Enrollment, Learned};
pub use listen::{Accepted, linger};
pub use material::{Material, OwnCertificate};
pub use reason::refusal;
pub use refusals::Refusals;
pub use settings::{LoadError, Part, Settings, server_name};
pub use state::{Fingerprint, Tls};
pub use stream::Prefixed;
