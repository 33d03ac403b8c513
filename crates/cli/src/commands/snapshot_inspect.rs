//! `snapshot inspect` and `snapshot decode`: what an archive holds, without an agent.

use super::{Command, Common, Failure, Outcome, Session, snapshot::file_argument};
use crate::{
    StateRecord,
    flags::{Flag, Kind},
    table::{columns, row},
    text::{os_error, os_words},
};
use archive::{Limits, Meta};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

pub(super) static INSPECT: Command = Command {
    path: "snapshot inspect",
    synopsis: "Display information about a snapshot",
    usage: "[options] FILE",
    about: "Verifies a snapshot and shows what it holds. FILE is an archive that `snapshot save`\nwrote, or its state.bin with meta.json beside it.",
    flags: &[
        Flag::new("kvdetails", Kind::Bool, "Show how much each prefix of keys takes."),
        Flag::new("kvdepth", Kind::Int, "How many parts of a key make a prefix; 2 if not given."),
        Flag::new("kvfilter", Kind::Text, "Only keys with this prefix."),
        Flag::new("format", Kind::Text, "pretty or json."),
    ],
    common: Common::None,
    run: inspect,
};

pub(super) static DECODE: Command = Command {
    path: "snapshot decode",
    synopsis: "Decode a snapshot",
    usage: "FILE",
    about: "Shows each record of a snapshot as a line of JSON. Private keys of the mesh's\nauthority are left out; other secrets, such as values of keys, are not.",
    flags: &[],
    common: Common::None,
    run: decode,
};

/// The state of an archive, verified, in a file without a name.
fn open(path: &Path) -> Result<(Meta, File), Failure> {
    let file = File::open(path).map_err(|e| {
        Failure::new(format!(
            "Error opening snapshot file: {}",
            os_error(&format!("open {}", path.display()), &e)
        ))
    })?;
    let bad = |e: String| Failure::new(format!("Error reading snapshot: {e}"));
    if path.file_name().is_some_and(|n| n == "state.bin") {
        let beside = path.with_file_name("meta.json");
        let json =
            std::fs::read(&beside).map_err(|e| bad(os_error(&format!("open {}", beside.display()), &e)))?;
        return Ok((Meta::from_json(&json).map_err(|e| bad(e.to_string()))?, file));
    }
    let mut state = scratch(path).map_err(|e| bad(format!("no room to unpack it: {}", os_words(&e))))?;
    let meta =
        archive::read(BufReader::new(file), Limits::default(), &mut state).map_err(|e| bad(e.to_string()))?;
    state.seek(SeekFrom::Start(0)).map_err(|e| bad(os_words(&e)))?;
    Ok((meta, state))
}

