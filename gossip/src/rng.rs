//! The generator in the form that foca wants: it uses the next major version of the same traits.

use rand::RngCore as _;
use rand_chacha::ChaCha8Rng;
use std::convert::Infallible;

pub(crate) struct FocaRng(pub(crate) ChaCha8Rng);

impl rand10::TryRng for FocaRng {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }
    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(dst);
        Ok(())
    }
}
