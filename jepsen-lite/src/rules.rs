//! Promises that are not linearizability of one object: versions, indexes, stale reads, sets.

use crate::{
    history::{Call, Outcome},
    ops::{Mode, Op},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A broken promise and the calls that show it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which promise.
    pub what: String,
    /// The calls, in order of start.
    pub calls: Vec<Call<Op>>,
}

fn finding(what: impl Into<String>, calls: &[&Call<Op>]) -> Finding {
    let mut calls: Vec<_> = calls.iter().map(|c| (*c).clone()).collect();
    calls.sort_by_key(|c| c.start);
    Finding { what: what.into(), calls }
}

fn ok(calls: &[Call<Op>]) -> impl Iterator<Item = &Call<Op>> {
    calls.iter().filter(|c| c.outcome == Outcome::Ok)
}

/// Stale reads and lists show values that somebody had begun to write, never one from the future or from nowhere. `calls` are
/// those of one key.
pub fn values_begun(calls: &[Call<Op>]) -> Option<Finding> {
    let mut begun = HashMap::new();
    for call in calls {
        // A refused `cas` wrote nothing.
        if let Op::Write { value } | Op::Cas { new: value, done: true, .. } = &call.op {
            begun.insert(*value, call.start);
        }
    }
    let wrong = |value: &u64, end: u64| begun.get(value).is_none_or(|at| *at > end);
    let shows = |c: &&Call<Op>| match &c.op {
        Op::Read { value: Some(v), mode: Mode::Stale, .. } => wrong(v, c.end),
        Op::List { entries, .. } => entries.iter().any(|(_, v)| wrong(v, c.end)),
        _ => false,
    };
    ok(calls).find(shows).map(|c| finding("a read shows a value that nobody had written yet", &[c]))
}

/// A version has one value and a value one version, whoever reads it and how.
pub fn versions(calls: &[Call<Op>]) -> Option<Finding> {
    let (mut value_of, mut version_of) = (HashMap::new(), HashMap::new());
    for call in ok(calls) {
        let Op::Read { value: Some(value), version, .. } = &call.op else { continue };
        let (other, _) = *value_of.entry(*version).or_insert((call, *value));
        if matches!(&other.op, Op::Read { value: Some(v), .. } if v != value) {
            return Some(finding("two values have the same version (ModifyIndex)", &[other, call]));
        }
        let other = *version_of.entry(*value).or_insert(call);
        if matches!(&other.op, Op::Read { version: v, .. } if v != version) {
            return Some(finding("one value has two versions (ModifyIndex)", &[other, call]));
        }
    }
    None
}

/// Whose answer it is: that of one run of a server, or of all servers for what is linearizable. `None` if that is not known.
fn answered_by(call: &Call<Op>) -> Option<(Option<usize>, u32)> {
    let (linear, epoch) = match &call.op {
        Op::Read { mode, epoch, .. } => (*mode == Mode::Linear, *epoch),
        // A blocked query is answered when its own server knows something new; nobody else is asked then.
        Op::List { after, epoch, .. } => (*after == 0, *epoch),
        _ => return None,
    };
    if linear { Some((None, 0)) } else { epoch.map(|e| (Some(call.server), e)) }
}

/// The index of a key or prefix never goes back: not in what one server answers by itself, and not on any of them between
/// linearizable reads. `calls` are those of one key.
pub fn indexes_grow(calls: &[Call<Op>]) -> Option<Finding> {
    grows(calls, "index", |op| match op {
        Op::Read { index, .. } | Op::List { index, .. } => Some(*index),
        _ => None,
    })
}

/// So does the version (`ModifyIndex`) of a key, as often as it is there: what is made again after a delete has a higher one.
/// `calls` are those of one key.
pub fn versions_grow(calls: &[Call<Op>]) -> Option<Finding> {
    grows(calls, "version (ModifyIndex)", |op| match op {
        Op::Read { value: Some(_), version, .. } => Some(*version),
        _ => None,
    })
}

/// A number in answers that never goes back.
fn grows(calls: &[Call<Op>], name: &str, number: fn(&Op) -> Option<u64>) -> Option<Finding> {
    let mut groups = BTreeMap::<_, Vec<(u64, &Call<Op>)>>::new();
    for call in ok(calls) {
        if let (Some(by), Some(n)) = (answered_by(call), number(&call.op)) {
            groups.entry(by).or_default().push((n, call));
        }
    }
    for ((server, _), mut group) in groups {
        group.sort_by_key(|(_, c)| c.start);
        let mut ended = group.clone();
        ended.sort_by_key(|(_, c)| c.end);
        let (mut at, mut highest): (usize, Option<(u64, &Call<Op>)>) = (0, None);
        for (is, call) in group {
            while at < ended.len() && ended[at].1.end < call.start {
                if highest.is_none_or(|(n, _)| ended[at].0 > n) {
                    highest = Some(ended[at]);
                }
                at += 1;
            }
            if let Some((was, before)) = highest.filter(|(was, _)| is < *was) {
                let whose = match server {
                    Some(n) => format!("on server {}", n + 1),
                    None => "between linearizable reads".into(),
                };
                return Some(finding(
                    format!("the {name} went back from {was} to {is} {whose}"),
                    &[before, call],
                ));
            }
        }
    }
    None
}

