//! Consensus: openraft behind our own handle.
