//! Certificates and verification.

use std::path::PathBuf;
use types::Str;

/// One listener's TLS settings, `defaults` already applied.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TlsListener {
    /// PEM bundle of authorities.
    pub ca_file: Option<PathBuf>,
    /// Directory of PEM files.
    pub ca_path: Option<PathBuf>,
    /// Certificate.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// `TLSv1_2` and the like.
    pub min_version: Str,
    /// Cipher suites; empty = the library's.
    pub cipher_suites: Vec<Str>,
    /// Demand a client certificate.
    pub verify_incoming: bool,
    /// Use TLS and verify the other side.
    pub verify_outgoing: bool,
    /// Serve the automatic certificate (gRPC only).
    pub use_auto_cert: bool,
}

/// TLS of all listeners.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct TlsSettings {
    /// RPC between agents.
    pub internal_rpc: TlsListener,
    /// HTTPS.
    pub https: TlsListener,
    /// gRPC.
    pub grpc: TlsListener,
    /// Server certificates must carry `server.<dc>.<domain>`.
    pub verify_server_hostname: bool,
    /// `enable_agent_tls_for_checks`.
    pub for_checks: bool,
    /// `server_name` (shown only).
    pub server_name: Str,
}
