//! Gossip packets on a byte stream: each behind its length (u32, big-endian). A length of zero asks whether the other side is still
//! there, and is answered by another one.

use bytes::{Buf, Bytes, BytesMut};

/// Largest packet, bytes. Gossip makes none above 1,400.
pub const PACKET_BYTES_MAX: usize = 64 << 10;
/// The frame that asks, and its answer.
pub const ARE_YOU_THERE: [u8; 4] = [0; 4];

/// Bytes that are not packets; the connection is of no further use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a gossip packet of {0} bytes, more than {PACKET_BYTES_MAX}")]
pub struct FrameError(pub usize);

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// A packet.
    Packet(Bytes),
    /// The other side wants to know whether we are there.
    AreYouThere,
}

/// Takes the next whole frame from the front of `buf`; `Ok(None)` when more bytes are needed.
///
/// # Errors
/// [`FrameError`] for a length out of bounds.
pub fn take(buf: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(head) = buf.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_be_bytes(*head) as usize;
    if len > PACKET_BYTES_MAX {
        return Err(FrameError(len));
    }
    if buf.len() < 4 + len {
        return Ok(None);
    }
    buf.advance(4);
    Ok(Some(if len == 0 { Frame::AreYouThere } else { Frame::Packet(buf.split_to(len).freeze()) }))
}

/// Appends a packet; one that is empty or too large is left out.
pub fn put(out: &mut BytesMut, packet: &[u8]) {
    if let Ok(len) = u32::try_from(packet.len())
        && (1..=PACKET_BYTES_MAX).contains(&packet.len())
    {
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_survive_any_split() {
        let mut wire = BytesMut::new();
        put(&mut wire, b"one");
        put(&mut wire, b"");
        wire.extend_from_slice(&ARE_YOU_THERE);
        put(&mut wire, &[7; 1400]);
        put(&mut wire, &vec![7; PACKET_BYTES_MAX + 1]);
        let whole = wire.freeze();
        for cut in 0..whole.len() {
            let mut buf = BytesMut::from(&whole[..cut]);
            let mut got = Vec::new();
            while let Some(f) = take(&mut buf).unwrap() {
                got.push(f);
            }
            buf.extend_from_slice(&whole[cut..]);
            while let Some(f) = take(&mut buf).unwrap() {
                got.push(f);
            }
            let want = [Frame::Packet("one".into()), Frame::AreYouThere, Frame::Packet(vec![7; 1400].into())];
            assert_eq!(got, want, "cut at {cut}");
            assert!(buf.is_empty());
        }
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_before_anything_is_kept() {
        let mut buf = BytesMut::from(&[0xff, 0xff, 0xff, 0xff, 1][..]);
        assert_eq!(take(&mut buf), Err(FrameError(u32::MAX as usize)));
        let mut buf = BytesMut::from(&b"\x16\x03\x01\x02"[..]);
        assert!(take(&mut buf).is_err(), "a TLS hello is no packet");
    }
}
