//! User events: short messages that an agent tells all others of its datacenter.

use crate::names::Str;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Version of the events that this build fires; later ones are not understood.
pub const VERSION: u32 = 1;
/// Most bytes of name, payload, filters and what is wrapped around them.
pub const BYTES_MAX: usize = 512;
/// Bytes that count for what is wrapped around name and payload, as measured at a Consul agent.
const OVERHEAD: usize = 96;

/// A user event.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserEvent {
    /// UUID text, made where it was fired.
    pub id: Str,
    /// Name.
    pub name: Str,
    /// Whatever the sender says.
    pub payload: Bytes,
    /// Regular expression over node names, `""` for all.
    pub node_filter: Str,
    /// Regular expression over names of services, `""` for all.
    pub service_filter: Str,
    /// Regular expression over tags of the services that fit.
    pub tag_filter: Str,
    /// [`VERSION`] of the sender.
    pub version: u32,
    /// Lamport time, 0 before it was fired.
    pub ltime: u64,
}

impl UserEvent {
    /// Whether gossip takes it: the name counts twice, because it is told outside and inside of the message.
    pub fn fits(&self) -> bool {
        let filters: usize = [&self.node_filter, &self.service_filter, &self.tag_filter]
            .iter()
            .filter(|f| !f.is_empty())
            .map(|f| f.len() + 4)
            .sum();
        let long_name = if self.name.len() >= 32 { 3 } else { 0 };
        2 * self.name.len() + long_name + self.payload.len() + filters + OVERHEAD <= BYTES_MAX
    }

    /// The number that clients block on: the halves of the id folded into one, never 0.
    pub fn index(&self) -> u64 {
        let digits: String = self.id.chars().filter(|c| *c != '-').collect();
        let half = |range: std::ops::Range<usize>| {
            digits.get(range).and_then(|d| u64::from_str_radix(d, 16).ok()).unwrap_or(0)
        };
        (half(0..16) ^ half(16..32)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_index() {
        let event = |name: &str, payload: usize| UserEvent {
            name: name.into(),
            payload: vec![b'x'; payload].into(),
            ..UserEvent::default()
        };
        for (name, most) in [("a", 414), ("abcde", 406)] {
            assert!(event(name, most).fits() && !event(name, most + 1).fits(), "{name}");
        }
        let filtered = UserEvent { node_filter: "foo".into(), ..event("a", 407) };
        assert!(filtered.fits() && !UserEvent { node_filter: "fooo".into(), ..event("a", 407) }.fits());
        let id = |id: &str| UserEvent { id: id.into(), ..UserEvent::default() }.index();
        assert_eq!(id("00000000-0000-0003-0000-000000000005"), 6);
        assert_eq!((id("00000000-0000-0003-0000-000000000003"), id("nonsense")), (1, 1));
    }
}
