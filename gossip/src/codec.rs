//! The byte form of foca's messages, and a look into a packet before foca sees it.

use crate::{
    NodeId,
    wire::{Reader, WireError, node_len, put_node},
};
use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};

/// foca's codec: stateless, compact, refuses what does not fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WireCodec;

impl foca::Codec<NodeId> for WireCodec {
    type Error = WireError;

    fn encode_header(&mut self, header: &Header<NodeId>, mut buf: impl BufMut) -> Result<(), WireError> {
        let (tag, number, other) = split(&header.message);
        let need =
            node_len(&header.src) + node_len(&header.dst) + 3 + other.map_or(0, |id| node_len(&id)) + 1;
        if buf.remaining_mut() < need {
            return Err(WireError::Full);
        }
        put_node(&mut buf, &header.src);
        buf.put_u16(header.src_incarnation);
        put_node(&mut buf, &header.dst);
        buf.put_u8(tag);
        if tag <= TAG_NUMBERED_MAX {
            buf.put_u8(number);
        }
        if let Some(id) = other {
            put_node(&mut buf, &id);
        }
        Ok(())
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<NodeId>, WireError> {
        Reader::within(buf, read_header)
    }

    fn encode_member(&mut self, member: &Member<NodeId>, mut buf: impl BufMut) -> Result<(), WireError> {
        if buf.remaining_mut() < node_len(member.id()) + 3 {
            return Err(WireError::Full);
        }
        put_node(&mut buf, member.id());
        buf.put_u16(member.incarnation());
        buf.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<NodeId>, WireError> {
        Reader::within(buf, read_member)
    }
}

const TAG_NUMBERED_MAX: u8 = 5;

fn split(message: &Message<NodeId>) -> (u8, u8, Option<NodeId>) {
    match *message {
        Message::Ping(n) => (0, n, None),
        Message::Ack(n) => (1, n, None),
        Message::PingReq { target, probe_number } => (2, probe_number, Some(target)),
        Message::IndirectPing { origin, probe_number } => (3, probe_number, Some(origin)),
        Message::IndirectAck { target, probe_number } => (4, probe_number, Some(target)),
        Message::ForwardedAck { origin, probe_number } => (5, probe_number, Some(origin)),
        Message::Announce => (6, 0, None),
        Message::Feed => (7, 0, None),
        Message::Gossip => (8, 0, None),
        Message::Broadcast => (9, 0, None),
        Message::TurnUndead => (10, 0, None),
    }
}

fn read_header(r: &mut Reader<'_>) -> Result<Header<NodeId>, WireError> {
    let src = r.node()?;
    let src_incarnation = r.u16()?;
    let dst = r.node()?;
    let tag = r.u8()?;
    let probe_number = if tag <= TAG_NUMBERED_MAX { r.u8()? } else { 0 };
    let message = match tag {
        0 => Message::Ping(probe_number),
        1 => Message::Ack(probe_number),
        2 => Message::PingReq { target: r.node()?, probe_number },
        3 => Message::IndirectPing { origin: r.node()?, probe_number },
        4 => Message::IndirectAck { target: r.node()?, probe_number },
        5 => Message::ForwardedAck { origin: r.node()?, probe_number },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        10 => Message::TurnUndead,
        _ => return Err(WireError::Malformed("message kind")),
    };
    Ok(Header { src, src_incarnation, dst, message })
}

fn read_member(r: &mut Reader<'_>) -> Result<Member<NodeId>, WireError> {
    let id = r.node()?;
    let incarnation = r.u16()?;
    let state = match r.u8()? {
        0 => State::Alive,
        1 => State::Suspect,
        2 => State::Down,
        _ => return Err(WireError::Malformed("member state")),
    };
    Ok(Member::new(id, incarnation, state))
}

/// Whether a message of foca's is the answer to a direct probe.
pub(crate) fn is_ack(message: &[u8]) -> bool {
    let mut r = Reader::new(message);
    let tag = r.node().and_then(|_| r.u16()).and_then(|_| r.node()).and_then(|_| r.u8());
    tag == Ok(1)
}

/// A well-formed packet of foca, taken apart.
pub(crate) struct SwimPacket<'a> {
    pub(crate) header: Header<NodeId>,
    /// Each update and its bytes.
    pub(crate) updates: Vec<(Member<NodeId>, &'a [u8])>,
    head: &'a [u8],
    /// Broadcasts of ours that rode along.
    pub(crate) items: Vec<&'a [u8]>,
}

impl<'a> SwimPacket<'a> {
    /// Checks a packet as a whole, so that foca never stops halfway through one.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(data);
        let header = read_header(&mut r)?;
        let head = &data[..data.len() - r.rest().len()];
        let mut updates = Vec::new();
        let bare = matches!(header.message, Message::Announce | Message::TurnUndead);
        if !bare && header.message != Message::Broadcast && !r.is_empty() {
            for _ in 0..r.u16()? {
                let start = r.rest();
                let member = read_member(&mut r)?;
                updates.push((member, &start[..start.len() - r.rest().len()]));
            }
        }
        let mut items = Vec::new();
        while !r.is_empty() {
            if bare {
                return Err(WireError::Trailing);
            }
            let n = usize::from(r.u16()?);
            if n == 0 {
                return Err(WireError::Malformed("empty broadcast"));
            }
            items.push(r.bytes(n)?);
        }
        Ok(Self { header, updates, head, items })
    }

    /// The packet as foca is given it: header, and the updates that are news. foca compares every update with every
    /// member it knows, and nine of ten updates in a large pool are repeats.
    pub(crate) fn condensed(&self, news: impl Fn(&Member<NodeId>) -> bool) -> Vec<u8> {
        let mut out = self.head.to_vec();
        if matches!(self.header.message, Message::Announce | Message::TurnUndead | Message::Broadcast) {
            return out;
        }
        let count_at = out.len();
        out.extend([0; 2]);
        let mut count = 0_u16;
        for (member, bytes) in &self.updates {
            if news(member) {
                out.extend_from_slice(bytes);
                count += 1;
            }
        }
        out[count_at..count_at + 2].copy_from_slice(&count.to_be_bytes());
        out
    }
}
