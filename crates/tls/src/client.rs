//! Clients that follow nobody's configuration file: probes of checks, and the command line.

use crate::state::Tls;
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WantsClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::sync::Arc;

/// A client that verifies by `roots`, or not at all when there are none, and shows `own` if asked.
///
/// # Errors
/// The library's, for a key that does not fit its certificate.
pub fn plain_client(
    roots: Option<RootCertStore>,
    own: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<ClientConfig, Error> {
    let builder = verifying(roots.map(Arc::new))?;
    match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn verifying(
    roots: Option<Arc<RootCertStore>>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(algorithms))),
    })
}

impl Tls {
    /// A client for probes of checks, with authorities and certificate of `internal_rpc`; where the agent names no authorities it
    /// trusts `public` ones.
    ///
    /// # Errors
    /// The library's.
    pub fn probe_client(
        &self,
        skip_verify: bool,
        public: impl FnOnce() -> RootCertStore,
    ) -> Result<ClientConfig, Error> {
        let material = self.material();
        let roots = (!skip_verify).then(|| material.roots.clone().unwrap_or_else(|| Arc::new(public())));
        let builder = verifying(roots)?;
        Ok(match material.key.clone() {
            Some(key) => builder.with_client_cert_resolver(key),
            None => builder.with_no_client_auth(),
        })
    }
}

/// For those who asked not to verify: any certificate will do, but the handshake must be signed by its key.
#[derive(Debug)]
pub(crate) struct AcceptAny(pub(crate) WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
