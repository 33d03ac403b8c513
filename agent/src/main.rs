//! The `praetor` binary.
fn main() {}
