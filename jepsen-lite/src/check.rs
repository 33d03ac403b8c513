//! Whether a history is linearizable: the search of Wing and Gong, with Lowe's memory of configurations that led nowhere.
//!
//! A configuration is the set of calls that have taken effect and the state that they led to. Calls without an answer may
//! take effect at any time after they began, or never. The search tries, at each point, every call that has begun before
//! any other pending one has ended. Histories are checked key by key, since linearizability is local.

use crate::history::{Call, Outcome};
use std::{collections::HashSet, fmt, hash::Hash};

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
    /// Whether a call without an answer may be needed to understand `kept`: such calls are shown with a failure.
    fn bears_on(&self, open: &Self::Op, kept: &Self::Op) -> bool;
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
pub const LIMIT: usize = 3_000_000;

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
pub fn check<M: Model>(model: &M, calls: &[Call<M::Op>]) -> Verdict {
    search(model, calls, LIMIT)
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
    /// Calls without an order, in order of start. Those that need not be as they are were taken out, or made calls whose
    /// outcome is left open.
    pub calls: Vec<Call<O>>,
    /// Calls without an answer that bear on none of those; they are left out.
    pub aside: usize,
    /// Calls of the key before they were reduced.
    pub of: usize,
}

/// Reduces a history without an order: cuts it at the first answer that makes it impossible, then takes out answers of reads
/// and opens outcomes of writes as long as there is still no order. Both only ever allow more, so what is left is wrong by
/// itself.
pub fn shrink<M: Model>(model: &M, calls: &[Call<M::Op>]) -> Failure<M::Op> {
    let of = calls.len();
    let bad = |part: &[Call<M::Op>]| search(model, part, LIMIT / 10) == Verdict::Not;
    let mut ends: Vec<u64> = calls.iter().filter_map(Call::deadline).collect();
    ends.sort_unstable();
    // A longer history only demands more, so the first bad cut can be found by halves.
    let (mut low, mut high) = (0, ends.len().saturating_sub(1));
    while low < high {
        let middle = usize::midpoint(low, high);
        if bad(&cut(calls, ends[middle])) { high = middle } else { low = middle + 1 }
    }
    let mut best = ends.get(low).map_or_else(|| calls.to_vec(), |end| cut(calls, *end));
    if !bad(&best) {
        best = calls.to_vec();
    }
    // Several at a time first: most answers have nothing to do with it.
    let mut size = (best.len() / 2).max(1);
    loop {
        let mut at = 0;
        while at < best.len() {
            let range = at..(at + size).min(best.len());
            let relaxed = relax(model, &best, range.clone());
            if relaxed.as_ref().is_some_and(|r| bad(r)) {
                let less = relaxed.unwrap_or_default();
                at += size - (best.len() - less.len()).min(size);
                best = less;
            } else {
                at += size;
            }
        }
        if size == 1 {
            break;
        }
        size /= 2;
    }
    let kept: Vec<M::Op> =
        best.iter().filter(|c| c.outcome == Outcome::Ok).map(|c| c.op.clone()).collect();
    let (calls, aside): (Vec<_>, Vec<_>) = best
        .into_iter()
        .partition(|c| c.outcome == Outcome::Ok || kept.iter().any(|k| model.bears_on(&c.op, k)));
    Failure { calls, aside: aside.len(), of }
}

/// The history as it was at `end`: later calls are not there, and those that had no answer yet have none.
fn cut<O: Clone>(calls: &[Call<O>], end: u64) -> Vec<Call<O>> {
    let begun = calls.iter().filter(|c| c.start <= end);
    let open = |c: &Call<O>| {
        let mut c = c.clone();
        if c.deadline().is_some_and(|d| d > end) {
            c.outcome = Outcome::Info;
        }
        c
    };
    begun.map(open).collect()
}

/// Reads in `range` go, writes lose their answer; `None` if nothing there can be relaxed.
fn relax<M: Model>(
    model: &M,
    calls: &[Call<M::Op>],
    range: std::ops::Range<usize>,
) -> Option<Vec<Call<M::Op>>> {
    let mut out = Vec::with_capacity(calls.len());
    let mut changed = false;
    for (i, call) in calls.iter().enumerate() {
        if !range.contains(&i) {
            out.push(call.clone());
        } else if model.is_read(&call.op) {
            changed = true;
        } else {
            changed |= call.outcome == Outcome::Ok;
            out.push(Call { outcome: Outcome::Info, ..call.clone() });
        }
    }
    changed.then_some(out)
}

#[cfg(test)]
mod tests;
