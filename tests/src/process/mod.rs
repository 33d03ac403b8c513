//! Real processes for tests: start, wait, ask by HTTP, and end by their own id.

mod binary;
mod child;
mod http;
mod ports;

pub use binary::binary;
pub use child::{Child, clean_command, now};
pub use http::{Answer, call};
pub use ports::free_ports;
