//! Sealing of packets and streams.
//!
//! With keys, everything sent is XChaCha20-Poly1305 under the primary key; everything received is tried with each
//! key. The nonce is a salt drawn at start, a counter, and fresh random bytes, so it never repeats; the receiver
//! remembers which counters of each salt it has seen and drops what it saw before. Pool and label are authenticated
//! with every message: a packet of another pool is as good as one under a wrong key.
//! Without keys a checksum over label and content keeps out damage and strangers' packets, not attackers.

use crate::{Key, Keyring, counters::Counters, replay::ReplayFilter};
use chacha20poly1305::{XNonce, aead::AeadInPlace as _};
use faults::Fault;
use rand::RngCore as _;
use rand_chacha::ChaCha8Rng;
use types::Str;

/// Bytes that sealing adds to a packet.
pub(crate) const OVERHEAD: usize = 1 + NONCE + TAG;
/// Largest content of one record of a stream.
pub(crate) const RECORD_BYTES_MAX: usize = 64 << 10;
/// Largest message of a stream.
pub const STREAM_BYTES_MAX: usize = 32 << 20;

const NONCE: usize = 24;
const TAG: usize = 16;
const SUM: usize = 8;
const PLAIN: u8 = 0x10;
const SEALED: u8 = 0x11;
const FINAL: u32 = 1 << 31;

/// Why something received was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Too short, or not of this protocol.
    #[error("not a gossip message")]
    Malformed,
    /// Sealed with a key that is not installed, for another pool, or damaged.
    #[error("no installed key could decrypt the message")]
    NoKey,
    /// Sealed, but no key is configured here.
    #[error("remote state is encrypted and encryption is not configured")]
    Unexpected,
    /// Plain, but only sealed messages are accepted.
    #[error("encryption is configured but remote state is not encrypted")]
    Plain,
    /// Seen before.
    #[error("message was replayed")]
    Replayed,
    /// Larger than [`STREAM_BYTES_MAX`].
    #[error("message is too large")]
    TooLarge,
}

