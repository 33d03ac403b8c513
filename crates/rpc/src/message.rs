//! Messages of the server port.
//!
//! A connection opens with [`PREFACE`]; after it come frames in both directions:
//! `len: u32 LE` (of what follows), `kind: u8`, `id: u64 LE`, payload. Payloads of raft requests are opaque bytes; all
//! others are codec values. A first byte of `0x16` is a TLS hello and never a preface.

use crate::report::AutopilotReport;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use types::{
    DatacenterName, RequestError, SecretToken, Str, Tenancy,
    ca::{CaAnswer, CaRequest},
    command::{Command, CommandResponse},
    coordinate::{CoordinateRow, DatacenterCoordinates},
    event::UserEvent,
    query::{Query, QueryOptions, QueryResponse},
    record::Session,
};

/// First bytes of a plain connection: name and version of the protocol.
pub const PREFACE: [u8; 8] = *b"praetor\x01";
/// Largest frame, bytes: one Raft snapshot chunk or a large answer fits, a damaged length does not.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
pub(crate) const HEADER: usize = 13;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A codec-encoded [`Request`].
    Request = 1,
    /// A codec-encoded `Result<Response, RequestError>`.
    Response = 2,
    /// The caller no longer waits for this id.
    Cancel = 3,
    /// An opaque raft request.
    RaftRequest = 4,
    /// An opaque raft answer.
    RaftResponse = 5,
}

impl Kind {
    fn from_u8(b: u8) -> Option<Self> {
        Some(match b {
            1 => Self::Request,
            2 => Self::Response,
            3 => Self::Cancel,
            4 => Self::RaftRequest,
            5 => Self::RaftResponse,
            _ => return None,
        })
    }
}

/// A request to a server.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "fields say what they are")]
pub enum Request {
    /// A write for the leader of `datacenter`; `hops` counts forwards, so that a stale leader hint cannot loop.
    Submit { datacenter: Option<Str>, token: SecretToken, command: Command, hops: u8 },
    /// A read.
    Query { query: Query, options: QueryOptions },
    /// Linearizable read point of the leader.
    ReadPoint,
    /// Leader and peers of `datacenter`.
    Status { datacenter: Option<Str> },
    /// Names of all datacenters, the nearest first.
    Datacenters,
    /// Remove a server from the Raft configuration of `datacenter` (only the leader acts).
    RemoveServer { datacenter: Option<Str>, id: u128 },
    /// Hand leadership over to this server, or to any other voter.
    TransferLeader { to: Option<u128> },
    /// Raft configuration of `datacenter` with details.
    RaftConfiguration { datacenter: Option<Str> },
    /// How the leader of `datacenter` sees the other datacenters.
    Federation { datacenter: Option<Str> },
    /// Promise to take part in a first configuration of exactly these servers (sorted ids) and in no other.
    PromiseBootstrap { servers: Vec<u128> },
    /// Something that only the leader of `datacenter` does, as its certificate authority.
    Authority { datacenter: Option<Str>, token: SecretToken, request: CaRequest },
    /// Certificate of a client agent that has none yet (`auto_encrypt`).
    Enroll { csr: Str },
    /// Begin the time to live of a session anew (only the leader of `datacenter` acts).
    RenewSession { datacenter: Option<Str>, token: SecretToken, tenancy: Tenancy, id: Str },
    /// Begin an archive of the state of `datacenter`.
    SnapshotOpen { datacenter: Option<Str>, stale: bool, token: SecretToken },
    /// The next piece of an archive that this server makes or passes on.
    SnapshotNext { id: u64 },
    /// Something that any server of `datacenter` does beside the replicated state.
    Desk { datacenter: Option<Str>, token: SecretToken, request: DeskRequest },
    /// What autopilot of `datacenter` thinks of its servers (only the leader answers).
    Autopilot { datacenter: Option<Str> },
}

