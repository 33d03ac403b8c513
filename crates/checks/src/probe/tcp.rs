//! A connection, perhaps with TLS, is all it takes.

use super::{Outcome, dial, tls::TlsSettings};
use types::definition::CheckDefinition;

pub(super) async fn probe(c: &CheckDefinition, tls: &TlsSettings) -> Outcome {
    let with_tls = c.tcp_use_tls.then_some((tls, [].as_slice()));
    match dial::stream(&c.tcp, c, with_tls).await {
        Ok(_stream) if c.tcp_use_tls => Outcome::passing(format!("TCP+TLS connect {}: Success", c.tcp)),
        Ok(_stream) => Outcome::passing(format!("TCP connect {}: Success", c.tcp)),
        Err(text) => Outcome::critical(text),
    }
}
