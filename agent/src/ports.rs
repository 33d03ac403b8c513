//! The agent as the HTTP API sees it, one file for each of its ports.

mod membership;
mod mesh;
mod network;
mod operator;
mod registry;
mod session;
mod snapshot;
mod telemetry;
