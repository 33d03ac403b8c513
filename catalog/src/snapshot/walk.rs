//! Looking into a snapshot without building its state.

use super::{
    SnapshotError,
    reader::{open, read_frame},
    record::Record,
};
use serde_json::{Value, json};
use std::io::Read;
use types::codec;

/// A record, as `snapshot inspect` and `snapshot decode` show it.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What it is.
    pub kind: &'static str,
    /// Bytes it takes.
    pub bytes: u64,
    /// The key, of a key-value pair.
    pub key: Option<&'a str>,
    record: &'a Record,
}

impl Seen<'_> {
    /// The record in JSON. Private keys are left out.
    pub fn data(&self) -> Value {
        let whole = |record: &Record| match serde_json::to_value(record) {
            Ok(Value::Object(tagged)) => tagged.into_iter().next().map_or(Value::Null, |(_, v)| v),
            Ok(other) => other,
            Err(e) => json!({ "Error": e.to_string() }),
        };
        match self.record {
            Record::Authority(state) => json!({ "Provider": state.config.provider, "Roots": state.roots }),
            // A part of another state, with its secrets.
            Record::Staged { id, data } => json!({ "ID": id, "Bytes": data.len() }),
            record => whole(record),
        }
    }
}

fn kind(record: &Record) -> &'static str {
    match record {
        Record::Node { .. } => "Node",
        Record::Service(_) => "Service",
        Record::Check(_) => "Check",
        Record::Kv(_) => "KVS",
        Record::Tombstone { .. } => "Tombstone",
        Record::Authority(_) => "ConnectCA",
        Record::Autopilot(_) => "Autopilot",
        Record::Entry(_) => "ConfigEntry",
        Record::FederationState(_) => "FederationState",
        Record::Session(_) => "Session",
        Record::KvExpiry { .. } => "KVSExpiry",
        Record::LockDelay { .. } => "LockDelay",
        Record::Coordinate { .. } => "Coordinate",
        Record::PreparedQuery(_) => "PreparedQuery",
        Record::Vip { .. } => "VirtualIP",
        Record::Namespace(_) => "Namespace",
        Record::Partition(_) => "Partition",
        // Indexes of tables and names, and what frames the rest.
        _ => "Index",
    }
}

/// Reads a snapshot to its end and shows each record.
///
/// # Errors
/// Damaged, truncated or unknown input; what was shown before stands.
pub fn walk(mut input: impl Read, mut each: impl FnMut(&Seen<'_>)) -> Result<(), SnapshotError> {
    open(&mut input)?;
    let (mut payload, mut records) = (Vec::new(), 0u64);
    loop {
        read_frame(&mut input, &mut payload)?;
        let mut rest = payload.as_slice();
        while !rest.is_empty() {
            let (length, tail) =
                rest.split_first_chunk::<4>().ok_or(SnapshotError::Damaged("a record has no length"))?;
            let length = u32::from_le_bytes(*length);
            let (bytes, tail) = usize::try_from(length)
                .ok()
                .and_then(|n| tail.split_at_checked(n))
                .ok_or(SnapshotError::Damaged("a record is longer than its frame"))?;
            let record: Record = codec::decode(bytes)?;
            if let Record::End { records: expected } = record {
                if expected != records {
                    return Err(SnapshotError::Damaged("records are missing"));
                }
                return Ok(());
            }
            let key = if let Record::Kv(entry) = &record { Some(entry.key.as_str()) } else { None };
            each(&Seen { kind: kind(&record), bytes: u64::from(length) + 4, key, record: &record });
            records += 1;
            rest = tail;
        }
    }
}
