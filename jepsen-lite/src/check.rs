//! Whether a history is linearizable: the search of Wing and Gong, with Lowe's memory of configurations that led nowhere.
//!
//! A configuration is the set of calls that have taken effect and the state that they led to. Calls without an answer may
//! take effect at any time after they began, or never. The search tries, at each point, every call that has begun before
//! any other pending one has ended. Histories are checked key by key, since linearizability is local.

use crate::history::{Call, Outcome};
use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    hash::Hash,
};

/// An object as a sequential machine.
pub trait Model {
    /// An operation with its answer.
    type Op: Clone + fmt::Debug;
    /// State.
    type State: Clone + Eq + Hash + fmt::Debug;

    /// Before the first operation.
    fn init(&self) -> Self::State;
    /// The state after `op`, or `None` if it could not have had its answer. A call without an answer is tried as one that
    /// succeeded.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;
    /// Whether `op` can never change a state, so that a history without it allows whatever it allowed with it.
    fn is_read(&self, op: &Self::Op) -> bool;
    /// What `op` is about, for objects whose histories can be reduced to some subjects: whatever order explains the whole
    /// then also explains what [`Model::about`] leaves of it. Empty for others.
    fn subjects(&self, _op: &Self::Op) -> Vec<u64> {
        Vec::new()
    }
    /// What is left of `op` in a history about `kept` alone; `None` if nothing is.
    fn about(&self, op: &Self::Op, _kept: &BTreeSet<u64>) -> Option<Self::Op> {
        Some(op.clone())
    }
}

/// The result for one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none.
    Not,
    /// The search became too large; nothing is known.
    Undecided,
}

/// Configurations that are looked at before the search gives up.
pub const LIMIT: usize = 1_000_000;
/// The same for parts, of which there are many.
const PART_LIMIT: usize = 20_000;

/// A set of calls.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(n: usize) -> Self {
        Self(vec![0; n.div_ceil(64)])
    }
    fn has(&self, i: usize) -> bool {
        self.0[i / 64] >> (i % 64) & 1 == 1
    }
    fn flip(&mut self, i: usize) {
        self.0[i / 64] ^= 1 << (i % 64);
    }
}

/// A step that was taken: the call, and the state before it.
struct Taken<S> {
    call: usize,
    before: S,
}

/// Looks for an order. `calls` are those of one key in order of start, without those that certainly did not happen.
///
/// Most of what is wrong is wrong with two values alone, and quickly found there; the search over the whole then is for the rest,
/// and for certainty.
pub fn check<M: Model>(model: &M, calls: &[Call<M::Op>]) -> Verdict {
    if wrong_pair(model, calls).is_some() { Verdict::Not } else { search(model, calls, LIMIT) }
}

/// The history of some subjects.
fn project<M: Model>(model: &M, calls: &[Call<M::Op>], kept: &BTreeSet<u64>) -> Vec<Call<M::Op>> {
    let left = |c: &Call<M::Op>| model.about(&c.op, kept).map(|op| Call { op, ..c.clone() });
    calls.iter().filter_map(left).collect()
}

/// One or two subjects whose history has no order.
fn wrong_pair<M: Model>(model: &M, calls: &[Call<M::Op>]) -> Option<BTreeSet<u64>> {
    let all: BTreeSet<u64> = calls.iter().flat_map(|c| model.subjects(&c.op)).collect();
    let alone = all.iter().map(|a| BTreeSet::from([*a]));
    let pairs = all.iter().flat_map(|a| all.range(..*a).map(|b| BTreeSet::from([*a, *b])));
    alone.chain(pairs).find(|kept| search(model, &project(model, calls, kept), PART_LIMIT) == Verdict::Not)
}

