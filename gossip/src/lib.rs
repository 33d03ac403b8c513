//! Membership core: SWIM, Lifeguard, keyring, tags, push and pull.

mod event;
mod keyring;
mod timing;

pub use event::{MemberEvent, NameConflict};
pub use keyring::{KEYS_MAX, Key, KeyError, Keyring};
pub use timing::Timing;
