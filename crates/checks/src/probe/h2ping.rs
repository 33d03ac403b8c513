//! An HTTP/2 ping.

use super::{Outcome, dial, tls::TlsSettings};
use types::definition::CheckDefinition;

pub(super) async fn probe(c: &CheckDefinition, tls: &TlsSettings) -> Outcome {
    match ping(c, tls).await {
        Ok(()) => Outcome::passing("HTTP2 ping was successful"),
        Err(text) => Outcome::critical(text),
    }
}

async fn ping(c: &CheckDefinition, tls: &TlsSettings) -> Result<(), String> {
    let failed = |e: h2::Error| format!("HTTP2 ping failed: {e}");
    let with_tls = c.h2ping_use_tls.unwrap_or(true).then_some((tls, dial::HTTP2));
    let stream = dial::stream(&c.h2ping, c, with_tls).await.map_err(|e| format!("HTTP2 ping failed: {e}"))?;
    let (_client, mut connection) = h2::client::handshake(stream).await.map_err(failed)?;
    let mut pinger = connection.ping_pong().ok_or("HTTP2 ping failed: no pinger")?;
    tokio::select! {
        pong = pinger.ping(h2::Ping::opaque()) => pong.map(|_| ()).map_err(failed),
        ended = connection => match ended {
            Ok(()) => Err("HTTP2 ping failed: connection closed".into()),
            Err(e) => Err(failed(e)),
        },
    }
}
