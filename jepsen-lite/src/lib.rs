//! Attacks real servers, keeps what their clients saw, and checks it.
//!
//! Pure: `history`, `check` (linearizability), `ops` (objects), `rules` (promises that are not linearizability), `exit` (codes). The
//! rest acts: `net` makes namespaces and a switch between them, `cluster` runs servers, `nemesis` does harm to them and takes it
//! back, `workload` has the clients. It ends only processes that it started, by their id, and leaves no namespace or mount behind.
#![allow(clippy::disallowed_methods, reason = "real processes run in real time")]

pub mod attack;
pub mod catches;
pub mod check;
pub mod client;
pub mod cluster;
pub mod exit;
pub mod history;
pub mod nemesis;
pub mod net;
pub mod ops;
pub mod report;
pub mod rules;
pub mod run;
pub mod workload;
