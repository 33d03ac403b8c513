//! The one module that names the binary codec.
//!
//! Everything stored or sent begins with a format version byte. Decoding is bounded and never panics.

use serde::{Serialize, de::DeserializeOwned};

/// Version byte of what [`encode`] writes.
pub const FORMAT_VERSION: u8 = 1;
/// Largest message that [`decode`] accepts, bytes.
pub const DECODE_BYTES_MAX: usize = 256 << 20;

/// Why bytes could not be turned into a value. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The value cannot be represented (a sequence without length, …): a programming error of the caller.
    #[error("cannot encode: {0}")]
    Encode(String),
    /// Not a message of ours, or a damaged one.
    #[error("cannot decode: {0}")]
    Decode(String),
    /// Written by a version that this one does not know.
    #[error("unknown format version {0}")]
    Version(u8),
    /// Bytes were left over.
    #[error("{0} bytes after the end of the message")]
    Trailing(usize),
}

fn config() -> bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<DECODE_BYTES_MAX>,
> {
    bincode::config::standard().with_limit::<DECODE_BYTES_MAX>()
}

/// Appends version byte and `value` to `out`.
///
/// # Errors
/// [`CodecError::Encode`] when the value has no binary form; `out` may then hold a partial message.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.push(FORMAT_VERSION);
    bincode::serde::encode_into_std_write(value, out, config())
        .map_err(|e| CodecError::Encode(e.to_string()))?;
    Ok(())
}

/// Version byte and `value`.
///
/// # Errors
/// [`CodecError::Encode`] when the value has no binary form.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::with_capacity(128);
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Reads one value that fills `bytes` completely.
///
/// # Errors
/// Any [`CodecError`] but `Encode`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (&version, rest) = bytes.split_first().ok_or_else(|| CodecError::Decode("empty message".into()))?;
    if version != FORMAT_VERSION {
        return Err(CodecError::Version(version));
    }
    let (value, used) =
        bincode::serde::decode_from_slice(rest, config()).map_err(|e| CodecError::Decode(e.to_string()))?;
    if used != rest.len() {
        return Err(CodecError::Trailing(rest.len() - used));
    }
    Ok(value)
}

/// How deep messages may hold messages of their own kind. Ours hold one.
const NESTED_MAX: u32 = 4;

thread_local! {
    static NESTED: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Leaves a level when it is dropped.
struct Level;

impl Level {
    fn enter() -> Option<Self> {
        NESTED.with(|n| {
            let deeper = n.get() + 1;
            (deeper <= NESTED_MAX).then(|| {
                n.set(deeper);
                Self
            })
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        NESTED.with(|n| n.set(n.get() - 1));
    }
}

/// For fields that hold values of the type that they are in: a few bytes for each level would otherwise be enough to run a
/// reader out of stack.
pub(crate) fn nested<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    let _level = Level::enter()
        .ok_or_else(|| <D::Error as serde::de::Error>::custom("a message is nested too deeply"))?;
    T::deserialize(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, KvOp, Proposal};

    #[test]
    fn depth_is_bounded() {
        let level = |empty: &Command, one: &Command| {
            let (empty, one) = (encode(empty).unwrap(), encode(one).unwrap());
            // What one more level puts in front of what it holds.
            assert_eq!(empty[1], one[1]);
            vec![one[1], 1]
        };
        let batch = level(&Command::Batch(vec![]), &Command::Batch(vec![Command::Noop]));
        let mut bytes = vec![FORMAT_VERSION];
        for _ in 0..200_000 {
            bytes.extend_from_slice(&batch);
        }
        bytes.push(0);
        assert!(matches!(decode::<Command>(&bytes), Err(CodecError::Decode(why)) if why.contains("deeply")));
        let mut op = KvOp::Delete { key: "k".into() };
        for _ in 0..8 {
            op = KvOp::WithTtl { ttl_ms: 1, write: Box::new(op) };
        }
        assert!(decode::<KvOp>(&encode(&op).unwrap()).is_err());
        let fine = Command::Batch(vec![Command::Noop, Command::Batch(vec![])]);
        for _ in 0..2 * NESTED_MAX {
            assert_eq!(decode::<Command>(&encode(&fine).unwrap()).unwrap(), fine, "levels are given back");
        }
    }

    #[test]
    fn round_trip_and_refusals() {
        let p = Proposal {
            proposed_at_ms: 7,
            command: Command::Kv {
                tenancy: crate::Tenancy::default(),
                op: KvOp::Set { key: "a".into(), value: bytes::Bytes::from_static(b"v"), flags: 3 },
            },
        };
        let mut b = encode(&p).unwrap();
        assert_eq!(decode::<Proposal>(&b).unwrap(), p);
        b.push(0);
        assert!(matches!(decode::<Proposal>(&b), Err(CodecError::Trailing(1))));
        b[0] = 99;
        assert!(matches!(decode::<Proposal>(&b), Err(CodecError::Version(99))));
        assert!(decode::<Proposal>(&[]).is_err());
        for n in 0..b.len() {
            let _ = decode::<Proposal>(&b[..n]);
        }
    }
}
