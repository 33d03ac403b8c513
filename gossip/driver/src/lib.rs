//! The sockets, timers and files around the gossip core.
