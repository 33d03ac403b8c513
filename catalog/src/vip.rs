//! Virtual addresses of services.

use imbl::OrdSet;
use std::net::Ipv4Addr;
use types::Str;

/// Tagged address under which a mesh instance shows its service's virtual address.
pub(crate) const VIRTUAL_TAG: &str = "consul-virtual";
const BASE: u32 = 0xF000_0000;
/// 240.0.0.1 to 255.255.255.254.
pub(crate) const LAST: u32 = 0x0FFF_FFFE;

/// Hands out the numbers of 240.0.0.0/4: the lowest freed one first, else the next.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct VipPool {
    /// Highest number handed out so far.
    pub used: u32,
    /// Numbers that came back.
    pub free: OrdSet<u32>,
}

impl VipPool {
    /// The number that [`VipPool::take`] would give; `None` when all are in use.
    pub fn peek(&self) -> Option<u32> {
        self.free.get_min().copied().or((self.used < LAST).then_some(self.used + 1))
    }
    pub fn take(&mut self) -> Option<u32> {
        let n = self.peek()?;
        if self.free.remove(&n).is_none() {
            self.used = n;
        }
        Some(n)
    }
    pub fn give_back(&mut self, n: u32) {
        self.free.insert(n);
    }
}

/// Text of an address.
pub(crate) fn address(n: u32) -> Str {
    let mut text = smol_str::SmolStrBuilder::new();
    let written = std::fmt::Write::write_fmt(&mut text, format_args!("{}", Ipv4Addr::from(BASE + n)));
    debug_assert!(written.is_ok());
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_freed_first() {
        let mut p = VipPool::default();
        assert_eq!((p.take(), p.take(), p.take()), (Some(1), Some(2), Some(3)));
        p.give_back(3);
        p.give_back(1);
        assert_eq!((p.peek(), p.take(), p.take(), p.take()), (Some(1), Some(1), Some(3), Some(4)));
        assert_eq!(address(1), "240.0.0.1");
        assert_eq!(address(LAST), "255.255.255.254");
        let mut full = VipPool { used: LAST, free: OrdSet::new() };
        assert_eq!(full.take(), None);
    }
}
