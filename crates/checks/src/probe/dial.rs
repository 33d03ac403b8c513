//! Connections of probes, with error texts that operators know.

use super::tls::TlsSettings;
use std::{io, pin::Pin};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use types::definition::CheckDefinition;

pub(super) trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}
pub(super) type Stream = Pin<Box<dyn Io>>;

/// What is offered in a TLS handshake, where a protocol must be agreed upon.
pub(super) const HTTP1: &[&[u8]] = &[b"http/1.1"];
pub(super) const HTTP2: &[&[u8]] = &[b"h2"];

/// `host:port`, with `host` free of brackets.
pub(super) fn split(target: &str) -> Option<(&str, u16)> {
    let (host, port) = target.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    Some((host, port.parse().ok()?))
}

/// Connects to `host:port`.
pub(super) async fn tcp(target: &str) -> Result<TcpStream, String> {
    let failed = |what: String| format!("dial tcp {target}: {what}");
    let (host, port) = split(target).ok_or_else(|| failed("address must be host:port".into()))?;
    let host = if host.is_empty() { "localhost" } else { host };
    let addresses =
        lookup_host((host, port)).await.map_err(|_e| format!("dial tcp: lookup {host}: no such host"))?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Only a hint to the kernel.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(e) => last = Some(format!("dial tcp {address}: connect: {}", io_text(&e))),
        }
    }
    Err(last.unwrap_or_else(|| failed("no addresses".into())))
}

/// Connects, with TLS if asked for.
pub(super) async fn stream(
    target: &str,
    c: &CheckDefinition,
    tls: Option<(&TlsSettings, &[&[u8]])>,
) -> Result<Stream, String> {
    let stream = tcp(target).await?;
    match tls {
        None => Ok(Box::pin(stream)),
        Some((settings, protocols)) => {
            let host = split(target).map_or("localhost", |(host, _)| host);
            Ok(Box::pin(settings.connect(stream, host, c, protocols).await?))
        }
    }
}

/// The texts of the usual failures.
pub(super) fn io_text(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".into(),
        io::ErrorKind::TimedOut => "i/o timeout".into(),
        io::ErrorKind::HostUnreachable => "no route to host".into(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".into(),
        _ => e.to_string(),
    }
}