/// Answers of the same index have the same content, so that whoever waits for another index misses nothing.
pub fn contents(calls: &[Call<Op>]) -> Option<Finding> {
    let mut of = HashMap::new();
    for call in ok(calls) {
        let Op::List { entries, index, .. } = &call.op else { continue };
        let (other, known) = *of.entry(*index).or_insert((call, entries));
        if known != entries {
            let what = "the content under a prefix changed and its index did not: a watcher would miss it";
            return Some(finding(what, &[other, call]));
        }
    }
    None
}

/// Elements of a set: what was acknowledged is in every read that began later, what was read once stays, and nothing is there
/// that nobody added.
pub fn set(calls: &[Call<Op>]) -> Option<Finding> {
    let mut added = HashMap::new();
    for call in calls.iter() {
        if let Op::Add { element } = &call.op {
            added.insert(*element, call);
        }
    }
    let mut reads: Vec<(&Call<Op>, &BTreeSet<u64>)> = ok(calls)
        .filter_map(|c| match &c.op {
            Op::All { elements } => Some((c, elements)),
            _ => None,
        })
        .collect();
    reads.sort_by_key(|(c, _)| c.start);
    // Since when each element has to be there, and by which call.
    let mut since: BTreeMap<u64, &Call<Op>> = BTreeMap::new();
    for call in ok(calls) {
        if let Op::Add { element } = &call.op {
            since.insert(*element, call);
        }
    }
    for (read, elements) in &reads {
        for e in *elements {
            match added.get(e) {
                None => return Some(finding(format!("element {e} was never added"), &[read])),
                Some(add) if add.start > read.end => {
                    return Some(finding(format!("element {e} was read before it was added"), &[read, add]));
                }
                Some(_) => {}
            }
            let known = since.entry(*e).or_insert(read);
            if known.end > read.end {
                *known = read;
            }
        }
    }
    for (read, elements) in &reads {
        if let Some((e, by)) = since.iter().find(|(e, by)| by.end < read.start && !elements.contains(e)) {
            let what = if matches!(by.op, Op::Add { .. }) { "was acknowledged" } else { "had been read" };
            return Some(finding(format!("element {e} {what} and is missing"), &[by, read]));
        }
    }
    None
}

