//! Uniform random order, without shuffling more than is looked at.

use rand::{Rng, SeedableRng, rngs::SmallRng};
use smallvec::SmallVec;

/// Up to this many draws the moved positions are kept in a list.
const SPARSE_MAX: usize = 24;

/// The numbers below `n` in random order, drawn one by one.
pub(crate) struct Draw {
    rng: SmallRng,
    n: usize,
    drawn: usize,
    /// Positions that no longer hold their own number.
    moved: SmallVec<[(u32, u32); SPARSE_MAX]>,
    /// The whole permutation, once so many are drawn that the list would be slow.
    all: Vec<u32>,
    sorted: bool,
}

impl Draw {
    pub fn new(n: usize, seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            n,
            drawn: 0,
            moved: SmallVec::new(),
            all: Vec::new(),
            sorted: false,
        }
    }

    /// As [`Self::new`], but in their own order if that means something.
    pub fn unless_sorted(sorted: bool, n: usize, seed: u64) -> Self {
        Self { sorted, ..Self::new(n, seed) }
    }

    fn at(&self, i: usize) -> u32 {
        if !self.all.is_empty() {
            return self.all[i];
        }
        self.moved.iter().find(|(at, _)| *at as usize == i).map_or(i as u32, |(_, v)| *v)
    }

    fn set(&mut self, i: usize, v: u32) {
        if !self.all.is_empty() {
            self.all[i] = v;
            return;
        }
        match self.moved.iter_mut().find(|(at, _)| *at as usize == i) {
            Some(slot) => slot.1 = v,
            None => self.moved.push((i as u32, v)),
        }
    }
}

impl Iterator for Draw {
    type Item = usize;
    fn next(&mut self) -> Option<usize> {
        if self.drawn == self.n {
            return None;
        }
        if self.sorted {
            self.drawn += 1;
            return Some(self.drawn - 1);
        }
        if self.all.is_empty() && self.moved.len() + 1 >= SPARSE_MAX {
            let mut all: Vec<u32> = (0..self.n as u32).collect();
            for (i, v) in &self.moved {
                all[*i as usize] = *v;
            }
            self.all = all;
        }
        let j = self.rng.random_range(self.drawn..self.n);
        let value = self.at(j);
        let here = self.at(self.drawn);
        self.set(j, here);
        self.drawn += 1;
        Some(value as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_each_once_and_evenly() {
        for n in [0, 1, 3, 24, 25, 100, 1000] {
            let mut got: Vec<_> = Draw::new(n, 7).collect();
            got.sort_unstable();
            assert_eq!(got, (0..n).collect::<Vec<_>>());
        }
        let mut first = [0; 10];
        for seed in 0..10_000 {
            first[Draw::new(10, seed).next().unwrap()] += 1;
        }
        assert!(first.iter().all(|&c| (800..1200).contains(&c)), "{first:?}");
    }
}
