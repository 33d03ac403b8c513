//! Local health (Lifeguard, section "Self-awareness"): whoever cannot trust its own observations probes slower.

/// A score from 0 (healthy) to one less than the configured bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awareness {
    score: u32,
    bound: u32,
}

impl Awareness {
    pub(crate) fn new(bound: u32) -> Self {
        Self { score: 0, bound: bound.max(1) }
    }
    pub(crate) fn score(self) -> u32 {
        self.score
    }
    /// Factor for probe periods and waits.
    pub(crate) fn factor(self) -> u32 {
        self.score + 1
    }
    pub(crate) fn better(&mut self) {
        self.score = self.score.saturating_sub(1);
    }
    pub(crate) fn worse(&mut self, by: u32) {
        self.score = self.score.saturating_add(by).min(self.bound - 1);
    }
}
