//! Duties of the leader.
