//! Randomness from one root seed.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Root seed; every component forks its own generator by label, so that adding one consumer does not shift the others.
#[derive(Clone, Copy, Debug)]
pub struct RngSeed(u64);

impl RngSeed {
    /// A fixed seed, for simulation.
    pub fn fixed(seed: u64) -> Self {
        Self(seed)
    }
    /// A seed from the operating system.
    pub fn from_os() -> Self {
        Self(rand::rngs::OsRng.try_next_u64_or_zero())
    }
    /// The generator of the component `label`.
    pub fn fork(self, label: &str) -> ChaCha8Rng {
        // FNV-1a: stable across platforms and releases, which std's hasher is not.
        let mut h = 0xcbf2_9ce4_8422_2325_u64 ^ self.0;
        for b in label.bytes() {
            h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
        ChaCha8Rng::seed_from_u64(h ^ self.0.rotate_left(32))
    }
}

trait OsSeed {
    fn try_next_u64_or_zero(&mut self) -> u64;
}

impl OsSeed for rand::rngs::OsRng {
    fn try_next_u64_or_zero(&mut self) -> u64 {
        use rand::TryRngCore;
        self.try_next_u64()
            .unwrap_or_else(|_| ChaCha8Rng::seed_from_u64(u64::from(std::process::id())).next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_differ_by_label_and_repeat_by_seed() {
        let s = RngSeed::fixed(5);
        assert_eq!(s.fork("a").next_u64(), RngSeed::fixed(5).fork("a").next_u64());
        assert_ne!(s.fork("a").next_u64(), s.fork("b").next_u64());
        assert_ne!(s.fork("a").next_u64(), RngSeed::fixed(6).fork("a").next_u64());
    }
}
