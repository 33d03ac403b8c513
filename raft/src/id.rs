//! Who takes part in consensus.

use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, str::FromStr};
use types::Str;

/// Identity of a server: the 128 bits of its node-id UUID. Never reused for another data directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(pub u128);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            n >> 96,
            (n >> 80) & 0xffff,
            (n >> 64) & 0xffff,
            (n >> 48) & 0xffff,
            n & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a UUID of the form `8-4-4-4-12`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a server id is a UUID, 8-4-4-4-12 hexadecimal digits")]
pub struct InvalidServerId;

impl FromStr for ServerId {
    type Err = InvalidServerId;

    fn from_str(s: &str) -> Result<Self, InvalidServerId> {
        let groups: Vec<&str> = s.split('-').collect();
        if groups.iter().map(|g| g.len()).ne([8, 4, 4, 4, 12]) {
            return Err(InvalidServerId);
        }
        let mut n = 0_u128;
        for c in groups.concat().chars() {
            n = n << 4 | u128::from(c.to_digit(16).ok_or(InvalidServerId)?);
        }
        Ok(Self(n))
    }
}

/// What the others need to reach a server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Node name.
    pub name: Str,
    /// Address of its server RPC port.
    pub addr: SocketAddr,
}

impl Default for Peer {
    fn default() -> Self {
        Self { name: Str::default(), addr: SocketAddr::from(([0, 0, 0, 0], 0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let text = "0123cdef-0a0b-4c0d-8e0f-00000000002a";
        let id: ServerId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(id.0 & 0xff, 0x2a);
        for bad in ["", "x", "0123cdef-0a0b-4c0d-8e0f-00000000002", "0123cdeg-0a0b-4c0d-8e0f-00000000002a"] {
            assert_eq!(bad.parse::<ServerId>(), Err(InvalidServerId));
        }
    }
}
