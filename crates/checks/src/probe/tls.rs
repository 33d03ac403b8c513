//! TLS of probes.

use super::dial::io_text;
use crate::ProbeTls;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use types::definition::CheckDefinition;

/// Authorities and client certificate for all probes.
pub(super) struct TlsSettings {
    material: Option<ProbeTls>,
    provider: Arc<CryptoProvider>,
}

impl TlsSettings {
    pub(super) fn new(material: Option<ProbeTls>) -> Self {
        Self { material, provider: Arc::new(rustls::crypto::ring::default_provider()) }
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
        let text = |e: rustls::Error| format!("tls: {e}");
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(text)?;
        let builder = if skip_verify {
            let verifier = AcceptAny(self.provider.signature_verification_algorithms);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        match &self.material {
            Some(m) if !m.cert_pem.is_empty() => {
                let chain: Vec<_> = CertificateDer::pem_slice_iter(m.cert_pem.as_bytes())
                    .collect::<Result<_, _>>()
                    .map_err(|e| format!("tls: client certificate: {e}"))?;
                let key = PrivateKeyDer::from_pem_slice(m.key_pem.as_bytes())
                    .map_err(|e| format!("tls: client key: {e}"))?;
                builder.with_client_auth_cert(chain, key).map_err(text)
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        match &self.material {
            Some(m) if !m.ca_pem.is_empty() => {
                for cert in CertificateDer::pem_slice_iter(m.ca_pem.as_bytes()) {
                    let cert = cert.map_err(|e| format!("tls: authority: {e}"))?;
                    roots.add(cert).map_err(|e| format!("tls: authority: {e}"))?;
                }
            }
            _ => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        Ok(roots)
    }
}

/// For `tls_skip_verify`: any certificate will do, but the handshake must be signed by its key.
#[derive(Debug)]
struct AcceptAny(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
