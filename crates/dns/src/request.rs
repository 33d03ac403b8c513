//! The question as it came in: header, one question, EDNS.

use crate::name::{LABEL_BYTES_MAX, NAME_BYTES_MAX};
use smallvec::SmallVec;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a message header.
pub const HEADER_BYTES: usize = 12;

/// Record types that matter here.
#[allow(missing_docs, reason = "the names are those of the DNS parameter registry")]
pub mod rtype {
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    pub const PTR: u16 = 12;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const OPT: u16 = 41;
    pub const AXFR: u16 = 252;
    pub const ANY: u16 = 255;
}

/// Response codes that matter here.
#[allow(missing_docs, reason = "the names are those of the DNS parameter registry")]
pub mod rcode {
    pub const NOERROR: u8 = 0;
    pub const FORMERR: u8 = 1;
    pub const SERVFAIL: u8 = 2;
    pub const NXDOMAIN: u8 = 3;
    pub const NOTIMP: u8 = 4;
    pub const REFUSED: u8 = 5;
}

pub(crate) mod flag {
    pub const QR: u16 = 0x8000;
    pub const AA: u16 = 0x0400;
    pub const TC: u16 = 0x0200;
    pub const RD: u16 = 0x0100;
    pub const RA: u16 = 0x0080;
    pub const CD: u16 = 0x0010;
    pub const OPCODE: u16 = 0x7800;
}

const OPCODE_QUERY: u16 = 0;
const OPCODE_NOTIFY: u16 = 4;
const OPTION_CLIENT_SUBNET: u16 = 8;
/// Client-subnet options are at most this long: family, two prefix lengths, an IPv6 address.
const CLIENT_SUBNET_BYTES_MAX: usize = 20;

/// How the question arrived; it decides the size rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// Datagram.
    Udp,
    /// Stream.
    Tcp,
}

/// What the client's OPT record said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edns {
    /// Largest datagram that the client takes.
    pub udp_size: u16,
    /// Payload of its client-subnet option.
    pub(crate) client_subnet: Option<SmallVec<[u8; CLIENT_SUBNET_BYTES_MAX]>>,
}

/// One question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    /// The question section as sent: name, type, class.
    pub(crate) question: &'a [u8],
    /// The name in wire form, letter case as sent.
    pub(crate) name: &'a [u8],
    pub(crate) qtype: u16,
    pub(crate) edns: Option<Edns>,
    pub(crate) transport: Transport,
}

/// What a packet turned out to be.
#[derive(Debug)]
pub enum Parsed<'a> {
    /// A question to answer.
    Question(Request<'a>),
    /// Not answerable, but there is a header to answer: send these bytes.
    Reject([u8; HEADER_BYTES]),
    /// No answer: too short, or itself an answer.
    Drop,
}

/// Reads a packet. Never panics.
pub fn parse(packet: &[u8], transport: Transport) -> Parsed<'_> {
    let Some(header) = packet.get(..HEADER_BYTES) else { return Parsed::Drop };
    let word = |i: usize| u16::from_be_bytes([header[i], header[i + 1]]);
    let (id, flags) = (word(0), word(2));
    if flags & flag::QR != 0 {
        return Parsed::Drop;
    }
    let opcode = (flags & flag::OPCODE) >> 11;
    if opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY {
        return reject(id, flags, rcode::NOTIMP);
    }
    if word(4) != 1 {
        return reject(id, flags, rcode::FORMERR);
    }
    let Some(name_end) = skip_plain_name(packet, HEADER_BYTES) else {
        return reject(id, flags, rcode::FORMERR);
    };
    let (Some(qtype), Some(question)) = (read_u16(packet, name_end), packet.get(HEADER_BYTES..name_end + 4))
    else {
        return reject(id, flags, rcode::FORMERR);
    };
    let records = usize::from(word(6)) + usize::from(word(8)) + usize::from(word(10));
    let Some(edns) = find_edns(packet, name_end + 4, records) else {
        return reject(id, flags, rcode::FORMERR);
    };
    let name = &packet[HEADER_BYTES..name_end];
    Parsed::Question(Request { id, flags, question, name, qtype, edns, transport })
}

fn reject<'a>(id: u16, flags: u16, rcode: u8) -> Parsed<'a> {
    let mut out = [0; HEADER_BYTES];
    out[..2].copy_from_slice(&id.to_be_bytes());
    let flags = flag::QR | (flags & (flag::OPCODE | flag::RD)) | u16::from(rcode);
    out[2..4].copy_from_slice(&flags.to_be_bytes());
    Parsed::Reject(out)
}

