//! Writing of messages, with name compression.

use crate::{
    record::{Data, NameRef, Rec},
    request::{Edns, HEADER_BYTES, rtype},
};

const CLASS_IN: u16 = 1;
/// Pointers have 14 bits.
const POINTER_MAX: usize = 0x3fff;
const SLOTS: usize = 4096;
/// Beyond this load names are written in full: lookups stay short.
const SLOTS_USED_MAX: usize = SLOTS / 4 * 3;

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u32,
    offset: u16,
    /// Message that the slot belongs to; older ones are free.
    message: u16,
}

/// Where names were written in the current message. Reused from message to message without clearing.
pub struct Compressor {
    slots: Box<[Slot]>,
    message: u16,
    used: usize,
}

impl Default for Compressor {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS].into_boxed_slice(), message: 0, used: 0 }
    }
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("used", &self.used).finish_non_exhaustive()
    }
}

impl Compressor {
    fn begin(&mut self) {
        self.used = 0;
        if self.message == u16::MAX {
            self.slots.fill(Slot::default());
            self.message = 0;
        }
        self.message += 1;
    }

    /// Offset of an earlier copy of `name` (a complete wire name), else remembers that it is about to be written at `offset`.
    fn find_or_insert(&mut self, message: &[u8], name: &[u8], hash: u32, offset: usize) -> Option<u16> {
        let mut i = hash as usize % SLOTS;
        loop {
            let slot = self.slots[i];
            if slot.message != self.message {
                break;
            }
            if slot.hash == hash && same_name(message, usize::from(slot.offset), name) {
                return Some(slot.offset);
            }
            i = (i + 1) % SLOTS;
        }
        if offset <= POINTER_MAX && self.used < SLOTS_USED_MAX {
            self.slots[i] = Slot { hash, offset: offset as u16, message: self.message };
            self.used += 1;
        }
        None
    }
}

/// Whether the name written at `at` equals `name`; the message is ours, so pointers only go back.
fn same_name(message: &[u8], mut at: usize, mut name: &[u8]) -> bool {
    loop {
        let Some(&len) = message.get(at) else { return false };
        if len >= 192 {
            let Some(&low) = message.get(at + 1) else { return false };
            at = (usize::from(len & 63) << 8) | usize::from(low);
            continue;
        }
        let n = 1 + usize::from(len);
        let (Some(a), Some(b)) = (message.get(at..at + n), name.get(..n)) else { return false };
        if a != b {
            return false;
        }
        if len == 0 {
            return true;
        }
        at += n;
        name = &name[n..];
    }
}

/// What the header and the question section of an answer say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub id: u16,
    pub flags: u16,
    pub question: &'a [u8],
    pub name: &'a [u8],
    pub compress: bool,
}

