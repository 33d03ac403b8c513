//! TLS of probes.

use super::dial::io_text;
use ::tls::Tls;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use types::definition::CheckDefinition;

/// Authorities and client certificate for all probes: the agent's own, if it lends them.
pub(super) struct TlsSettings {
    material: Option<Arc<Tls>>,
}

impl TlsSettings {
    pub(super) fn new(material: Option<Arc<Tls>>) -> Self {
        Self { material }
    }

    /// Handshake as the definition says: name and verification.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
        c: &CheckDefinition,
        protocols: &[&[u8]],
    ) -> Result<TlsStream<TcpStream>, String> {
        let mut config = self.client(c.tls_skip_verify)?;
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        let name = if c.tls_server_name.is_empty() { host } else { c.tls_server_name.as_str() };
        let name = ServerName::try_from(name.to_owned()).map_err(|e| format!("tls: bad server name: {e}"))?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|e| format!("tls: {}", io_text(&e)))
    }

    fn client(&self, skip_verify: bool) -> Result<ClientConfig, String> {
        let public = || RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let made = match &self.material {
            Some(own) => own.probe_client(skip_verify, public),
            None => ::tls::plain_client((!skip_verify).then(public), None),
        };
        made.map_err(|e| format!("tls: {e}"))
    }
}
