//! Clock, seeded randomness, network and tasks: everything a shell would otherwise take from the outside world.
//!
//! Refuses to know any domain type. Monotonic time is tokio's (`tokio::time::Instant`), so that tests can pause it;
//! wall time comes from [`WallClock`]; sockets of the server port and of gossip come from [`Net`]; tasks are spawned
//! through [`Tasks`], which owns them until they end.

mod clock;
mod net;
mod rng;
mod tasks;

pub use clock::{SystemClock, TestClock, WallClock};
pub use net::{Datagram, Listener, Net, Stream, TokioNet};
pub use rng::RngSeed;
pub use tasks::{Shutdown, Tasks};

/// A boxed future, the return type of object-safe asynchronous traits.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
