//! Name and tags of a member, which travel apart from its identity.

use crate::{
    NodeId,
    wire::{Reader, WireError, put_node},
};
use std::{collections::BTreeMap, sync::Arc};
use types::Str;

/// Most bytes of one encoded record: it must fit into a packet beside a header.
pub(crate) const META_BYTES_MAX: usize = 1100;
const TAGS_MAX: usize = 64;

/// Keys that every agent has, sent as one byte. Append only: the position is the wire form.
const KNOWN_KEYS: [&str; 24] = [
    "role",
    "dc",
    "id",
    "port",
    "vsn",
    "vsn_min",
    "vsn_max",
    "build",
    "segment",
    "expect",
    "bootstrap",
    "raft_vsn",
    "acls",
    "ft_fs",
    "ft_si",
    "grpc_port",
    "grpc_tls_port",
    "wan_join_port",
    "use_tls",
    "read_replica",
    "nonvoter",
    "ap",
    "seg",
    "dlg",
];
const KEY_SPELLED: u8 = 255;
const VALUE_UUID: u16 = 0xffff;

/// What a member says of itself in one version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meta {
    /// Which run of the member speaks.
    pub(crate) id: NodeId,
    /// Grows with each change within one run.
    pub(crate) version: u32,
    /// Whether it announces its leave.
    pub(crate) leaving: bool,
    /// Name.
    pub(crate) name: Str,
    /// The encoded record, kept because it is sent far more often than its tags are read.
    encoded: Arc<[u8]>,
    tags_at: usize,
}

impl Meta {
    /// A record of our own.
    ///
    /// # Errors
    /// What is too large, in words for the operator.
    pub(crate) fn new(
        id: NodeId,
        version: u32,
        leaving: bool,
        name: Str,
        tags: &BTreeMap<Str, Str>,
    ) -> Result<Self, String> {
        if name.is_empty() || name.len() > 255 {
            return Err(format!("the name has {} bytes, 1 to 255 are allowed", name.len()));
        }
        if tags.len() > TAGS_MAX {
            return Err(format!("{} tags, at most {TAGS_MAX} are allowed", tags.len()));
        }
        let mut out = Vec::with_capacity(160);
        put_node(&mut out, &id);
        out.extend(version.to_be_bytes());
        out.push(u8::from(leaving));
        out.push(name.len() as u8);
        out.extend(name.as_bytes());
        let tags_at = out.len();
        out.push(tags.len() as u8);
        for (key, value) in tags {
            match KNOWN_KEYS.iter().position(|k| k == key) {
                Some(at) => out.push(at as u8),
                None if key.len() <= 255 => {
                    out.extend([KEY_SPELLED, key.len() as u8]);
                    out.extend(key.as_bytes());
                }
                None => return Err(format!("a tag name has {} bytes, at most 255 are allowed", key.len())),
            }
            match packed_uuid(value) {
                Some(bytes) => {
                    out.extend(VALUE_UUID.to_be_bytes());
                    out.extend(bytes);
                }
                None if value.len() <= META_BYTES_MAX => {
                    out.extend((value.len() as u16).to_be_bytes());
                    out.extend(value.as_bytes());
                }
                None => return Err(format!("tag {key} has {} bytes", value.len())),
            }
        }
        if out.len() > META_BYTES_MAX {
            return Err(format!(
                "name and tags have {} bytes, at most {META_BYTES_MAX} are allowed",
                out.len()
            ));
        }
        Ok(Self { id, version, leaving, name, encoded: out.into(), tags_at })
    }