/// A file in the directory of temporary files that goes when it is closed.
fn scratch(beside: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let name = format!("praetor-{}-{:016x}.state", std::process::id(), rand::random::<u64>());
    let dirs = [std::env::temp_dir(), beside.parent().map(Path::to_owned).unwrap_or_default()];
    let mut last = None;
    for dir in dirs {
        let path = dir.join(&name);
        match File::options().create_new(true).read(true).write(true).mode(0o600).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(e) => last = Some(e),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

fn walk(session: &Session<'_, '_>, state: impl Read, mut each: impl FnMut(&StateRecord<'_>)) -> Outcome {
    let mut state = BufReader::with_capacity(1 << 20, state);
    let walked = session.local.walk_state(&mut state, &mut each);
    walked.map_err(|e| Failure::new(format!("Error extracting snapshot data: {e}")))
}

#[derive(Serialize, Clone, PartialEq, Debug)]
#[serde(rename_all = "PascalCase")]
struct Stat {
    name: String,
    sum: u64,
    count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Facts<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    size: u64,
    index: u64,
    term: u64,
    version: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Report<'a> {
    meta: Facts<'a>,
    stats: Vec<Stat>,
    #[serde(rename = "StatsKV")]
    stats_kv: Vec<Stat>,
    total_size: u64,
    #[serde(rename = "TotalSizeKV")]
    total_size_kv: u64,
}

/// Counts by name.
#[derive(Default)]
struct Counts(BTreeMap<String, (u64, u64)>);

impl Counts {
    fn add(&mut self, name: &str, bytes: u64) {
        // Most names are there already.
        let (sum, count) = match self.0.get_mut(name) {
            Some(slot) => slot,
            None => self.0.entry(name.to_owned()).or_default(),
        };
        (*sum, *count) = (*sum + bytes, *count + 1);
    }

    /// The largest first.
    fn sorted(self) -> (Vec<Stat>, u64) {
        let mut all: Vec<Stat> =
            self.0.into_iter().map(|(name, (sum, count))| Stat { name, sum, count }).collect();
        all.sort_by(|a, b| b.sum.cmp(&a.sum).then_with(|| a.name.cmp(&b.name)));
        let total = all.iter().map(|s| s.sum).sum();
        (all, total)
    }
}

fn inspect(session: &mut Session<'_, '_>) -> Outcome {
    let path = file_argument(session)?;
    let (meta, state) = open(&path)?;
    let flags = &session.flags;
    let (details, filter) = (flags.bool("kvdetails"), flags.text("kvfilter").to_owned());
    let depth = usize::try_from(flags.number::<i64>("kvdepth").unwrap_or(2)).unwrap_or(0);
    let format = flags.given("format").unwrap_or("pretty").to_owned();
    if format != "pretty" && format != "json" {
        return Err(Failure::new(format!(
            "Error outputting enhanced snapshot data: Unknown format: {format}"
        )));
    }
    let (mut kinds, mut keys) = (Counts::default(), Counts::default());
    walk(session, state, |record| {
        kinds.add(record.kind, record.bytes);
        if let Some(key) = record.key.filter(|k| details && k.starts_with(&filter)) {
            let prefix: Vec<&str> = key.splitn(depth + 1, '/').take(depth.max(1)).collect();
            keys.add(&prefix.join("/"), record.bytes);
        }
    })?;
    let ((stats, total_size), (stats_kv, total_size_kv)) = (kinds.sorted(), keys.sorted());
    let facts =
        Facts { id: &meta.id, size: meta.size, index: meta.index, term: meta.term, version: meta.version };
    let report = Report { meta: facts, stats, stats_kv, total_size, total_size_kv };
    if format == "json" {
        let json = serde_json::to_string(&report).map_err(|e| Failure::new(e.to_string()))?;
        session.io.say(::watch::indent(&json, 3));
    } else {
        session.io.say(pretty(&report, details));
    }
    Ok(())
}

fn pretty(report: &Report<'_>, details: bool) -> String {
    let m = &report.meta;
    let (size, index, term, version) =
        (m.size.to_string(), m.index.to_string(), m.term.to_string(), m.version.to_string());
    let facts = [
        row([" ID", m.id]),
        row([" Size", &size]),
        row([" Index", &index]),
        row([" Term", &term]),
        row([" Version", &version]),
    ];
    let mut out = format!("{}\n\n{}", columns(&facts), table(" Type", &report.stats, report.total_size));
    if details {
        out.push_str(&format!("\n\n{}", table(" Key Name", &report.stats_kv, report.total_size_kv)));
    }
    out
}

fn table(title: &str, stats: &[Stat], total: u64) -> String {
    let rule = || row([" ----", "----", "----"]);
    let mut rows = vec![row([title, "Count", "Size"]), rule()];
    rows.extend(stats.iter().map(|s| row([&format!(" {}", s.name), &s.count.to_string(), &bytes(s.sum)])));
    rows.push(rule());
    rows.push(row([" Total", "", &bytes(total)]));
    columns(&rows)
}

/// `12B`, `3.4KB`, `5MB`.
fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    let text = format!("{value:.1}");
    format!("{}{}", text.strip_suffix(".0").unwrap_or(&text), UNITS[unit])
}

fn decode(session: &mut Session<'_, '_>) -> Outcome {
    let path = file_argument(session)?;
    let (meta, state) = open(&path)?;
    let header = serde_json::to_string(&meta).map_err(|e| Failure::new(e.to_string()))?;
    let mut out = format!("{{\"Data\":{header},\"Type\":\"SnapshotHeader\"}}\n").into_bytes();
    let local = session.local;
    let io = &mut session.io;
    let walked = local.walk_state(&mut BufReader::with_capacity(1 << 20, state), &mut |record| {
        out.extend_from_slice(
            format!("{{\"Data\":{},\"Type\":{:?}}}\n", (record.data)(), record.kind).as_bytes(),
        );
        if out.len() > 64 << 10 {
            io.put(&out);
            out.clear();
        }
    });
    session.io.put(&out);
    walked.map_err(|e| Failure::new(format!("Error extracting snapshot data: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_a_human_reads_them() {
        let shown = [0, 12, 1023, 1024, 3482, 5 << 20].map(bytes);
        assert_eq!(shown, ["0B", "12B", "1023B", "1KB", "3.4KB", "5MB"]);
    }
}
