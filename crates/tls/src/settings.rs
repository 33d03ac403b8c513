//! What the configuration says about TLS.

use std::path::PathBuf;
use types::Str;

/// One part of the `tls` stanza, `defaults` already applied.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Part {
    /// `internal_rpc`, `https` or `grpc`, for messages.
    pub name: &'static str,
    /// PEM bundle of authorities; wins over `ca_path`.
    pub ca_file: Option<PathBuf>,
    /// Directory of PEM files, read with everything below it.
    pub ca_path: Option<PathBuf>,
    /// Certificate chain, own certificate first.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// `TLSv1_2`, `TLSv1_3`; older ones count as 1.2, below which the library does not go.
    pub min_version: Str,
    /// Cipher suites of TLS 1.2 by their names in Go; empty = all that the library has.
    pub cipher_suites: Vec<Str>,
    /// Demand a certificate of clients.
    pub verify_incoming: bool,
    /// Connect with TLS and verify the server.
    pub verify_outgoing: bool,
}

/// TLS of an agent.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Connections between agents.
    pub internal_rpc: Part,
    /// The HTTPS API.
    pub https: Part,
    /// gRPC.
    pub grpc: Part,
    /// Servers must show [`Self::server_name`], both when they are connected to and when they connect as servers.
    pub verify_server_hostname: bool,
    /// The name that servers of this datacenter carry, see [`server_name`].
    pub server_name: String,
    /// The domain in it, for the names of servers of other datacenters.
    pub domain: String,
    /// The servers give this client its certificate (`auto_encrypt.tls`), see [`crate::Learned`].
    pub learns: bool,
    /// Clients without a certificate may ask this server for one (`auto_encrypt.allow_tls`).
    pub enrolls: bool,
}

/// `server.<dc>.<domain>`, which the certificates of all servers of a datacenter carry.
pub fn server_name(datacenter: &str, domain: &str) -> String {
    format!("server.{datacenter}.{}", domain.trim_matches('.')).to_ascii_lowercase()
}

/// The files do not give what the settings ask for. Nothing was changed: what was in force stays so.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} (tls.{part}{})", .file.as_ref().map(|f| format!(", {f}")).unwrap_or_default())]
pub struct LoadError {
    /// What is wrong, in words that operators know.
    pub what: String,
    /// Which part of the stanza.
    pub part: &'static str,
    /// Setting and path, when one file is at fault.
    pub file: Option<String>,
}
