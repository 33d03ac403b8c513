//! The checker on histories whose verdict is known, against a checker that tries everything, and on broken copies of good
//! histories.

use super::*;
use crate::ops::{Lock, Mode, Op, Register};
use proptest::prelude::*;

fn call(client: usize, op: Op, start: u64, end: u64) -> Call<Op> {
    let outcome = if end == u64::MAX { Outcome::Info } else { Outcome::Ok };
    Call { client, key: "k".into(), op, outcome, start, end, server: 0, note: String::new() }
}

fn read(value: impl Into<Option<u64>>) -> Op {
    Op::Read { value: value.into(), version: 0, index: 0, mode: Mode::Linear, epoch: None }
}

fn write(value: u64) -> Op {
    Op::Write { value }
}

const NEVER: u64 = u64::MAX;

#[test]
fn registers_of_the_textbook() {
    let ok = |calls: &[Call<Op>]| assert_eq!(check(&Register, calls), Verdict::Linearizable, "{calls:?}");
    let bad = |calls: &[Call<Op>]| assert_eq!(check(&Register, calls), Verdict::Not, "{calls:?}");
    ok(&[]);
    // A read beside a write may see either, two beside it may change over once.
    ok(&[call(0, write(1), 0, 10), call(1, read(None), 1, 2), call(1, read(1), 3, 4)]);
    bad(&[call(0, write(1), 0, 10), call(1, read(1), 1, 2), call(1, read(None), 3, 4)]);
    // After the answer to a write the old value is gone.
    bad(&[call(0, write(1), 0, 1), call(1, read(None), 2, 3)]);
    ok(&[call(0, write(1), 0, 2), call(1, read(None), 2, 3)]);
    // A write without an answer may happen late, or never, but not before it began.
    ok(&[call(0, write(1), 0, NEVER), call(1, read(None), 5, 6), call(1, read(1), 7, 8)]);
    ok(&[call(0, write(1), 0, NEVER), call(1, read(None), 5, 6)]);
    bad(&[call(1, read(1), 0, 1), call(0, write(1), 2, NEVER)]);
    bad(&[call(0, write(1), 0, NEVER), call(1, read(1), 5, 6), call(1, read(None), 7, 8)]);
    // Two that replace the same value cannot both have done it.
    let cas = |new, done| Op::Cas { old: Some(1), new, done };
    let first = call(0, write(1), 0, 1);
    bad(&[first.clone(), call(0, cas(2, true), 2, 9), call(1, cas(3, true), 3, 8)]);
    ok(&[first.clone(), call(0, cas(2, true), 2, 9), call(1, cas(3, false), 3, 8)]);
    bad(&[first, call(1, cas(3, false), 3, 8)]);
    // A pair is never torn.
    let pair = |value, copy| Op::Pair { value, copy };
    bad(&[call(0, write(1), 0, 9), call(1, pair(Some(1), None), 1, 8)]);
    ok(&[call(0, write(1), 0, 9), call(1, pair(Some(1), Some(1)), 1, 8)]);
}

#[test]
fn locks_have_one_holder_and_growing_tokens() {
    let ok = |calls: &[Call<Op>]| assert_eq!(check(&Lock, calls), Verdict::Linearizable, "{calls:?}");
    let bad = |calls: &[Call<Op>]| assert_eq!(check(&Lock, calls), Verdict::Not, "{calls:?}");
    let acquire = |session, done| Op::Acquire { session, done };
    let first = call(0, acquire(1, true), 0, 1);
    bad(&[first.clone(), call(1, acquire(2, true), 2, 3)]);
    ok(&[first.clone(), call(1, acquire(2, false), 2, 3)]);
    let release = call(0, Op::Release { session: 1, done: true }, 4, 5);
    ok(&[first.clone(), release.clone(), call(1, acquire(2, true), 4, 6)]);
    // The token of the second holder is 2, and what the first one guards is refused by then.
    let holder = |session, token| Op::Holder { session, token };
    let second = call(1, acquire(2, true), 6, 7);
    let begin = [first.clone(), release, second];
    ok(&[&begin[..], &[call(2, holder(Some(2), 2), 8, 9)]].concat());
    bad(&[&begin[..], &[call(2, holder(Some(2), 1), 8, 9)]].concat());
    bad(&[&begin[..], &[call(0, Op::Guarded { session: 1, done: true }, 8, 9)]].concat());
    ok(&[&begin[..], &[call(0, Op::Guarded { session: 1, done: false }, 8, 9)]].concat());
    // A session that has ended holds nothing and gets nothing; one that may run out may do so late.
    let destroy = call(0, Op::Destroy { session: 1 }, 2, 3);
    bad(&[first.clone(), destroy.clone(), call(2, holder(Some(1), 1), 4, 5)]);
    bad(&[first.clone(), destroy, call(0, acquire(1, true), 4, 5)]);
    let expire = |at| call(0, Op::Expire { session: 1 }, at, NEVER);
    ok(&[first.clone(), expire(10), call(1, acquire(2, true), 20, 21)]);
    bad(&[first, call(1, acquire(2, true), 5, 6), expire(10)]);
}

