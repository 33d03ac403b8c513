//! Commands over the public API.