fn read_u16(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*b.get(at)?, *b.get(at + 1)?]))
}

/// End of an uncompressed name that starts at `at`.
fn skip_plain_name(b: &[u8], at: usize) -> Option<usize> {
    let mut i = at;
    loop {
        let len = usize::from(*b.get(i)?);
        if len > LABEL_BYTES_MAX {
            return None;
        }
        i += 1 + len;
        if i - at > NAME_BYTES_MAX {
            return None;
        }
        if len == 0 {
            return Some(i);
        }
    }
}

/// End of a name that may be compressed.
fn skip_name(b: &[u8], at: usize) -> Option<usize> {
    let mut i = at;
    loop {
        let len = *b.get(i)?;
        match len {
            0 => return Some(i + 1),
            1..=63 => i += 1 + usize::from(len),
            192.. => return (i + 2 <= b.len()).then_some(i + 2),
            _ => return None,
        }
    }
}

/// `None`: the records are damaged.
#[expect(clippy::option_option, reason = "outer: readable, inner: present")]
fn find_edns(b: &[u8], mut at: usize, records: usize) -> Option<Option<Edns>> {
    let mut found = None;
    for _ in 0..records {
        let name = at;
        at = skip_name(b, at)?;
        let rtype = read_u16(b, at)?;
        let class = read_u16(b, at + 2)?;
        let len = usize::from(read_u16(b, at + 8)?);
        let data = b.get(at + 10..at + 10 + len)?;
        if rtype == rtype::OPT && found.is_none() {
            if b[name] != 0 {
                return None;
            }
            found = Some(Edns { udp_size: class, client_subnet: client_subnet(data)? });
        }
        at += 10 + len;
    }
    Some(found)
}

#[expect(clippy::option_option, reason = "outer: readable, inner: present")]
fn client_subnet(mut data: &[u8]) -> Option<Option<SmallVec<[u8; CLIENT_SUBNET_BYTES_MAX]>>> {
    while !data.is_empty() {
        let code = read_u16(data, 0)?;
        let len = usize::from(read_u16(data, 2)?);
        let value = data.get(4..4 + len)?;
        if code == OPTION_CLIENT_SUBNET {
            if !(4..=CLIENT_SUBNET_BYTES_MAX).contains(&len) {
                return None;
            }
            let mut copy = SmallVec::from_slice(value);
            // Our answers do not depend on the subnet, which a scope of 0 says.
            copy[3] = 0;
            return Some(Some(copy));
        }
        data = &data[4 + len..];
    }
    Some(None)
}

impl Edns {
    /// Address of the client-subnet option, its host part zero.
    pub(crate) fn client_address(&self) -> Option<IpAddr> {
        let option = self.client_subnet.as_ref()?;
        let (family, bytes) = (read_u16(option, 0)?, option.get(4..)?);
        let mut octets = [0; 16];
        let n = bytes.len().min(16);
        octets[..n].copy_from_slice(&bytes[..n]);
        match family {
            1 if n <= 4 => Some(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).into()),
            2 => Some(Ipv6Addr::from(octets).into()),
            _ => None,
        }
    }

    /// The same, said to depend on the whole subnet.
    pub(crate) fn scoped(&self) -> Self {
        let mut edns = self.clone();
        if let Some(option) = &mut edns.client_subnet
            && let Some(source) = option.get(2).copied()
        {
            option[3] = source;
        }
        edns
    }
}

impl Request<'_> {
    /// Type asked for.
    pub fn qtype(&self) -> u16 {
        self.qtype
    }
    /// The name in wire form, letter case as sent.
    pub fn name_wire(&self) -> &[u8] {
        self.name
    }
    /// How it arrived.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Flags of the answer, without AA, TC and response code.
    pub(crate) fn answer_flags(&self, recursion: bool) -> u16 {
        let mut flags = flag::QR | (self.flags & flag::OPCODE);
        if (self.flags & flag::OPCODE) >> 11 == OPCODE_QUERY {
            flags |= self.flags & (flag::RD | flag::CD);
        }
        if recursion {
            flags |= flag::RA;
        }
        flags
    }
}

impl<'a> Request<'a> {
    /// A question of our own, for the target of an alias.
    pub(crate) fn internal(name: &'a [u8], qtype: u16) -> Self {
        Self { id: 0, flags: 0, question: &[], name, qtype, edns: None, transport: Transport::Tcp }
    }
}
