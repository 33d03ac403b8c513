//! What the system and the runtime tell about this process.

use super::encode::Profile;
use std::{collections::BTreeMap, time::Duration};

/// Clock ticks a second in `/proc`; Linux says 100 to every program.
const TICKS: u64 = 100;

/// Resident memory by what backs it.
pub(super) fn memory() -> Profile {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    Profile { kind: "inuse_space", unit: "bytes", duration_ns: 0, values: memory_of(&status) }
}

fn memory_of(status: &str) -> Vec<(String, u64)> {
    let parts = [
        ("RssAnon:", "anonymous memory (heap and stacks)"),
        ("RssFile:", "files (program and mapped files)"),
        ("RssShmem:", "shared memory"),
    ];
    let value = |label: &str| {
        let line = status.lines().find_map(|l| l.strip_prefix(label))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    parts.iter().filter_map(|(label, name)| Some(((*name).to_owned(), value(label)?))).collect()
}

/// Tasks of the runtime and threads of the process.
pub(super) fn tasks() -> Profile {
    let metrics = tokio::runtime::Handle::current().metrics();
    let mut values = vec![
        ("tasks alive".to_owned(), metrics.num_alive_tasks() as u64),
        ("tasks that wait for a worker".to_owned(), metrics.global_queue_depth() as u64),
        ("workers of the runtime".to_owned(), metrics.num_workers() as u64),
    ];
    let mut threads: BTreeMap<String, u64> = BTreeMap::new();
    for (_, name, _) in thread_times() {
        *threads.entry(format!("threads named {name}")).or_default() += 1;
    }
    values.extend(threads);
    Profile { kind: "tasks", unit: "count", duration_ns: 0, values }
}

/// CPU time of each thread so far: number, name, nanoseconds.
pub(super) type Times = Vec<(u64, String, u64)>;

/// CPU time of each thread so far.
pub(super) fn cpu() -> Times {
    thread_times()
}

/// CPU time of each name of a thread since `before`.
pub(super) fn cpu_since(before: &Times, passed: Duration) -> Profile {
    let mut values: BTreeMap<String, u64> = BTreeMap::new();
    for (id, name, now) in thread_times() {
        let then = before.iter().find(|(old, ..)| *old == id).map_or(0, |(_, _, ns)| *ns);
        *values.entry(name).or_default() += now.saturating_sub(then);
    }
    let duration_ns = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
    Profile { kind: "cpu", unit: "nanoseconds", duration_ns, values: values.into_iter().collect() }
}

fn thread_times() -> Times {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let one = |entry: std::fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        // A thread may end while it is looked at.
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let (name, ns) = time_of(&stat)?;
        Some((id, name, ns))
    };
    threads.flatten().filter_map(one).collect()
}

/// Name and CPU time of a line of `/proc/<id>/stat`; the name may hold blanks and brackets.
fn time_of(stat: &str) -> Option<(String, u64)> {
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let name = stat.get(open + 1..close)?.to_owned();
    let mut fields = stat.get(close + 1..)?.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name, (user + system) * (1_000_000_000 / TICKS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc() {
        let stat = "12 (tokio rt) w) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(time_of(stat), Some(("tokio rt) w".to_owned(), 2_000_000_000)));
        assert_eq!(time_of("nonsense"), None);
        let status = "Name:\tx\nRssAnon:\t    12 kB\nRssFile:\t 3 kB\n";
        assert_eq!(memory_of(status).iter().map(|(_, n)| *n).collect::<Vec<_>>(), [12288, 3072]);
    }
}
