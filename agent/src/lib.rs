//! The composition root: configuration in, parts built in order of dependency, a running agent out.
//!
//! Everything that decides lives in other crates; here they are connected. Start with `start`, which shows the order, and
//! [`run`], which is the `agent` command with its signals.

mod autopilot;
mod bootstrap;
mod certificates;
mod consensus;
mod convert;
mod coordinates;
mod data_dir;
mod enroll;
mod events;
mod joining;
pub mod local;
mod members;
mod memory;
mod metering;
mod ports;
mod programs;
mod recovery;
mod remote_exec;
pub mod run;
mod sockets;
mod start;
mod stats;
mod steady;
mod tags;
mod tunnels;
mod view;
mod watches;

pub use start::{Agent, RaftStorage, Reloader, StartError, World};
