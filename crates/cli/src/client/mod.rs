//! A small HTTP client for the agent's API: one request at a time, over TCP, TLS or a Unix socket.

mod address;
mod connect;
mod error;
mod file_body;
mod link;
mod request;
mod settings;
mod tls;

pub(crate) use error::ClientError;
pub(crate) use link::{AgentLink, LinkAnswer};
pub(crate) use request::{Client, Query};
pub(crate) use settings::Settings;