    /// Reads one record that fills `bytes` and checks all of it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > META_BYTES_MAX {
            return Err(WireError::Malformed("member record too large"));
        }
        let mut r = Reader::new(bytes);
        let id = r.node()?;
        let version = r.u32()?;
        let leaving = match r.u8()? {
            0 => false,
            1 => true,
            _ => return Err(WireError::Malformed("member flags")),
        };
        let name = r.text()?;
        if name.is_empty() {
            return Err(WireError::Malformed("empty name"));
        }
        let tags_at = bytes.len() - r.rest().len();
        read_tags(&mut r)?;
        r.end()?;
        Ok(Self { id, version, leaving, name, encoded: bytes.into(), tags_at })
    }

    /// The record as it is sent.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// Its tags.
    pub(crate) fn tags(&self) -> BTreeMap<Str, Str> {
        // The record was checked when it was made, so this cannot fail.
        read_tags(&mut Reader::new(&self.encoded[self.tags_at..])).unwrap_or_default()
    }

    /// Whether this says more than `other` about the same address.
    pub(crate) fn newer_than(&self, other: &Self) -> bool {
        (self.id.bump(), self.version) > (other.id.bump(), other.version)
    }

    /// Whether both say the same but for run and version.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        self.name == other.name && self.encoded[self.tags_at..] == other.encoded[other.tags_at..]
    }
}

fn read_tags(r: &mut Reader<'_>) -> Result<BTreeMap<Str, Str>, WireError> {
    let n = usize::from(r.u8()?);
    if n > TAGS_MAX {
        return Err(WireError::Malformed("too many tags"));
    }
    let mut tags = BTreeMap::new();
    for _ in 0..n {
        let key = match r.u8()? {
            KEY_SPELLED => r.text()?,
            at => Str::new_static(KNOWN_KEYS.get(usize::from(at)).ok_or(WireError::Malformed("tag name"))?),
        };
        let value = match r.u16()? {
            VALUE_UUID => spelled_uuid(r.bytes(16)?),
            n => r.text_of(usize::from(n))?,
        };
        tags.insert(key, value);
    }
    Ok(tags)
}

/// The 16 bytes of a lower-case UUID, or nothing if the text is not exactly one.
fn packed_uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut out = [0; 16];
    let mut digits = 0;
    for (i, b) in text.bytes().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            if b != b'-' {
                return None;
            }
            continue;
        }
        let nibble = match b {
            b'0'..=b'9' => b - b'0',
            b'a'..=b'f' => b - b'a' + 10,
            _ => return None,
        };
        out[digits / 2] = out[digits / 2] << 4 | nibble;
        digits += 1;
    }
    Some(out)
}

fn spelled_uuid(bytes: &[u8]) -> Str {
    let mut text = String::with_capacity(36);
    for (i, b) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [b >> 4, b & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    Str::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_and_stay_small() {
        let id = NodeId::new("10.0.0.1:8301".parse().unwrap(), &Str::new("web-1"), 1_700_000_000_000);
        let mut tags = BTreeMap::new();
        for (k, v) in [
            ("role", "node"),
            ("dc", "dc1"),
            ("segment", ""),
            ("id", "a0000000-0000-4000-8000-00000000000f"),
            ("vsn", "2"),
            ("vsn_min", "2"),
            ("vsn_max", "3"),
            ("build", "1.21.4"),
            ("own", "värde"),
        ] {
            tags.insert(Str::new(k), Str::new(v));
        }
        let meta = Meta::new(id, 3, true, Str::new("web-1"), &tags).unwrap();
        assert!(meta.encoded().len() < 120, "{}", meta.encoded().len());
        let back = Meta::decode(meta.encoded()).unwrap();
        assert_eq!((back.tags(), &back), (tags, &meta));
        for cut in 0..meta.encoded().len() {
            assert!(Meta::decode(&meta.encoded()[..cut]).is_err());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let id = NodeId::new("10.0.0.1:8301".parse().unwrap(), &Str::new("x"), 1);
        let tags = BTreeMap::from([(Str::new("k"), Str::from("v".repeat(1200)))]);
        assert_eq!(Meta::new(id, 1, false, Str::new("x"), &tags).unwrap_err(), "tag k has 1200 bytes");
        assert!(Meta::new(id, 1, false, Str::new(""), &BTreeMap::new()).is_err());
        let upper = "A0000000-0000-4000-8000-00000000000F";
        assert_eq!(packed_uuid(upper), None, "only what can be given back unchanged");
    }
}
