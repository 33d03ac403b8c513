//! The kinds of packets, and the broadcasts that ride along with foca's messages.

use crate::{
    NodeId,
    wire::{Reader, WireError, put_node},
};
use foca::Incarnation;
use types::{
    Str,
    coordinate::{Coordinate, DIMENSIONS},
};

/// What a packet carries once it is opened.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Packet<'a> {
    /// A message of foca, with broadcasts, and the sender's digest of who is alive.
    Swim { digest: u64, bytes: &'a [u8] },
    /// Asks for the records of members that were heard of.
    Ask { src: NodeId, wanted: Vec<NodeId> },
    /// Records.
    Tell { records: Vec<&'a [u8]> },
    /// Tells the suspect that it is suspected in `incarnation`, and asks for an answer.
    Poke { src: NodeId, dst: NodeId, incarnation: Incarnation },
    /// The suspect's answer.
    Alive { src: NodeId, dst: NodeId, incarnation: Incarnation },
    /// "I asked `target` on your behalf and it did not answer, but I am fine": the probe's trouble is not ours.
    Nack { src: NodeId, dst: NodeId, target: NodeId },
    /// Tells a member that it was declared dead, so that it comes back as a new run.
    Dead { dst: NodeId },
    /// As `Swim`, for an answer to a probe that says where the sender is.
    Placed { digest: u64, coordinate: Coordinate, bytes: &'a [u8] },
}

/// Bytes that a coordinate adds to a packet.
pub(crate) const COORDINATE_BYTES: usize = (DIMENSIONS + 3) * 8;

fn put_coordinate(out: &mut Vec<u8>, c: &Coordinate) {
    for v in c.vec.iter().chain([&c.error, &c.adjustment, &c.height]) {
        out.extend(v.to_bits().to_be_bytes());
    }
}

fn coordinate(r: &mut Reader<'_>) -> Result<Coordinate, WireError> {
    let mut number = || r.u64().map(f64::from_bits);
    let mut vec = [0.0; DIMENSIONS];
    for v in &mut vec {
        *v = number()?;
    }
    let c = Coordinate { vec, error: number()?, adjustment: number()?, height: number()? };
    if c.is_valid() { Ok(c) } else { Err(WireError::Malformed("coordinate")) }
}

/// Most identities in one [`Packet::Ask`].
pub(crate) const WANTED_MAX: usize = 40;

impl<'a> Packet<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Swim { digest, bytes } => {
                out.push(0);
                out.extend(digest.to_be_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Ask { src, wanted } => {
                out.push(1);
                put_node(out, src);
                out.push(wanted.len() as u8);
                for id in wanted {
                    put_node(out, id);
                }
            }
            Self::Tell { records } => {
                out.push(2);
                for r in records {
                    out.extend((r.len() as u16).to_be_bytes());
                    out.extend_from_slice(r);
                }
            }
            Self::Poke { src, dst, incarnation } => {
                out.push(3);
                put_node(out, src);
                put_node(out, dst);
                out.extend(incarnation.to_be_bytes());
            }
            Self::Alive { src, dst, incarnation } => {
                out.push(4);
                put_node(out, src);
                put_node(out, dst);
                out.extend(incarnation.to_be_bytes());
            }
            Self::Nack { src, dst, target } => {
                out.push(5);
                put_node(out, src);
                put_node(out, dst);
                put_node(out, target);
            }
            Self::Dead { dst } => {
                out.push(6);
                put_node(out, dst);
            }
            Self::Placed { digest, coordinate, bytes } => {
                out.push(7);
                out.extend(digest.to_be_bytes());
                put_coordinate(out, coordinate);
                out.extend_from_slice(bytes);
            }
        }
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let packet = match r.u8()? {
            0 => return Ok(Self::Swim { digest: r.u64()?, bytes: r.rest() }),
            1 => {
                let src = r.node()?;
                let n = usize::from(r.u8()?);
                if n > WANTED_MAX {
                    return Err(WireError::Malformed("too many members asked for"));
                }
                Self::Ask { src, wanted: (0..n).map(|_| r.node()).collect::<Result<_, _>>()? }
            }
            2 => {
                let mut records = Vec::new();
                while !r.is_empty() {
                    let n = usize::from(r.u16()?);
                    records.push(r.bytes(n)?);
                }
                Self::Tell { records }
            }
            3 => Self::Poke { src: r.node()?, dst: r.node()?, incarnation: r.u16()? },
            4 => Self::Alive { src: r.node()?, dst: r.node()?, incarnation: r.u16()? },
            5 => Self::Nack { src: r.node()?, dst: r.node()?, target: r.node()? },
            6 => Self::Dead { dst: r.node()? },
            7 => {
                let (digest, coordinate) = (r.u64()?, coordinate(&mut r)?);
                return Ok(Self::Placed { digest, coordinate, bytes: r.rest() });
            }
            _ => return Err(WireError::Malformed("packet kind")),
        };
        r.end()?;
        Ok(packet)
    }
}

