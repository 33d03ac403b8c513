//! Recovery after every way a write can be cut short, and refusal of damage.

use super::{
    NewEntry, Position, Recovered, Segments, VoteRecord, recover,
    writer::{Op, Wanted, Writer},
};
use crate::{ServerId, StartError, storage::MemFiles};
use bytes::Bytes;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

const DIR: &str = "/log";
const SIZE: u64 = 4096;

fn segments(files: &MemFiles) -> Arc<Segments> {
    Arc::new(Segments::new(Arc::new(files.clone()), DIR.into(), ServerId(7), SIZE))
}

fn open(files: &MemFiles) -> Result<(Arc<Segments>, Recovered), StartError> {
    let segments = segments(files);
    let found = recover(&segments, 1 << 20)?;
    Ok((segments, found))
}

struct Log {
    writer: Writer,
    wanted: Wanted,
}

impl Log {
    fn open(files: &MemFiles) -> Self {
        let (segments, found) = open(files).unwrap();
        let wanted = Wanted::default();
        Self { writer: Writer::new(segments, &found, wanted.clone(), Box::new(|_| {})), wanted }
    }
    /// Whether the batch was acknowledged.
    fn run(&mut self, ops: Vec<Op>) -> bool {
        let n = ops.len() as u64;
        let acked = Arc::new(AtomicU64::new(0));
        let ops = ops.into_iter().map(|op| {
            let acked = acked.clone();
            let done: super::writer::Done = Box::new(move |r: std::io::Result<()>| {
                acked.fetch_add(u64::from(r.is_ok()), Ordering::Relaxed);
            });
            match op {
                Op::Append(e, _) => Op::Append(e, done),
                Op::Vote(v, _) => Op::Vote(v, done),
                Op::Truncate(t, _) => Op::Truncate(t, done),
                Op::Purge(p, _) => Op::Purge(p, done),
                Op::Flush(_) => Op::Flush(done),
            }
        });
        let staged = self.writer.write(ops);
        self.writer.commit(staged);
        acked.load(Ordering::Relaxed) == n
    }
    fn append(&mut self, term: u64, indexes: std::ops::Range<u64>, len: usize) -> bool {
        self.run(vec![entries(term, indexes, len)])
    }
}

fn data(term: u64, index: u64, len: usize) -> Bytes {
    (0..len).map(|i| (term * 31 + index * 7 + i as u64) as u8).collect::<Vec<u8>>().into()
}

fn entries(term: u64, indexes: std::ops::Range<u64>, len: usize) -> Op {
    let all = indexes
        .map(|index| NewEntry {
            pos: Position { term, index },
            kind: 1,
            data: data(term, index, len),
            stamp: 0,
        })
        .collect();
    Op::Append(all, Box::new(drop))
}

fn vote(term: u64) -> Op {
    Op::Vote(VoteRecord { term, node: 9 << 70 | 1, committed: true }, Box::new(drop))
}

fn positions(found: &Recovered) -> Vec<(u64, u64)> {
    found.entries.iter().map(|e| (e.pos.term, e.pos.index)).collect()
}

fn last_segment(files: &MemFiles) -> PathBuf {
    files.paths().into_iter().rfind(|p| p.extension().is_some_and(|e| e == "wal")).unwrap()
}

#[test]
fn everything_comes_back_over_many_segments() {
    let files = MemFiles::new();
    let mut log = Log::open(&files);
    assert!(log.run(vec![vote(3)]));
    for i in 0..40 {
        assert!(log.append(3, i * 5..i * 5 + 5, 100));
    }
    *log.wanted.lock() = Some((Position { term: 3, index: 180 }, 41));
    assert!(log.append(3, 200..201, 10));
    *log.wanted.lock() = Some((Position { term: 3, index: 190 }, 1000));
    assert!(log.run(vec![Op::Truncate(199, Box::new(drop)), entries(3, 199..200, 100)]));
    assert_eq!(
        open(&files).unwrap().1.committed,
        Some(Position { term: 3, index: 180 }),
        "not before its time"
    );
    *log.wanted.lock() = Some((Position { term: 3, index: 190 }, 43));
    assert!(log.run(vec![Op::Truncate(195, Box::new(drop)), entries(4, 195..198, 10)]));
    assert!(log.append(4, 198..199, 9000), "larger than a segment");
    assert!(files.paths().len() > 5);
    let (segments, found) = open(&files).unwrap();
    let expected: Vec<_> = (0..195).map(|i| (3, i)).chain((195..199).map(|i| (4, i))).collect();
    assert_eq!(positions(&found), expected);
    assert_eq!(found.vote.unwrap(), VoteRecord { term: 3, node: 9 << 70 | 1, committed: true });
    assert_eq!(found.committed, Some(Position { term: 3, index: 190 }));
    for e in &found.entries {
        let len = e.place.len as usize;
        assert_eq!(segments.read(&e.place).unwrap(), data(e.pos.term, e.pos.index, len));
        assert_eq!(e.data.as_ref().unwrap(), &data(e.pos.term, e.pos.index, len));
    }
}

