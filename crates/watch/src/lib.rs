//! Watches: what they ask, when they call their handler, and how long they wait after a failure.
//!
//! Pure: a shell asks [`request`] what to send, hands the answer to [`Progress::answered`], and calls the handler when that says
//! so. The command `watch` and the watches of the agent's configuration are the two shells. What a watch may look at and its
//! parameters are `config::watch`'s; this crate refuses to know sockets, processes and time.
//!
//! Start with [`Progress`].

mod json;
mod progress;
mod request;
mod result;

pub use json::{compact, indent};
pub use progress::{Position, Progress, Step};
pub use request::{Request, request};