/// A broadcast that rides along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item<'a> {
    /// A changed record.
    Meta(&'a [u8]),
    /// `from` suspects `target` in `incarnation`, independently of others.
    Suspect { target: NodeId, incarnation: Incarnation, from: NodeId },
    /// An operator says that `target`, in its record `version` or an earlier one, has left.
    ForceLeave { target: NodeId, version: u32, prune: bool },
    /// A user event.
    User { ltime: u64, name: Str, payload: &'a [u8] },
}

impl<'a> Item<'a> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::Meta(bytes) => {
                out.push(0);
                out.extend_from_slice(bytes);
            }
            Self::Suspect { target, incarnation, from } => {
                out.push(1);
                put_node(&mut out, target);
                out.extend(incarnation.to_be_bytes());
                put_node(&mut out, from);
            }
            Self::ForceLeave { target, version, prune } => {
                out.push(2);
                put_node(&mut out, target);
                out.extend(version.to_be_bytes());
                out.push(u8::from(*prune));
            }
            Self::User { ltime, name, payload } => {
                out.push(3);
                out.extend(ltime.to_be_bytes());
                out.push(name.len() as u8);
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(payload);
            }
        }
        out
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let item = match r.u8()? {
            0 => return Ok(Self::Meta(r.rest())),
            1 => Self::Suspect { target: r.node()?, incarnation: r.u16()?, from: r.node()? },
            2 => Self::ForceLeave { target: r.node()?, version: r.u32()?, prune: r.u8()? == 1 },
            3 => return Ok(Self::User { ltime: r.u64()?, name: r.text()?, payload: r.rest() }),
            _ => return Err(WireError::Malformed("broadcast kind")),
        };
        r.end()?;
        Ok(item)
    }
}

/// Which older broadcast a newer one replaces in foca's queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ItemKey {
    Meta(std::net::SocketAddr),
    Suspect(std::net::SocketAddr, NodeId),
    ForceLeave(std::net::SocketAddr),
    User(u64, u64),
}

impl foca::Invalidates for ItemKey {
    fn invalidates(&self, other: &Self) -> bool {
        self == other
    }
}

/// foca's view of our broadcasts: whatever the core hands over was found to be news, so all of it is passed on.
/// The core takes broadcasts out of incoming packets itself, because only it knows what is news.
pub(crate) struct Items;

impl foca::BroadcastHandler<NodeId> for Items {
    type Key = ItemKey;
    type Error = WireError;

    fn receive_item(&mut self, data: &[u8], _sender: Option<&NodeId>) -> Result<Option<ItemKey>, WireError> {
        Ok(Some(match Item::decode(data)? {
            Item::Meta(record) => ItemKey::Meta(Reader::new(record).node()?.addr()),
            Item::Suspect { target, from, .. } => ItemKey::Suspect(target.addr(), from),
            Item::ForceLeave { target, .. } => ItemKey::ForceLeave(target.addr()),
            Item::User { ltime, .. } => ItemKey::User(ltime, crate::seal::fnv64(&[data])),
        }))
    }
}
