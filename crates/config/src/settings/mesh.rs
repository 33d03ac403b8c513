//! Mesh, CA and automatic configuration.

use std::net::IpAddr;
use types::{SecretToken, Str};

/// Service mesh and its CA.
#[derive(Clone, PartialEq, Debug)]
pub struct ConnectSettings {
    /// Mesh endpoints and CA.
    pub enabled: bool,
    /// `""` or `consul`, `vault`, `aws-pca`.
    pub ca_provider: Str,
    /// Provider settings, a JSON object; may hold secrets.
    pub ca_config: serde_json::Map<String, serde_json::Value>,
    /// Traffic between datacenters goes through mesh gateways.
    pub mesh_gateway_wan_federation: bool,
    /// Merge central defaults into proxies.
    pub central_service_config: bool,
    /// `default_intention_policy` as written.
    pub default_intention_policy: Str,
    /// Cluster peering.
    pub peering_enabled: bool,
    /// Balance xDS streams over servers.
    pub xds_load_balancing: bool,
}

/// `auto_encrypt`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AutoEncryptSettings {
    /// Client: fetch a certificate from the servers.
    pub tls: bool,
    /// Server: give certificates.
    pub allow_tls: bool,
    /// Further DNS names.
    pub dns_san: Vec<Str>,
    /// Further addresses.
    pub ip_san: Vec<IpAddr>,
}

/// `auto_config`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AutoConfigSettings {
    /// Client: fetch the configuration from the servers.
    pub enabled: bool,
    /// Token to present.
    pub intro_token: SecretToken,
    /// File with it.
    pub intro_token_file: Str,
    /// Servers to ask.
    pub server_addresses: Vec<Str>,
    /// Server: answer such requests.
    pub authorization_enabled: bool,
}
