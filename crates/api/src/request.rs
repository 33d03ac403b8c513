//! Request bodies.

mod ca;
mod catalog;
mod check;
mod network;
mod operator;
mod prepared;
mod proxy;
mod service;
mod session;
mod tenancy;
mod txn;
mod vip;

pub use ca::{AuthorizeRequest, authorize_request, ca_configuration};
pub use catalog::{CatalogDeregister, deregister, register};
pub use check::{TtlUpdate, check_definition, ttl_update};
pub use network::{CoordinateUpdate, coordinate_update};
pub use operator::{autopilot_config, keyring_key, token_body};
pub use prepared::{PreparedQueryBody, prepared_query};
pub use service::service_definition;
pub use session::{SessionRequest, session};
pub use tenancy::{namespace, partition};
pub use txn::txn;
pub use vip::{ManualVips, manual_vips};

#[cfg(test)]
mod tests;
