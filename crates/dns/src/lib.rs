//! DNS questions to answers.

pub mod config;
pub mod name;

pub use config::{DnsConfig, InvalidDomain, RecursorStrategy, ServiceTtl, SoaConfig, Zone};
pub use name::Name;
