//! The HTTP API server.
//!
//! Owns: routing, query options, status and error mapping, response headers, the caches of answers, connection and body
//! limits. Refuses to know JSON shapes (that is `api`), how state is stored (reached through [`rpc::Query`] and
//! [`rpc::Submit`]) and the agent's own parts (reached through [`port::AgentPort`]).
//!
//! Start with [`HttpServer`]; `dispatch` has the order of work of a request, `route::table` all endpoints, `read` the way of
//! every catalog, health and key-value read, `handlers` the rest.

mod accept;
mod agent_cache;
mod answers;
mod body;
pub mod config;
mod conn;
mod context;
mod dispatch;
mod error;
mod handlers;
mod limit;
mod loopback;
mod options;
mod params;
pub mod port;
mod pprof;
mod read;
mod reply;
mod respond;
mod route;
mod server;
mod sse;
mod ui;
mod wan_addrs;

pub use accept::HttpListener;
pub use config::HttpConfig;
pub use loopback::{Loopback, LoopbackAnswer};
pub use server::HttpServer;
