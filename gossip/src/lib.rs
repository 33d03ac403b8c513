//! Membership core: who is in a pool, under which name and tags, and who has failed or left.
//!
//! Owns: the SWIM protocol (foca is the engine and is named nowhere else), Lifeguard around it, sealing of packets and
//! streams under a keyring, names and tags, the full state exchange, leave, force-leave, reaping, user events, and the
//! place of this member in the network.
//! Refuses: sockets, clocks, tasks, files, OS randomness. Time and a generator are handed in; what comes out is a list
//! of things to do. `gossip-driver` does them on a real network, the simulation in `tests/` on an invented one.
//!
//! Start reading at [`Core`].

mod awareness;
mod codec;
mod counters;
mod event;
#[cfg(test)]
mod hostile_tests;
mod identity;
mod keyring;
mod membership;
mod meta;
mod packet;
mod replay;
mod rng;
mod roster;
mod seal;
mod sink;
mod suspicion;
mod sync;
mod timing;
mod user;
mod vivaldi;
mod wire;

pub use counters::Counters;
pub use event::{MemberEvent, NameConflict};
pub use identity::NodeId;
pub use keyring::{KEYS_MAX, Key, KeyError, Keyring};
pub use membership::{Core, CoreConfig, KeysAnswer, Output, PACKET_BYTES_MAX, StreamAnswer, StreamError};
pub use seal::{OpenError, STREAM_BYTES_MAX, StreamBinding, StreamReader};
pub use sync::KeyringAction;
pub use timing::Timing;
pub use user::{USER_EVENT_BYTES_MAX, UserEvent};
pub use wire::WireError;