/// An archive that has begun.
#[derive(Clone, Copy, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct SnapshotHead {
    /// To ask for its pieces.
    pub id: u64,
    /// Index in the log of the last entry that it holds.
    pub index: u64,
    /// Whether the server that makes it knows a leader.
    pub known_leader: bool,
    /// Since that server heard from the leader.
    pub last_contact: Duration,
}

/// What any server does for others beside the replicated state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum DeskRequest {
    /// Tell all agents of the datacenter of a user event.
    Fire(UserEvent),
    /// Write down where a node is, together with others, before long.
    Coordinate(CoordinateRow),
    /// Where the servers of all datacenters are.
    WanCoordinates,
}

/// What became of a [`DeskRequest`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum DeskAnswer {
    /// Done.
    Ok,
    /// By datacenter, the own one first, then by distance.
    WanCoordinates(Vec<DatacenterCoordinates>),
}

/// Leader and peers of a datacenter.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct StatusAnswer {
    /// RPC address of the leader, if one is known.
    pub leader: Option<std::net::SocketAddr>,
    /// RPC addresses in the Raft configuration.
    pub peers: Vec<std::net::SocketAddr>,
}

/// One server of the Raft configuration.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RaftServer {
    /// Node id as a number; UUID text is its big-endian form.
    pub id: u128,
    /// Node name.
    pub name: Str,
    /// RPC address.
    pub address: std::net::SocketAddr,
    /// Whether it leads.
    pub leader: bool,
    /// Whether it votes.
    pub voter: bool,
    /// Last log index known for it.
    pub last_index: u64,
}

/// The Raft configuration as the leader knows it.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct RaftConfiguration {
    /// Servers.
    pub servers: Vec<RaftServer>,
    /// Index at which it was set.
    pub index: u64,
}

/// How one server sees the other datacenters.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct FederationView {
    /// Its own datacenter.
    pub datacenter: Str,
    /// The one whose configuration all share.
    pub primary: Str,
    /// The server.
    pub node: Str,
    /// Servers of other datacenters are reached through mesh gateways.
    pub through_gateways: bool,
    /// The others.
    pub datacenters: Vec<DatacenterView>,
    /// What is replicated from the primary; empty there, and on servers that do not lead.
    pub replication: Vec<ReplicationView>,
}

/// Another datacenter.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct DatacenterView {
    /// Its name.
    pub name: Str,
    /// Members of the WAN pool.
    pub servers: u32,
    /// Those that answer probes of gossip.
    pub alive: u32,
    /// Requests for it are sent; otherwise they are refused until a probe is answered.
    pub reachable: bool,
    /// Average round trip.
    pub round_trip: Option<Duration>,
    /// Since it answered last.
    pub answered_ago: Option<Duration>,
    /// Why it did not, the last time.
    pub last_error: Str,
    /// Ways to it, the preferred ones first.
    pub gateways: Vec<GatewayView>,
}

/// A mesh gateway on the way to a datacenter.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct GatewayView {
    /// Host and port.
    pub address: Str,
    /// `local`, `remote`, `configured` or `primary`.
    pub tier: Str,
    /// Servers whose tunnels it carries now.
    pub carries: u32,
    /// Failures since it worked last.
    pub failures: u32,
    /// Since it worked last.
    pub worked_ago: Option<Duration>,
    /// Why it failed last.
    pub last_error: Str,
}

/// One kind of what is replicated.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReplicationView {
    /// What.
    pub kind: Str,
    /// The last attempt worked.
    pub healthy: bool,
    /// Index of the primary up to which this datacenter is like it.
    pub index: u64,
    /// Since the primary last said what is new, or that nothing is.
    pub lag: Option<Duration>,
    /// Why the last failure was.
    pub last_error: Str,
}

/// What a client agent gets that had no certificate.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enrolled {
    /// Its certificate.
    pub cert: types::ca::SignedLeaf,
    /// PEM of the authorities that servers are verified by.
    pub authorities: Vec<Str>,
    /// Whether to look at the names of servers.
    pub verify_server_hostname: bool,
}

