//! The Praetor agent: service discovery and mesh in one binary.