/// Tries every order, without memory.
fn brute(calls: &[Call<Op>], done: &mut Vec<bool>, state: Option<u64>) -> bool {
    let waits = |d: &[bool]| calls.iter().zip(d).any(|(c, d)| !d && c.outcome == Outcome::Ok);
    if !waits(done) {
        return true;
    }
    (0..calls.len()).any(|i| {
        let first = !done[i]
            && (0..calls.len()).all(|j| done[j] || calls[j].deadline().is_none_or(|d| d >= calls[i].start));
        let Some(after) = (if first { Register.step(&state, &calls[i].op) } else { None }) else {
            return false;
        };
        done[i] = true;
        let found = brute(calls, done, after);
        done[i] = false;
        found
    })
}

/// Any operation over few values, right or wrong.
fn any_op() -> impl Strategy<Value = Op> {
    let value = prop_oneof![Just(None), (1..4_u64).prop_map(Some)];
    prop_oneof![
        value.clone().prop_map(read),
        (1..4_u64).prop_map(write),
        (value, 1..4_u64, any::<bool>()).prop_map(|(old, new, done)| Op::Cas { old, new, done }),
        Just(Op::Delete),
    ]
}

fn tiny() -> impl Strategy<Value = Vec<Call<Op>>> {
    prop::collection::vec((any_op(), 0..12_u64, 0..6_u64, 0..5_u8), 0..7).prop_map(|ops| {
        let mut calls: Vec<_> = ops
            .into_iter()
            .enumerate()
            .map(|(i, (op, start, length, open))| {
                call(i, op, start, if open == 0 { NEVER } else { start + length })
            })
            .collect();
        calls.sort_by_key(|c| c.start);
        calls
    })
}

/// A history that has an order: calls take effect one after the other at known moments, begin before and end after.
fn good() -> impl Strategy<Value = Vec<Call<Op>>> {
    prop::collection::vec((0..5_u8, 0..40_u64, 0..40_u64, 0..12_u8, any::<prop::sample::Index>()), 1..60)
        .prop_map(|steps| {
            let (mut state, mut seen, mut calls) = (None, vec![None], Vec::new());
            for (i, (kind, before, after, open, pick)) in steps.into_iter().enumerate() {
                let (at, value) = (100 + 10 * i as u64, i as u64 + 1);
                let op = match kind {
                    0 => write(value),
                    1 => {
                        let old: Option<u64> = *pick.get(&seen);
                        Op::Cas { old, new: value, done: old == state }
                    }
                    2 if value % 3 == 0 => Op::Delete,
                    _ => read(state),
                };
                state = Register.step(&state, &op).unwrap_or(state);
                seen.push(state);
                let lost = open == 0 && !Register.is_read(&op);
                calls.push(call(i, op, at - before, if lost { NEVER } else { at + after }));
            }
            calls.sort_by_key(|c| c.start);
            calls
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_trying_everything(calls in tiny()) {
        let possible = brute(&calls, &mut vec![false; calls.len()], None);
        prop_assert_eq!(check(&Register, &calls) == Verdict::Linearizable, possible);
    }

    #[test]
    fn shrinking_leaves_something_wrong(calls in tiny()) {
        if check(&Register, &calls) == Verdict::Not {
            let small = shrink(&Register, &calls);
            prop_assert!(!small.calls.is_empty() && small.calls.len() <= calls.len());
            prop_assert_eq!(check(&Register, &small.calls), Verdict::Not);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn histories_with_an_order_pass(calls in good()) {
        prop_assert_eq!(check(&Register, &calls), Verdict::Linearizable);
    }

    #[test]
    fn a_lost_write_and_a_read_from_nowhere_are_found(calls in good(), pick in any::<prop::sample::Index>()) {
        let mut broken = calls;
        let end = broken.iter().filter_map(Call::deadline).max().unwrap_or(0) + 1;
        // A value that nobody wrote, somewhere.
        let at = pick.index(broken.len());
        let mut nowhere = broken.clone();
        nowhere.push(call(99, read(777_777), broken[at].start, end));
        nowhere.sort_by_key(|c| c.start);
        prop_assert_eq!(check(&Register, &nowhere), Verdict::Not);
        // An acknowledged write that is never seen, though nothing was written after it.
        broken.push(call(99, Op::Delete, end, end + 1));
        broken.push(call(99, write(888_888), end + 2, end + 3));
        broken.push(call(99, read(None), end + 4, end + 5));
        let deletes_are_open = broken.iter().any(|c| c.outcome == Outcome::Info && matches!(c.op, Op::Delete));
        if !deletes_are_open {
            prop_assert_eq!(check(&Register, &broken), Verdict::Not);
            let small = shrink(&Register, &broken);
            let others = small.calls.iter().filter(|c| !matches!(c.op, Op::Delete)).count();
            prop_assert!(others <= 3, "{:?}", small.calls);
        }
    }
}
