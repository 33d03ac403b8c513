//! Questions to other DNS servers.

use dns::{DnsConfig, HEADER_BYTES, Name, OwnedData, OwnedRecord, RecursorStrategy, Transport, rcode};
use hickory_proto::{op::Message, rr::RData};
use rand::{Rng, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use runtime::Net;
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

const DNS_PORT: u16 = 53;
const REPLY_BYTES_MAX: usize = 65_535;
/// Records taken from one reply to a host name question.
const RECORDS_MAX: usize = 64;

/// A recursor that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("Invalid recursor address: {text}: {source}")]
pub struct InvalidRecursor {
    text: String,
    source: io::Error,
}

/// Turns the configured `recursors` into addresses: an IP, `[v6]:port` or `host:port`; port 53 is added. Host names are
/// resolved here, once.
///
/// # Errors
/// The first that cannot be read or resolved.
pub async fn resolve_recursors<S: AsRef<str>>(list: &[S]) -> Result<Vec<SocketAddr>, InvalidRecursor> {
    let mut out = Vec::with_capacity(list.len());
    for text in list.iter().map(AsRef::as_ref) {
        let failed = |source| InvalidRecursor { text: text.to_owned(), source };
        if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
            out.push(SocketAddr::new(ip, DNS_PORT));
            continue;
        }
        let with_port = if text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            text.to_owned()
        } else {
            format!("{text}:{DNS_PORT}")
        };
        let mut found = tokio::net::lookup_host(&with_port).await.map_err(failed)?;
        let none = || io::Error::new(io::ErrorKind::NotFound, "no address found");
        out.push(found.next().ok_or_else(none).map_err(failed)?);
    }
    Ok(out)
}

/// Recursors in the order in which this question tries them.
fn order(config: &DnsConfig, rng: &mut SmallRng) -> Vec<SocketAddr> {
    let mut list = config.recursors.clone();
    if config.recursor_strategy == RecursorStrategy::Random {
        list.shuffle(rng);
    }
    list
}

/// Passes a client's question on, over the transport it came by. `None`: no recursor gave an answer to pass back.
pub(crate) async fn forward(
    net: &dyn Net,
    packet: &[u8],
    transport: Transport,
    config: &DnsConfig,
    seed: u64,
) -> Option<Vec<u8>> {
    const TRUNCATED: u8 = 0x02;
    let mut rng = SmallRng::seed_from_u64(seed);
    for to in order(config, &mut rng) {
        match exchange(net, packet, transport, to, config.recursor_timeout, rng.random()).await {
            Ok(reply) => {
                let code = reply[3] & 0x0f;
                if code == rcode::NOERROR || code == rcode::NXDOMAIN || reply[2] & TRUNCATED != 0 {
                    return Some(reply);
                }
                tracing::debug!(recursor = %to, code, "recursor gave no answer");
            }
            Err(error) => tracing::debug!(recursor = %to, %error, "recursor failed"),
        }
    }
    None
}

/// IPv4 addresses and aliases of a host name, from the first recursor that answers at all.
pub(crate) async fn addresses(net: &dyn Net, host: &Name, config: &DnsConfig, seed: u64) -> Vec<OwnedRecord> {
    let mut rng = SmallRng::seed_from_u64(seed);
    // One question, recursion desired, type A, class IN.
    let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend_from_slice(host.wire());
    packet.extend_from_slice(&[0, 1, 0, 1]);
    for to in order(config, &mut rng) {
        match exchange(net, &packet, Transport::Udp, to, config.recursor_timeout, rng.random()).await {
            Ok(reply) => return records(&reply),
            Err(error) => tracing::debug!(recursor = %to, %error, "recursor failed"),
        }
    }
    Vec::new()
}

fn records(reply: &[u8]) -> Vec<OwnedRecord> {
    let Ok(message) = Message::from_vec(reply) else { return Vec::new() };
    let name = |n: &hickory_proto::rr::Name| Name::from_labels(n.iter());
    let record = |r: &hickory_proto::rr::Record| {
        let data = match &r.data {
            RData::A(ip) => OwnedData::Address(ip.0.into()),
            RData::AAAA(ip) => OwnedData::Address(ip.0.into()),
            RData::CNAME(target) => OwnedData::Cname(name(&target.0)?),
            _ => return None,
        };
        Some(OwnedRecord { owner: name(&r.name)?, ttl: r.ttl, data })
    };
    message.answers.iter().filter_map(record).take(RECORDS_MAX).collect()
}

/// One question, one reply, under a fresh id; the reply carries the id of `packet`.
async fn exchange(
    net: &dyn Net,
    packet: &[u8],
    transport: Transport,
    to: SocketAddr,
    limit: Duration,
    id: [u8; 2],
) -> io::Result<Vec<u8>> {
    let mut question = packet.to_vec();
    question[..2].copy_from_slice(&id);
    let talk = async {
        match transport {
            Transport::Udp => over_udp(net, &question, to).await,
            Transport::Tcp => over_tcp(net, &question, to, limit).await,
        }
    };
    let timed_out = |_elapsed| io::Error::from(io::ErrorKind::TimedOut);
    let mut reply = timeout(limit, talk).await.map_err(timed_out)??;
    reply[..2].copy_from_slice(&packet[..2]);
    Ok(reply)
}

/// Whether `reply` is an answer to `question`: id, response bit, and the same question if it repeats one.
fn belongs(reply: &[u8], question: &[u8]) -> bool {
    if reply.len() < HEADER_BYTES || reply[..2] != question[..2] || reply[2] & 0x80 == 0 {
        return false;
    }
    if reply[4..6] == [0, 0] {
        return true;
    }
    let Some(end) = question_end(question) else { return false };
    reply.get(HEADER_BYTES..end).is_some_and(|r| r.eq_ignore_ascii_case(&question[HEADER_BYTES..end]))
}

fn question_end(question: &[u8]) -> Option<usize> {
    let mut at = HEADER_BYTES;
    loop {
        match *question.get(at)? {
            0 => break,
            len => at += 1 + usize::from(len),
        }
    }
    (at + 5 <= question.len()).then_some(at + 5)
}

async fn over_udp(net: &dyn Net, question: &[u8], to: SocketAddr) -> io::Result<Vec<u8>> {
    let local = if to.is_ipv4() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = net.bind_udp(local).await?;
    socket.send_to(question, to).await?;
    let mut buf = vec![0; REPLY_BYTES_MAX];
    loop {
        let (n, from) = socket.recv_from(&mut buf).await?;
        if from.ip() == to.ip() && from.port() == to.port() && belongs(&buf[..n], question) {
            buf.truncate(n);
            buf.shrink_to_fit();
            return Ok(buf);
        }
    }
}

async fn over_tcp(net: &dyn Net, question: &[u8], to: SocketAddr, limit: Duration) -> io::Result<Vec<u8>> {
    let mut stream = net.connect(None, to, limit).await?;
    let len = u16::try_from(question.len()).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    stream.write_all(&[&len.to_be_bytes()[..], question].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    if belongs(&reply, question) { Ok(reply) } else { Err(io::ErrorKind::InvalidData.into()) }
}
