//! How many connections one client may hold.

use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// Open connections by client address. Bounded by the number of all connections.
#[derive(Default)]
pub(crate) struct ClientLimit(Mutex<HashMap<IpAddr, usize>>);

/// A counted connection; dropping it gives the place back.
pub(crate) struct ClientSlot {
    limit: Arc<ClientLimit>,
    client: IpAddr,
}

impl ClientLimit {
    /// Takes a place for `client`, unless it holds `max` already (0 = no limit).
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr, max: usize) -> Option<ClientSlot> {
        let mut map = self.0.lock();
        let held = map.entry(client).or_insert(0);
        if max != 0 && *held >= max {
            return None;
        }
        *held += 1;
        Some(ClientSlot { limit: self.clone(), client })
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        let mut map = self.limit.0.lock();
        if let Some(held) = map.get_mut(&self.client) {
            *held -= 1;
            if *held == 0 {
                map.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let limit = Arc::new(ClientLimit::default());
        let (a, b): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let one = limit.take(a, 2).unwrap();
        let _two = limit.take(a, 2).unwrap();
        assert!(limit.take(a, 2).is_none());
        let other = limit.take(b, 2);
        assert!(other.is_some());
        drop(one);
        assert!(limit.take(a, 2).is_some());
        assert!(limit.take(a, 0).is_some());
        drop((other, _two));
        assert!(limit.0.lock().is_empty());
    }
}