/// Writes a message over `out`.
pub(crate) fn write(
    head: &Head<'_>,
    sections: [&[Rec<'_>]; 3],
    edns: Option<&Edns>,
    out: &mut Vec<u8>,
    names: &mut Compressor,
) {
    out.clear();
    let counts = [
        u16::from(!head.question.is_empty()),
        sections[0].len() as u16,
        sections[1].len() as u16,
        sections[2].len() as u16 + u16::from(edns.is_some()),
    ];
    out.extend_from_slice(&head.id.to_be_bytes());
    out.extend_from_slice(&head.flags.to_be_bytes());
    for c in counts {
        out.extend_from_slice(&c.to_be_bytes());
    }
    out.extend_from_slice(head.question);
    let mut w = Writer { out, names, question: head.name, compress: head.compress, prepared: false };
    for section in sections {
        for rec in section {
            w.record(rec);
        }
    }
    if let Some(edns) = edns {
        let out = w.out;
        out.push(0);
        out.extend_from_slice(&rtype::OPT.to_be_bytes());
        out.extend_from_slice(&edns.udp_size.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        match &edns.client_subnet {
            None => out.extend_from_slice(&[0, 0]),
            Some(subnet) => {
                out.extend_from_slice(&(subnet.len() as u16 + 4).to_be_bytes());
                out.extend_from_slice(&[0, 8]);
                out.extend_from_slice(&(subnet.len() as u16).to_be_bytes());
                out.extend_from_slice(subnet);
            }
        }
    }
}

/// Bytes that the message would take without compression.
pub(crate) fn plain_len(head: &Head<'_>, sections: [&[Rec<'_>]; 3], edns: Option<&Edns>) -> usize {
    let name = |n: &NameRef<'_>| n.wire_len(head.name);
    let mut len = HEADER_BYTES + head.question.len();
    for rec in sections.into_iter().flatten() {
        len += name(&rec.owner) + 10;
        len += match &rec.data {
            Data::A(_) => 4,
            Data::Aaaa(_) => 16,
            Data::Cname(n) | Data::Ptr(n) | Data::Ns(n) => name(n),
            Data::Srv { target, .. } => 6 + name(target),
            Data::Soa(soa) => 2 * soa.domain.wire().len() + 3 + 11 + 20,
            Data::Txt(txt) => txt.len(),
        };
    }
    len + edns.map_or(0, |e| 11 + e.client_subnet.as_ref().map_or(0, |s| 4 + s.len()))
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    names: &'a mut Compressor,
    question: &'a [u8],
    compress: bool,
    /// The question's name is in the table (done when the first name other than it is written).
    prepared: bool,
}

impl Writer<'_> {
    fn record(&mut self, rec: &Rec<'_>) {
        self.name(&rec.owner, true);
        self.out.extend_from_slice(&rec.data.rtype().to_be_bytes());
        self.out.extend_from_slice(&CLASS_IN.to_be_bytes());
        self.out.extend_from_slice(&rec.ttl.to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        match &rec.data {
            Data::A(ip) => self.out.extend_from_slice(&ip.octets()),
            Data::Aaaa(ip) => self.out.extend_from_slice(&ip.octets()),
            Data::Cname(n) | Data::Ptr(n) | Data::Ns(n) => self.name(n, true),
            Data::Srv { weight, port, target, .. } => {
                self.out.extend_from_slice(&1_u16.to_be_bytes());
                self.out.extend_from_slice(&weight.to_be_bytes());
                self.out.extend_from_slice(&port.to_be_bytes());
                // RFC 2782: the target is not compressed, though later names may point to it.
                self.name(target, false);
            }
            Data::Soa(soa) => {
                self.name(&NameRef::Split(b"\x02ns", soa.domain.wire()), true);
                self.name(&NameRef::Split(b"\x0ahostmaster", soa.domain.wire()), true);
                for v in
                    [soa.serial, soa.config.refresh, soa.config.retry, soa.config.expire, soa.config.min_ttl]
                {
                    self.out.extend_from_slice(&v.to_be_bytes());
                }
            }
            Data::Txt(txt) => self.out.extend_from_slice(txt),
        }
        let len = (self.out.len() - length_at - 2) as u16;
        self.out[length_at..length_at + 2].copy_from_slice(&len.to_be_bytes());
    }

    fn name(&mut self, name: &NameRef<'_>, may_point: bool) {
        let (prefix, suffix) = match *name {
            NameRef::Question if self.compress && may_point && self.question.len() > 1 => {
                self.out.extend_from_slice(&[0xc0, HEADER_BYTES as u8]);
                return;
            }
            NameRef::Question => (&[][..], self.question),
            NameRef::Split(a, b) => (a, b),
        };
        if !self.compress {
            self.out.extend_from_slice(prefix);
            self.out.extend_from_slice(suffix);
            return;
        }
        if !self.prepared {
            self.prepared = true;
            self.names.begin();
            let mut whole = [0; 256];
            whole[..self.question.len()].copy_from_slice(self.question);
            self.place(&whole[..self.question.len()], HEADER_BYTES, false);
        }
        let n = prefix.len() + suffix.len();
        let mut whole = [0; 256];
        if n > 255 {
            // Cannot come out of a checked name; written in full it is at least not misread.
            self.out.extend_from_slice(prefix);
            self.out.extend_from_slice(suffix);
            return;
        }
        whole[..prefix.len()].copy_from_slice(prefix);
        whole[prefix.len()..n].copy_from_slice(suffix);
        let at = self.out.len();
        let pointer = self.place(&whole[..n], at, may_point);
        match pointer {
            Some((keep, offset)) => {
                self.out.extend_from_slice(&whole[..keep]);
                self.out.extend_from_slice(&(0xc000 | offset).to_be_bytes());
            }
            None => self.out.extend_from_slice(&whole[..n]),
        }
    }

    /// Looks up each suffix of `name`, which is (about to be) written at `at`: the longest known one, as bytes to keep before
    /// the pointer and the pointer itself. Unknown ones are remembered.
    fn place(&mut self, name: &[u8], at: usize, may_point: bool) -> Option<(usize, u16)> {
        let mut starts = [0_u8; 128];
        let mut n = 0;
        let mut i = 0;
        while name[i] != 0 {
            starts[n] = i as u8;
            n += 1;
            i += 1 + usize::from(name[i]);
        }
        // Hashes from the right, so that each suffix is hashed once.
        let mut hashes = [0_u32; 128];
        let mut h = 0x811c_9dc5_u32;
        let mut end = i;
        for k in (0..n).rev() {
            let start = usize::from(starts[k]);
            for &b in &name[start..end] {
                h = (h ^ u32::from(b)).wrapping_mul(0x0100_0193);
            }
            hashes[k] = h ^ (h >> 15);
            end = start;
        }
        for k in 0..n {
            let start = usize::from(starts[k]);
            let found = self.names.find_or_insert(self.out, &name[start..], hashes[k], at + start);
            if let (Some(offset), true) = (found, may_point) {
                return Some((start, offset));
            }
        }
        None
    }
}