/// FNV-1a over several parts.
pub(crate) fn fnv64(parts: &[&[u8]]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for b in *part {
            h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
        h = (h ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    }
    h
}

/// What a message is bound to beside its key.
#[derive(Clone, Copy)]
enum Context<'a> {
    Packet,
    /// Record number with the final bit, and the nonce of the request that it answers.
    Stream(u32, &'a [u8; NONCE]),
}

/// Seals what is sent and opens what is received.
pub(crate) struct Seal {
    label: Str,
    keyring: Option<Keyring>,
    verify_incoming: bool,
    verify_outgoing: bool,
    rng: ChaCha8Rng,
    salts: [u64; 2],
    counters: [u64; 2],
    seen: [ReplayFilter; 2],
}

/// Ties the answer on a stream to its request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamBinding([u8; NONCE]);

impl StreamBinding {
    /// Of the side that opens the stream.
    pub const REQUEST: Self = Self([0; NONCE]);
}

/// Puts the records of one incoming message together.
#[derive(Debug)]
pub struct StreamReader {
    bound_to: StreamBinding,
    first: Option<StreamBinding>,
    index: u32,
    body: Vec<u8>,
}

impl StreamReader {
    /// For a message bound to `bound_to`: [`StreamBinding::REQUEST`], or what sealing the request gave.
    pub fn new(bound_to: StreamBinding) -> Self {
        Self { bound_to, first: None, index: 0, body: Vec::new() }
    }
    /// Bytes of the record that `header` announces.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] when it is longer than any record; close the stream then.
    pub fn record_len(header: [u8; 4]) -> Result<usize, OpenError> {
        let n = (u32::from_be_bytes(header) & !FINAL) as usize;
        if n == 0 || n > RECORD_BYTES_MAX + OVERHEAD { Err(OpenError::Malformed) } else { Ok(n) }
    }
    /// What an answer to this message must be bound to.
    pub fn binding(&self) -> StreamBinding {
        self.first.unwrap_or(StreamBinding::REQUEST)
    }
    /// The whole message, once the final record was opened.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

impl Seal {
    pub(crate) fn new(
        label: Str,
        keyring: Option<Keyring>,
        verify_incoming: bool,
        verify_outgoing: bool,
        mut rng: ChaCha8Rng,
    ) -> Self {
        let salts = [rng.next_u64(), rng.next_u64()];
        Self {
            label,
            keyring,
            verify_incoming,
            verify_outgoing,
            rng,
            salts,
            counters: [0; 2],
            seen: [ReplayFilter::default(), ReplayFilter::default()],
        }
    }

    pub(crate) fn keyring(&self) -> Option<&Keyring> {
        self.keyring.as_ref()
    }
    pub(crate) fn keyring_mut(&mut self) -> Option<&mut Keyring> {
        self.keyring.as_mut()
    }

    fn aad(&self, context: Context<'_>) -> Vec<u8> {
        let mut aad = Vec::with_capacity(64);
        aad.extend(b"praetor gossip 1");
        aad.push(self.label.len() as u8);
        aad.extend(self.label.as_bytes());
        match context {
            Context::Packet => aad.push(0),
            Context::Stream(record, binding) => {
                aad.push(1);
                aad.extend(record.to_be_bytes());
                aad.extend(binding);
            }
        }
        aad
    }

    fn seal(&mut self, content: &[u8], context: Context<'_>, out: &mut Vec<u8>) -> [u8; NONCE] {
        let aad = self.aad(context);
        let lane = usize::from(!matches!(context, Context::Packet));
        let mut nonce = [0; NONCE];
        nonce[..8].copy_from_slice(&self.salts[lane].to_be_bytes());
        nonce[8..16].copy_from_slice(&self.counters[lane].to_be_bytes());
        self.rng.fill_bytes(&mut nonce[16..]);
        self.counters[lane] += 1;
        if let Some(ring) = self.keyring.as_ref().filter(|_| self.verify_outgoing) {
            out.push(SEALED);
            out.extend(nonce);
            let at = out.len();
            out.extend(content);
            // Encryption fails only for messages of many gigabytes; an empty tag would then fail to open.
            let tag = ring
                .primary()
                .cipher()
                .encrypt_in_place_detached(XNonce::from_slice(&nonce), &aad, &mut out[at..])
                .unwrap_or_default();
            out.extend(tag);
        } else {
            out.push(PLAIN);
            out.extend(fnv64(&[&aad, content]).to_be_bytes());
            out.extend(content);
        }
        nonce
    }

    fn open(
        &mut self,
        message: &[u8],
        context: Context<'_>,
    ) -> Result<(Vec<u8>, Option<[u8; NONCE]>), OpenError> {
        let aad = self.aad(context);
        let (kind, rest) = message.split_first().ok_or(OpenError::Malformed)?;
        match *kind {
            PLAIN => {
                let (sum, content) = rest.split_first_chunk::<SUM>().ok_or(OpenError::Malformed)?;
                if u64::from_be_bytes(*sum) != fnv64(&[&aad, content]) {
                    return Err(OpenError::Malformed);
                }
                if self.keyring.is_some() && self.verify_incoming {
                    return Err(OpenError::Plain);
                }
                Ok((content.to_vec(), None))
            }
            SEALED => {
                let ring = self.keyring.as_ref().ok_or(OpenError::Unexpected)?;
                let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(OpenError::Malformed)?;
                let (content, tag) = rest.split_last_chunk::<TAG>().ok_or(OpenError::Malformed)?;
                let mut body = Vec::new();
                let opened = ring.keys().iter().any(|key: &Key| {
                    body.clear();
                    body.extend_from_slice(content);
                    key.cipher()
                        .decrypt_in_place_detached(XNonce::from_slice(nonce), &aad, &mut body, tag.into())
                        .is_ok()
                });
                if !opened {
                    return Err(OpenError::NoKey);
                }
                // Only what is authentic may move the window.
                let mut word = [0; 8];
                word.copy_from_slice(&nonce[..8]);
                let salt = u64::from_be_bytes(word);
                word.copy_from_slice(&nonce[8..16]);
                let lane = usize::from(!matches!(context, Context::Packet));
                if !faults::on(Fault::ReplayedGossipAccepted)
                    && !self.seen[lane].accept(salt, u64::from_be_bytes(word))
                {
                    return Err(OpenError::Replayed);
                }
                Ok((body, Some(*nonce)))
            }
            _ => Err(OpenError::Malformed),
        }
    }

    pub(crate) fn seal_packet(&mut self, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.len() + OVERHEAD);
        self.seal(content, Context::Packet, &mut out);
        out
    }

    /// Opens a packet; what is dropped is counted.
    pub(crate) fn open_packet(&mut self, packet: &[u8], counters: &mut Counters) -> Option<Vec<u8>> {
        match self.open(packet, Context::Packet) {
            Ok((body, _)) => Some(body),
            Err(e) => {
                counters.count_drop(e);
                None
            }
        }
    }

    /// The records of one message, ready for the wire, and what the answer will be bound to.
    pub(crate) fn seal_stream(&mut self, body: &[u8], bound_to: StreamBinding) -> (Vec<u8>, StreamBinding) {
        let mut out = Vec::with_capacity(body.len() + (body.len() / RECORD_BYTES_MAX + 1) * (OVERHEAD + 4));
        let mut first = None;
        let mut chunks = body.chunks(RECORD_BYTES_MAX).peekable();
        let mut index = 0;
        loop {
            let chunk = chunks.next().unwrap_or_default();
            let last = chunks.peek().is_none();
            let mark = if last { FINAL } else { 0 };
            let at = out.len();
            out.extend([0; 4]);
            let nonce = self.seal(chunk, Context::Stream(index | mark, &bound_to.0), &mut out);
            let n = (out.len() - at - 4) as u32 | mark;
            out[at..at + 4].copy_from_slice(&n.to_be_bytes());
            if first.is_none() {
                first = Some(StreamBinding(if self.encrypts() { nonce } else { [0; NONCE] }));
            }
            if last {
                return (out, first.unwrap_or(StreamBinding::REQUEST));
            }
            index += 1;
        }
    }

    /// Opens one record; answers whether it was the last one.
    pub(crate) fn open_record(
        &mut self,
        reader: &mut StreamReader,
        header: [u8; 4],
        record: &[u8],
    ) -> Result<bool, OpenError> {
        let mark = u32::from_be_bytes(header) & FINAL;
        let bound_to = reader.bound_to;
        let (body, nonce) = self.open(record, Context::Stream(reader.index | mark, &bound_to.0))?;
        if reader.body.len() + body.len() > STREAM_BYTES_MAX {
            return Err(OpenError::TooLarge);
        }
        reader.body.extend(body);
        reader.first.get_or_insert(StreamBinding(nonce.unwrap_or_default()));
        reader.index += 1;
        Ok(mark != 0)
    }

    pub(crate) fn encrypts(&self) -> bool {
        self.keyring.is_some() && self.verify_outgoing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn seal(key: Option<u8>, label: &str, seed: u64) -> Seal {
        let ring = key.map(|k| Keyring::new(Key::from_bytes(&[k; 32]).unwrap()));
        Seal::new(Str::new(label), ring, true, true, ChaCha8Rng::seed_from_u64(seed))
    }
    fn open(s: &mut Seal, p: &[u8]) -> Result<Vec<u8>, OpenError> {
        s.open(p, Context::Packet).map(|(b, _)| b)
    }

    #[test]
    fn keys_labels_and_replays_are_told_apart() {
        let mut a = seal(Some(1), "lan:dc1", 1);
        let mut b = seal(Some(1), "lan:dc1", 2);
        let p = a.seal_packet(b"hello");
        assert!(!p.windows(5).any(|w| w == b"hello"));
        assert_eq!(open(&mut b, &p).unwrap(), b"hello");
        assert_eq!(open(&mut b, &p), Err(OpenError::Replayed));
        assert_eq!(open(&mut seal(Some(2), "lan:dc1", 3), &p), Err(OpenError::NoKey));
        assert_eq!(open(&mut seal(Some(1), "lan:dc2", 3), &p), Err(OpenError::NoKey));
        assert_eq!(open(&mut seal(None, "lan:dc1", 3), &p), Err(OpenError::Unexpected));
        let plain = seal(None, "lan:dc1", 4).seal_packet(b"hello");
        assert_eq!(open(&mut b, &plain), Err(OpenError::Plain));
        assert_eq!(open(&mut seal(None, "lan:dc2", 4), &plain), Err(OpenError::Malformed));
        for at in 0..p.len() {
            let mut damaged = a.seal_packet(b"hello");
            damaged[at] ^= 1;
            assert!(open(&mut b, &damaged).is_err());
            assert!(open(&mut b, &p[..at]).is_err());
        }
    }

    #[test]
    fn rotation_overlaps() {
        let (old, new) = (Key::from_bytes(&[1; 32]).unwrap(), Key::from_bytes(&[2; 32]).unwrap());
        let mut a = seal(Some(1), "", 1);
        let mut b = seal(Some(1), "", 2);
        for s in [&mut a, &mut b] {
            s.keyring_mut().unwrap().install(new.clone()).unwrap();
        }
        a.keyring_mut().unwrap().use_key(&new).unwrap();
        assert_eq!(open(&mut b, &a.seal_packet(b"x")).unwrap(), b"x");
        assert_eq!(open(&mut a, &b.seal_packet(b"y")).unwrap(), b"y");
        a.keyring_mut().unwrap().remove(&old).unwrap();
        assert_eq!(open(&mut a, &b.seal_packet(b"z")), Err(OpenError::NoKey));
    }

    #[test]
    fn streams_are_bound_to_their_request_and_order() {
        for key in [None, Some(7)] {
            let (mut a, mut b) = (seal(key, "l", 1), seal(key, "l", 2));
            let body: Vec<u8> = (0..150_000_u32).map(|i| i as u8).collect();
            let (wire, binding) = a.seal_stream(&body, StreamBinding::REQUEST);
            let mut reader = StreamReader::new(StreamBinding::REQUEST);
            let read = |s: &mut Seal, reader: &mut StreamReader, wire: &[u8]| -> Result<bool, OpenError> {
                let mut rest = wire;
                while let Some((h, r)) = rest.split_first_chunk::<4>() {
                    let n = StreamReader::record_len(*h)?;
                    let done = s.open_record(reader, *h, &r[..n])?;
                    rest = &r[n..];
                    if done {
                        return Ok(true);
                    }
                }
                Ok(false)
            };
            assert!(read(&mut b, &mut reader, &wire).unwrap());
            assert_eq!(reader.binding(), binding);
            let answer = b.seal_stream(b"ok", reader.binding()).0;
            assert_eq!(reader.into_body(), body);
            let mut elsewhere = StreamReader::new(StreamBinding([9; NONCE]));
            assert!(read(&mut a, &mut elsewhere, &answer).is_err(), "an answer to another request");
            let mut mine = StreamReader::new(binding);
            assert!(read(&mut a, &mut mine, &answer).unwrap());
            assert_eq!(mine.into_body(), b"ok");
        }
        assert!(StreamReader::record_len(*b"GET ").is_err());
        assert!(StreamReader::record_len([0x16, 3, 1, 0]).is_err());
    }
}
