//! JSON shapes of the public HTTP API.
//!
//! Configuration entries are in [`entry`], both ways.
//! Owns: key order, omission, null-versus-empty and number formats of every answer ([`encode`]); the rules by which request
//! bodies are read ([`decode`], [`request`]); Go's notation of durations ([`duration`]).
//! Pure: works on bytes and on the records of `types`; knows no HTTP, no state, no clock.

pub mod decode;
pub mod duration;
pub mod encode;
pub mod entry;
pub mod request;
pub mod time;
