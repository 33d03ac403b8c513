//! Membership core: SWIM, Lifeguard, keyring, tags, push and pull.
