//! Reading and writing of bytes, bounded and without panics. Numbers are big-endian.

use crate::NodeId;
use bytes::{Buf, BufMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use types::Str;

/// Why bytes from outside were refused. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WireError {
    /// The message ends too early.
    #[error("message is truncated")]
    Truncated,
    /// A field has a value that no member sends.
    #[error("message is malformed: {0}")]
    Malformed(&'static str),
    /// Bytes were left over.
    #[error("message has bytes after its end")]
    Trailing,
    /// The buffer is too small for what should be written.
    #[error("message does not fit")]
    Full,
}

/// Reads from a slice.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

macro_rules! number {
    ($name:ident, $t:ty) => {
        pub(crate) fn $name(&mut self) -> Result<$t, WireError> {
            const N: usize = size_of::<$t>();
            let (head, rest) = self.0.split_first_chunk::<N>().ok_or(WireError::Truncated)?;
            self.0 = rest;
            Ok(<$t>::from_be_bytes(*head))
        }
    };
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    number!(u8, u8);
    number!(u16, u16);
    number!(u32, u32);
    number!(u64, u64);

    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.0.split_at_checked(n).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub(crate) fn end(&self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Trailing) }
    }
    /// A text with a length byte.
    pub(crate) fn text(&mut self) -> Result<Str, WireError> {
        let n = usize::from(self.u8()?);
        self.text_of(n)
    }
    /// A text of `n` bytes.
    pub(crate) fn text_of(&mut self, n: usize) -> Result<Str, WireError> {
        let text =
            std::str::from_utf8(self.bytes(n)?).ok().ok_or(WireError::Malformed("text is not UTF-8"))?;
        Ok(Str::new(text))
    }
    pub(crate) fn node(&mut self) -> Result<NodeId, WireError> {
        let ip: IpAddr = match self.u8()? {
            4 => Ipv4Addr::from(self.u32()?).into(),
            6 => {
                let mut octets = [0; 16];
                octets.copy_from_slice(self.bytes(16)?);
                Ipv6Addr::from(octets).into()
            }
            _ => return Err(WireError::Malformed("address family")),
        };
        let port = self.u16()?;
        let bump = (u64::from(self.u16()?) << 32) | u64::from(self.u32()?);
        let short = self.u32()?;
        if port == 0 {
            return Err(WireError::Malformed("port"));
        }
        Ok(NodeId::from_wire(ip, port, bump, short))
    }
    /// Reads from a `Buf`, whose contents foca guarantees to be contiguous.
    pub(crate) fn within<T>(
        mut buf: impl Buf,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let chunk = buf.chunk();
        let mut reader = Reader::new(chunk);
        let value = read(&mut reader)?;
        let used = chunk.len() - reader.0.len();
        buf.advance(used);
        Ok(value)
    }
}

/// Bytes that [`put_node`] writes.
pub(crate) fn node_len(id: &NodeId) -> usize {
    1 + if id.addr().is_ipv4() { 4 } else { 16 } + 2 + 6 + 4
}

/// Writes an identity; the caller has made sure of the room.
pub(crate) fn put_node(out: &mut impl BufMut, id: &NodeId) {
    match id.addr().ip() {
        IpAddr::V4(ip) => {
            out.put_u8(4);
            out.put_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.put_u8(6);
            out.put_slice(&ip.octets());
        }
    }
    out.put_u16(id.addr().port());
    out.put_uint(id.bump(), 6);
    out.put_u32(id.short());
}
