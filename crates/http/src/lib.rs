//! The HTTP API server.
//!
//! Owns: routing, query options, status and error mapping, response headers, the cache of encoded answers, connection and
//! body limits. Refuses to know JSON shapes (that is `api`), how state is stored (reached through [`rpc::Query`] and
//! [`rpc::Submit`]) and the agent's own parts (reached through [`port::AgentPort`]).
//! Start with [`HttpServer`], then `route` for the table of all endpoints.

pub mod config;
pub mod port;
mod server;

pub use config::HttpConfig;
pub use server::{HttpListener, HttpServer};