/// A lock whose holder's session was destroyed is given to nobody for `delay` µs. Sessions here never release. `calls` are those of
/// one key.
pub fn lock_delay(calls: &[Call<Op>], delay: u64) -> Option<Finding> {
    let given = |c: &&Call<Op>| matches!(c.op, Op::Acquire { done: true, .. });
    for destroyed in ok(calls) {
        let Op::Destroy { session } = destroyed.op else { continue };
        let of = |c: &&Call<Op>| matches!(c.op, Op::Acquire { session: s, .. } if s == session);
        let Some(held) = ok(calls).filter(given).find(of) else { continue };
        let early = |c: &&Call<Op>| !of(c) && c.start > destroyed.end && c.end < destroyed.start + delay;
        if let Some(early) = ok(calls).filter(given).find(early) {
            let (ms, all) = ((early.end - destroyed.start) / 1000, delay / 1000);
            let what = format!(
                "the lock was given {ms} ms after its holder's session was destroyed, the lock-delay is {all} ms"
            );
            return Some(finding(what, &[held, destroyed, early]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(op: Op, start: u64, end: u64, server: usize) -> Call<Op> {
        let outcome = Outcome::Ok;
        Call { client: 0, key: "k".into(), op, outcome, start, end, server, note: String::new() }
    }

    fn read(value: u64, version: u64, mode: Mode) -> Op {
        Op::Read { value: Some(value), version, index: version, mode, epoch: Some(1) }
    }

    #[test]
    fn stale_reads_may_be_old_but_not_invented() {
        let write = call(Op::Write { value: 7 }, 10, 20, 0);
        let at = |start, end, value| {
            values_begun(&[write.clone(), call(read(value, 3, Mode::Stale), start, end, 1)]).is_some()
        };
        assert!(!at(12, 13, 7) && !at(90, 91, 7));
        assert!(at(5, 9, 7) && at(30, 31, 8));
    }

    #[test]
    fn a_refused_cas_writes_nothing() {
        let shown = |done, outcome| {
            let cas = call(Op::Cas { old: None, new: 7, done }, 10, 20, 0);
            let stale = call(read(7, 3, Mode::Stale), 30, 31, 1);
            values_begun(&[Call { outcome, ..cas }, stale]).is_none()
        };
        assert!(shown(true, Outcome::Ok) && shown(true, Outcome::Info));
        assert!(!shown(false, Outcome::Ok));
    }

    #[test]
    fn lists_show_what_was_written() {
        let write = call(Op::Write { value: 7 }, 10, 20, 0);
        let list = |value| Op::List { entries: vec![(1, value)], index: 5, after: 0, epoch: None };
        assert!(values_begun(&[write.clone(), call(list(7), 30, 31, 0)]).is_none());
        assert!(values_begun(&[write, call(list(u64::MAX), 30, 31, 0)]).is_some());
    }

    #[test]
    fn a_version_is_one_value() {
        let reads = |a, b| versions(&[call(a, 0, 1, 0), call(b, 2, 3, 1)]).is_some();
        assert!(!reads(read(1, 5, Mode::Linear), read(1, 5, Mode::Stale)));
        assert!(reads(read(1, 5, Mode::Linear), read(2, 5, Mode::Linear)));
        assert!(reads(read(1, 5, Mode::Linear), read(1, 6, Mode::Linear)));
    }

    #[test]
    fn an_index_may_go_back_only_on_another_server_that_answers_stale() {
        let pair = |a: Call<Op>, b: Call<Op>| indexes_grow(&[a, b]).is_some();
        let at = |version, mode, start, server| call(read(version, version, mode), start, start + 1, server);
        assert!(pair(at(9, Mode::Linear, 0, 0), at(8, Mode::Linear, 5, 1)));
        assert!(pair(at(9, Mode::Stale, 0, 1), at(8, Mode::Stale, 5, 1)));
        assert!(!pair(at(9, Mode::Linear, 0, 0), at(8, Mode::Stale, 5, 1)));
        // At the same time, in the other order.
        assert!(!pair(at(9, Mode::Linear, 0, 0), at(8, Mode::Linear, 1, 1)));
        assert!(!pair(at(8, Mode::Linear, 0, 0), at(9, Mode::Linear, 5, 1)));
    }

    #[test]
    fn a_version_goes_back_in_no_run_of_a_server() {
        let stale = |value: Option<u64>, version, start, server, epoch| {
            let op = Op::Read { value, version, index: 9, mode: Mode::Stale, epoch: Some(epoch) };
            call(op, start, start + 1, server)
        };
        let first = stale(Some(1), 8, 0, 0, 1);
        let after = |next| versions_grow(&[first.clone(), next]).is_some();
        assert!(after(stale(Some(2), 7, 5, 0, 1)));
        // Gone and made again, the other order of two at the same time, another server, another run.
        assert!(!after(stale(None, 0, 5, 0, 1)) && !after(stale(Some(2), 9, 5, 0, 1)));
        assert!(!after(stale(Some(2), 7, 1, 0, 1)));
        assert!(!after(stale(Some(2), 7, 5, 1, 1)) && !after(stale(Some(2), 7, 5, 0, 3)));
        assert!(indexes_grow(&[first.clone(), stale(Some(2), 7, 5, 0, 1)]).is_none(), "the index stayed");
    }

    #[test]
    fn a_prefix_has_one_content_for_an_index() {
        let list = |entries: &[(u64, u64)], index| Op::List {
            entries: entries.to_vec(),
            index,
            after: 0,
            epoch: None,
        };
        let two = |a, b| contents(&[call(a, 0, 1, 0), call(b, 2, 3, 0)]).is_some();
        assert!(!two(list(&[(1, 5)], 5), list(&[(1, 5)], 5)));
        assert!(!two(list(&[(1, 5)], 5), list(&[], 6)));
        assert!(two(list(&[(1, 5), (2, 4)], 5), list(&[(1, 5)], 5)));
    }

    #[test]
    fn a_lock_rests_after_its_session() {
        let acquire = |session, start| call(Op::Acquire { session, done: true }, start, start + 1, 0);
        let destroy = call(Op::Destroy { session: 1 }, 10, 11, 0);
        let early = |start| lock_delay(&[acquire(1, 0), destroy.clone(), acquire(2, start)], 100).is_some();
        assert!(early(12) && early(50));
        // At the same time as the end, or late enough.
        assert!(!early(11) && !early(109));
        assert!(lock_delay(&[destroy.clone(), acquire(2, 12)], 100).is_none(), "it held nothing");
    }

    #[test]
    fn sets_lose_nothing_and_invent_nothing() {
        let all = |elements: &[u64]| Op::All { elements: elements.iter().copied().collect() };
        let add = |element, start| call(Op::Add { element }, start, start + 1, 0);
        let check = |calls: &[Call<Op>]| set(calls).map(|f| f.what);
        assert_eq!(check(&[add(1, 0), call(all(&[1]), 5, 6, 0), call(all(&[]), 0, 3, 0)]), None);
        assert!(check(&[add(1, 0), call(all(&[]), 5, 6, 0)]).is_some_and(|w| w.contains("acknowledged")));
        assert!(check(&[call(all(&[2]), 5, 6, 0)]).is_some_and(|w| w.contains("never added")));
        assert!(check(&[call(all(&[2]), 0, 1, 0), add(2, 5)]).is_some_and(|w| w.contains("before")));
        let unknown = Call { outcome: Outcome::Info, ..add(3, 0) };
        let seen = [unknown.clone(), call(all(&[3]), 5, 6, 0), call(all(&[]), 7, 8, 0)];
        assert!(check(&seen).is_some_and(|w| w.contains("had been read")));
        assert_eq!(check(&[unknown, call(all(&[]), 7, 8, 0)]), None);
    }
}