#[test]
fn purging_deletes_segments_and_keeps_vote_and_purge_point() {
    let files = MemFiles::new();
    let mut log = Log::open(&files);
    log.run(vec![vote(2)]);
    for i in 0..40 {
        log.append(2, i * 5..i * 5 + 5, 100);
    }
    let before = files.paths().len();
    assert!(log.run(vec![Op::Purge(Position { term: 2, index: 150 }, Box::new(drop))]));
    assert!(files.paths().len() < before / 2);
    let (_, found) = open(&files).unwrap();
    assert_eq!(positions(&found), (151..200).map(|i| (2, i)).collect::<Vec<_>>());
    assert_eq!(found.vote.unwrap().term, 2);
    // A snapshot from the leader may reach past everything here.
    let mut log = Log::open(&files);
    assert!(log.run(vec![Op::Purge(Position { term: 5, index: 900 }, Box::new(drop))]));
    assert!(log.append(5, 901..903, 10));
    let (_, found) = open(&files).unwrap();
    assert_eq!(positions(&found), [(5, 901), (5, 902)]);
    assert_eq!(found.purged, Some(Position { term: 5, index: 900 }));
}

#[test]
fn a_last_write_cut_at_any_byte_is_dropped_as_a_whole() {
    let files = MemFiles::new();
    let mut log = Log::open(&files);
    log.run(vec![vote(1)]);
    log.append(1, 0..3, 40);
    let path = last_segment(&files);
    let before = files.bytes(&path).unwrap();
    log.append(1, 3..6, 40);
    let after = files.bytes(&path).unwrap();
    for cut in before.len()..after.len() {
        for garbage in [0_u8, 0xa5] {
            let mut bytes = after[..cut].to_vec();
            bytes.resize(after.len(), garbage);
            if bytes == after {
                continue;
            }
            let copy = MemFiles::new();
            copy.set_bytes(&path, bytes);
            let (_, found) = open(&copy).unwrap();
            let n = positions(&found).len();
            // Only the padding may be missing.
            assert!(n == 3 || (n == 6 && after[cut..].iter().all(|b| *b == 0)), "cut at {cut}: {n}");
            // What was cut off is gone for good: writing on gives a log that reads the same again.
            let mut log = Log::open(&copy);
            assert!(log.append(2, n as u64..n as u64 + 1, 8));
            assert_eq!(positions(&open(&copy).unwrap().1).len(), n + 1);
        }
    }
}

#[test]
fn a_flipped_bit_before_the_last_write_is_refused_with_its_place() {
    let files = MemFiles::new();
    let mut log = Log::open(&files);
    log.append(1, 0..3, 24);
    let path = last_segment(&files);
    let damaged = files.bytes(&path).unwrap().len();
    log.append(1, 3..5, 24);
    log.append(1, 5..7, 24);
    let bytes = files.bytes(&path).unwrap();
    for at in 0..damaged {
        for bit in [0, 3, 7] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            let copy = MemFiles::new();
            copy.set_bytes(&path, bytes);
            match open(&copy) {
                Err(StartError::Corrupt { path: found, .. }) => assert_eq!(found, path),
                Err(StartError::OtherServer { .. }) => panic!("the header is checksummed"),
                Err(e) => panic!("{e}"),
                // Unused bytes of the header, and padding, carry nothing.
                Ok((_, found)) => {
                    assert!(positions(&found).len() == 7, "bit {bit} of byte {at} was overlooked");
                }
            }
        }
    }
    let text = {
        let mut bytes = bytes;
        bytes[damaged - 9] ^= 1;
        let copy = MemFiles::new();
        copy.set_bytes(&path, bytes);
        open(&copy).err().unwrap().to_string()
    };
    assert!(text.contains("0000000000000001.wal at byte 64"), "{text}");
}

#[test]
fn another_servers_log_a_missing_segment_and_a_damaged_one_in_the_middle_are_refused() {
    let files = MemFiles::new();
    let mut log = Log::open(&files);
    for i in 0..40 {
        log.append(2, i * 5..i * 5 + 5, 100);
    }
    let other = Segments::new(Arc::new(files.clone()), DIR.into(), ServerId(8), SIZE);
    assert!(matches!(recover(&other, 0), Err(StartError::OtherServer { found: ServerId(7), .. })));
    let second = segments(&files).path(2);
    let bytes = files.bytes(&second).unwrap();
    let copy = MemFiles::new();
    for path in files.paths().iter().filter(|p| **p != second) {
        copy.set_bytes(path, files.bytes(path).unwrap());
    }
    assert!(matches!(open(&copy), Err(StartError::Corrupt { path, .. }) if path == second));
    copy.set_bytes(&second, bytes[..bytes.len() - 40].to_vec());
    assert!(matches!(open(&copy), Err(StartError::Corrupt { path, .. }) if path == second));
}

