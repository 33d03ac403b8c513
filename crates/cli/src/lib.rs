//! Commands over the public HTTP API.
//!
//! Owns the command line of the product: Go-style flags, help, exit codes, environment variables, output columns. Refuses to
//! reach into the agent: every command but `agent`, `validate`, `keygen`, `tls` and `version` speaks HTTP to an address, as any
//! client would. `agent` is handed to the binary.
//!
//! Start reading at [`run`], then `commands::ALL`.
//!
//! Flags are parsed by `flags`, not by clap: Go's syntax (`-http-addr=x` with one dash, booleans that take a value only after
//! `=`, flags ending at the first argument) and its messages are what scripts rely on, and clap reads `-http-addr` as nine
//! short options.

mod child;
mod client;
mod commands;
mod dispatch;
mod flags;
mod io;
mod local;
mod table;
#[cfg(test)]
mod tests;
mod text;

pub use io::{Env, StdIo, Streams};
pub use local::{Local, RecoveryPlan, RecoveryServer, ServerRecord, StateRecord};

use std::ffi::OsString;

/// Runs the command line `args` (with the program's name first) and answers its exit code. `local` is what needs no agent; it is
/// called outside any asynchronous runtime.
pub fn run(args: Vec<OsString>, env: Env, io: &mut dyn Streams, local: &dyn Local) -> i32 {
    let args = args.into_iter().map(|a| a.to_string_lossy().into_owned()).collect();
    dispatch::run(args, &env, &mut io::Io(io), local)
}