/// An answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Response {
    /// Log index and answer of an applied command.
    Submit(u64, CommandResponse),
    /// Rows.
    Query(QueryResponse),
    /// Read point.
    ReadPoint(u64),
    /// Leader and peers.
    Status(StatusAnswer),
    /// Names.
    Datacenters(Vec<DatacenterName>),
    /// Done.
    Ok,
    /// Raft configuration.
    RaftConfiguration(RaftConfiguration),
    /// Whether the promise was given.
    Promise(bool),
    /// The other datacenters.
    Federation(FederationView),
    /// What the certificate authority did.
    Authority(CaAnswer),
    /// A certificate for a client agent.
    Enrolled(Enrolled),
    /// A session, if there is one.
    Session(Option<Arc<Session>>),
    /// An archive has begun.
    SnapshotOpened(SnapshotHead),
    /// A piece, `None` after the last one.
    SnapshotPiece(Option<Bytes>),
    /// What a server did beside the replicated state.
    Desk(DeskAnswer),
    /// What autopilot thinks of the servers.
    Autopilot(AutopilotReport),
}

/// What travels back for a [`Request`].
pub type Answer = Result<Response, RequestError>;

/// Why a peer's bytes are not a frame. The connection is of no further use.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum FrameError {
    /// Length out of bounds.
    #[error("frame of {0} bytes")]
    Length(usize),
    /// Unknown kind.
    #[error("frame of unknown kind {0}")]
    Kind(u8),
}

/// One frame.
#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Which exchange it belongs to.
    pub id: u64,
    /// Its content.
    pub payload: Bytes,
}

/// Appends a frame.
pub fn put_frame(out: &mut BytesMut, kind: Kind, id: u64, payload: &[u8]) {
    out.reserve(4 + 9 + payload.len());
    // A payload above the frame bound is refused before it comes here, so the length fits.
    out.put_u32_le(u32::try_from(9 + payload.len()).unwrap_or(u32::MAX));
    out.put_u8(kind as u8);
    out.put_u64_le(id);
    out.put_slice(payload);
}

/// Takes the next whole frame from the front of `buf`; `Ok(None)` when more bytes are needed.
///
/// # Errors
/// [`FrameError`] when the bytes cannot be a frame.
pub fn take_frame(buf: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(head) = buf.first_chunk::<HEADER>() else { return Ok(None) };
    let [l0, l1, l2, l3, kind, i0, i1, i2, i3, i4, i5, i6, i7] = *head;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if !(9..=FRAME_BYTES_MAX).contains(&len) {
        return Err(FrameError::Length(len));
    }
    let kind = Kind::from_u8(kind).ok_or(FrameError::Kind(kind))?;
    if buf.len() < 4 + len {
        buf.reserve(4 + len - buf.len());
        return Ok(None);
    }
    let mut frame = buf.split_to(4 + len);
    let payload = frame.split_off(HEADER).freeze();
    Ok(Some(Frame { kind, id: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]), payload }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_survive_any_split() {
        let mut wire = BytesMut::new();
        put_frame(&mut wire, Kind::Request, 7, b"hello");
        put_frame(&mut wire, Kind::Cancel, u64::MAX, b"");
        let whole = wire.clone();
        for cut in 0..whole.len() {
            let mut buf = BytesMut::from(&whole[..cut]);
            let mut got = vec![];
            while let Some(f) = take_frame(&mut buf).unwrap() {
                got.push(f);
            }
            buf.extend_from_slice(&whole[cut..]);
            while let Some(f) = take_frame(&mut buf).unwrap() {
                got.push(f);
            }
            assert_eq!(got.len(), 2);
            assert_eq!((got[0].id, &got[0].payload[..]), (7, &b"hello"[..]));
            assert_eq!((got[1].kind, got[1].id), (Kind::Cancel, u64::MAX));
        }
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut buf = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take_frame(&mut buf) {}
            let _ = types::codec::decode::<Request>(&bytes);
            let _ = types::codec::decode::<Answer>(&bytes);
        }
    }
}