#[test]
fn a_full_disk_is_an_error_and_the_log_stays_whole() {
    let files = MemFiles::new();
    let mut log = Log::open(&files);
    files.limit_space(3 * SIZE);
    let mut acked = 0;
    for i in 0..100 {
        if log.append(1, i..i + 1, 500) {
            assert_eq!(acked, i, "nothing is acknowledged after a failure");
            acked = i + 1;
        }
    }
    assert!(acked > 3 && acked < 100);
    files.limit_space(u64::MAX);
    let mut log = Log::open(&files);
    let found = open(&files).unwrap().1;
    assert_eq!(found.entries.len() as u64, acked);
    assert!(log.append(1, acked..acked + 1, 500));
}

/// What a log must hold: the state after the last acknowledged batch, or after the one that was being written.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    /// Of the entries, which another leader may write without a vote from here.
    term: u64,
    vote: u64,
    purged: Option<u64>,
    entries: Vec<(u64, u64)>,
}

impl Model {
    fn next(&self) -> u64 {
        self.entries.last().map(|e| e.1 + 1).or(self.purged.map(|p| p + 1)).unwrap_or(0)
    }
    /// A random batch, applied here, as operations.
    fn batch(&mut self, rng: &mut SmallRng) -> Vec<Op> {
        (0..rng.random_range(1..4))
            .map(|_| match rng.random_range(0..10) {
                0 => {
                    self.term += 1;
                    self.vote = self.term;
                    vote(self.vote)
                }
                1 if !self.entries.is_empty() => {
                    let from = self.entries[rng.random_range(0..self.entries.len())].1;
                    self.entries.retain(|e| e.1 < from);
                    self.term += 1;
                    Op::Truncate(from, Box::new(drop))
                }
                2 if !self.entries.is_empty() => {
                    let (term, index) = self.entries[rng.random_range(0..self.entries.len())];
                    self.entries.retain(|e| e.1 > index);
                    self.purged = Some(index);
                    Op::Purge(Position { term, index }, Box::new(drop))
                }
                _ => {
                    let next = self.next();
                    let n = rng.random_range(1..6);
                    self.entries.extend((next..next + n).map(|i| (self.term, i)));
                    entries(self.term, next..next + n, rng.random_range(0..400))
                }
            })
            .collect()
    }
    /// What is compared: vote, purge point, entries.
    fn held(&self) -> (u64, Option<u64>, Vec<(u64, u64)>) {
        (self.vote, self.purged, self.entries.clone())
    }
    /// The same of what was found, every entry read back.
    fn of(segments: &Segments, found: &Recovered) -> (u64, Option<u64>, Vec<(u64, u64)>) {
        for e in &found.entries {
            let expected = data(e.pos.term, e.pos.index, e.place.len as usize);
            assert_eq!(segments.read(&e.place).unwrap(), expected, "{:?}", e.pos);
        }
        (found.vote.map_or(0, |v| v.term), found.purged.map(|p| p.index), positions(found))
    }
}

/// Runs a random history that loses power after `steps` disk operations; answers whether it got that far.
fn crash_once(seed: u64, steps: u64) -> bool {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut files = MemFiles::new();
    let mut log = Log::open(&files);
    files.die_after(steps);
    let mut model = Model::default();
    let mut crashed = false;
    for _ in 0..30 {
        let before = model.clone();
        let ops = model.batch(&mut rng);
        if !log.run(ops) {
            files = files.crash(&mut rng);
            let (segments, found) = open(&files).unwrap();
            let now = Model::of(&segments, &found);
            let (old, new) = (before.held(), model.held());
            assert!(
                now == old || now == new,
                "seed {seed} step {steps}: {now:?} is neither {old:?} nor {new:?}"
            );
            if now == old && now != new {
                model = before;
            }
            log = Log::open(&files);
            crashed = true;
        }
    }
    // Once more at the end: power may have failed after an acknowledgement, while old segments were being deleted.
    let (segments, found) = open(&files.crash(&mut rng)).unwrap();
    assert_eq!(Model::of(&segments, &found), model.held(), "seed {seed} step {steps}");
    crashed
}

#[test]
fn power_may_fail_at_every_disk_operation() {
    for seed in 0..6 {
        let mut step = 0;
        while crash_once(seed, step) {
            step += 1;
        }
        assert!(step > 30, "{step}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_history_survives_power_failure(seed: u64, step in 0_u64..120) {
        crash_once(seed, step);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let files = MemFiles::new();
        let mut log = Log::open(&files);
        log.append(1, 0..2, 16);
        let path = last_segment(&files);
        let mut whole = files.bytes(&path).unwrap();
        whole.extend_from_slice(&bytes);
        files.set_bytes(&path, whole);
        let _ = open(&files);
    }
}