pub(crate) fn search<M: Model>(model: &M, calls: &[Call<M::Op>], limit: usize) -> Verdict {
    let must = calls.iter().filter(|c| c.outcome == Outcome::Ok).count();
    let (mut done, mut state) = (Bits::new(calls.len()), model.init());
    let (mut left, mut first, mut next) = (must, 0, 0);
    let mut seen = HashSet::new();
    let mut taken: Vec<Taken<M::State>> = Vec::new();
    loop {
        if left == 0 {
            return Verdict::Linearizable;
        }
        // Calls before `first` have all taken effect.
        while first < calls.len() && done.has(first) {
            first += 1;
        }
        // Whatever takes effect next has begun before the first pending call ended.
        let pending = (first..calls.len()).filter(|i| !done.has(*i));
        let until = horizon(calls, pending);
        let mut found = None;
        let mut i = next.max(first);
        while i < calls.len() && calls[i].start <= until {
            if !done.has(i)
                && let Some(after) = model.step(&state, &calls[i].op)
            {
                done.flip(i);
                if seen.insert((done.clone(), after.clone())) {
                    found = Some((i, after));
                    break;
                }
                done.flip(i);
            }
            i += 1;
        }
        if seen.len() > limit {
            return Verdict::Undecided;
        }
        match found {
            Some((call, after)) => {
                taken.push(Taken { call, before: std::mem::replace(&mut state, after) });
                left -= usize::from(calls[call].outcome == Outcome::Ok);
                next = 0;
            }
            None => {
                let Some(step) = taken.pop() else { return Verdict::Not };
                done.flip(step.call);
                left += usize::from(calls[step.call].outcome == Outcome::Ok);
                state = step.before;
                first = first.min(step.call);
                next = step.call + 1;
            }
        }
    }
}

/// The earliest end of a pending call that must take effect. Calls are in order of start, so that none behind the first one
/// that starts after it can be earlier.
fn horizon<O>(calls: &[Call<O>], pending: impl Iterator<Item = usize>) -> u64 {
    let mut until = u64::MAX;
    for i in pending {
        if calls[i].start > until {
            break;
        }
        until = until.min(calls[i].deadline().unwrap_or(u64::MAX));
    }
    until
}

/// The smallest part of a history without an order.
#[derive(Clone, Debug)]
pub struct Failure<O> {
    /// Calls without an order, in order of start.
    pub calls: Vec<Call<O>>,
    /// Calls of the key before they were reduced.
    pub of: usize,
}

/// Reduces a history without an order: to two subjects if that is enough, to what had been answered when it became impossible,
/// and without answers of reads that do not matter. Each step only ever allows more, so what is left is wrong by itself.
pub fn shrink<M: Model>(model: &M, calls: &[Call<M::Op>]) -> Failure<M::Op> {
    let of = calls.len();
    let mut best = match wrong_pair(model, calls) {
        Some(kept) => project(model, calls, &kept),
        None => calls.to_vec(),
    };
    let bad = |part: &[Call<M::Op>]| search(model, part, PART_LIMIT * 4) == Verdict::Not;
    let mut ends: Vec<u64> = best.iter().filter_map(Call::deadline).collect();
    ends.sort_unstable();
    // A longer history only demands more, so the first bad cut can be found by halves.
    let (mut low, mut high) = (0, ends.len().saturating_sub(1));
    while low < high {
        let middle = usize::midpoint(low, high);
        if bad(&cut(model, &best, ends[middle])) { high = middle } else { low = middle + 1 }
    }
    if let Some(short) = ends.get(low).map(|end| cut(model, &best, *end)).filter(|short| bad(short)) {
        best = short;
    }
    // Several at a time first: most answers have nothing to do with it.
    let mut size = best.len().max(1);
    loop {
        let mut at = 0;
        while at < best.len() {
            let range = at..(at + size).min(best.len());
            let mut less = Vec::with_capacity(best.len());
            less.extend(
                best.iter()
                    .enumerate()
                    .filter(|(i, c)| !range.contains(i) || !model.is_read(&c.op))
                    .map(|(_, c)| c.clone()),
            );
            let gone = best.len() - less.len();
            if gone > 0 && bad(&less) {
                best = less;
            }
            at += size.saturating_sub(gone).max(1);
        }
        if size == 1 {
            break;
        }
        size /= 2;
    }
    Failure { calls: best, of }
}

/// The history as it was at `end`: later calls are not there, and those that had no answer yet have none.
fn cut<M: Model>(model: &M, calls: &[Call<M::Op>], end: u64) -> Vec<Call<M::Op>> {
    let open = |c: &Call<M::Op>| c.deadline().is_none_or(|d| d > end);
    // A read without an answer says nothing.
    let begun = calls.iter().filter(|c| c.start <= end && !(open(c) && model.is_read(&c.op)));
    begun.map(|c| Call { outcome: if open(c) { Outcome::Info } else { c.outcome }, ..c.clone() }).collect()
}

#[cfg(test)]
mod tests;
