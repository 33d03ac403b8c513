//! What one gateway takes on at a time.

use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

/// Bounds of a gateway.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most tunnels at a time, connections without a complete hello among them.
    pub tunnels_max: u32,
    /// Most of them from one IP address; 0 = no bound of its own.
    pub tunnels_per_source_max: u32,
    /// Within this the hello must be complete.
    pub preface: Duration,
    /// Within this one backend must take the connection.
    pub connect: Duration,
    /// Most backends that are tried for one connection.
    pub attempts_max: usize,
    /// Most pipes for `splice`, two file descriptors and up to [`crate::Limits::PIPE_BYTES`] of kernel memory each; tunnels
    /// beyond that copy. 0 = always copy.
    pub pipes_max: usize,
}

impl Limits {
    /// Size that is asked for each pipe, bytes.
    pub const PIPE_BYTES: usize = 256 << 10;
    /// File descriptors for everything that is no tunnel.
    const OTHER_FILES: u64 = 128;

    /// What fits into `open_files` file descriptors: two for each tunnel, and as many again for pipes.
    pub fn for_open_files(open_files: Option<u64>) -> Self {
        let files = open_files.unwrap_or(1 << 20).saturating_sub(Self::OTHER_FILES);
        let quarter = |max: u64| u32::try_from((files / 4).clamp(8, max)).unwrap_or(8);
        let tunnels_max = quarter(16 << 10);
        Self {
            tunnels_max,
            tunnels_per_source_max: 0,
            preface: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            attempts_max: 4,
            pipes_max: quarter(1 << 10) as usize,
        }
    }
}

/// Lifts the soft bound of open files to the hard one, as programs with many connections do; answers what holds now (`None` =
/// no bound).
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let before = limit.current;
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_ok() { limit.current } else { before }
}

/// Tunnels by source address.
#[derive(Default, Debug)]
pub(crate) struct Sources(Mutex<HashMap<IpAddr, u32>>);

/// One tunnel in the count of its source.
#[derive(Debug)]
pub(crate) struct FromSource {
    sources: Arc<Sources>,
    ip: IpAddr,
}

impl Sources {
    /// Counts a tunnel from `ip` for as long as the answer lives; `None` when it has `max` already.
    pub(crate) fn enter(self: &Arc<Self>, ip: IpAddr, max: u32) -> Option<FromSource> {
        let mut counts = self.0.lock();
        let count = counts.entry(ip).or_default();
        if max != 0 && *count >= max {
            return None;
        }
        *count += 1;
        Some(FromSource { sources: Arc::clone(self), ip })
    }
}

impl Drop for FromSource {
    fn drop(&mut self) {
        let mut counts = self.sources.0.lock();
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_held_to_its_share() {
        let sources = Arc::new(Sources::default());
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let held: Vec<_> = (0..3).map(|_| sources.enter(a, 3)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(sources.enter(a, 3).is_none());
        assert!(sources.enter(b, 3).is_some());
        drop(held);
        assert!(sources.enter(a, 1).is_some());
        assert!(sources.0.lock().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn few_files_mean_few_tunnels() {
        let small = Limits::for_open_files(Some(1024));
        assert_eq!((small.tunnels_max, small.pipes_max), (224, 224));
        let large = Limits::for_open_files(None);
        assert_eq!((large.tunnels_max, large.pipes_max), (16 << 10, 1 << 10));
    }
}
