//! What a user registers on an agent, from a file or over HTTP, before expansion.

use crate::{
    names::{Opaque, SecretToken, Str, Tenancy},
    record::{Locality, Map, ServiceAddress, ServiceProxy, Weights},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// A service definition.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct ServiceDefinition {
    /// Kind word as given.
    pub kind: Str,
    /// Id, `""` = the name.
    pub id: Str,
    /// Name.
    pub name: Str,
    /// Tags (`None` = not given).
    pub tags: Option<Vec<Str>>,
    /// Address.
    pub address: Str,
    /// Tagged addresses.
    pub tagged_addresses: Option<BTreeMap<Str, ServiceAddress>>,
    /// Metadata.
    pub meta: Option<Map>,
    /// Port.
    pub port: i64,
    /// Unix socket.
    pub socket_path: Str,
    /// Weights when given.
    pub weights: Option<Weights>,
    /// See [`crate::record::NodeService::enable_tag_override`].
    pub enable_tag_override: bool,
    /// Token of a definition file, used to sync it.
    pub token: SecretToken,
    /// Checks: the singular one first, then the list.
    pub checks: Vec<CheckDefinition>,
    /// Region and zone.
    pub locality: Option<Locality>,
    /// Proxy block.
    pub proxy: Option<Box<ServiceProxy>>,
    /// `connect.native`.
    pub native: bool,
    /// `connect.sidecar_service`.
    pub sidecar: Option<Box<Self>>,
    /// Owner.
    pub tenancy: Tenancy,
    /// Parts of the definition that we keep for showing but do not act on yet.
    pub extra: Option<Opaque>,
}

/// A check definition.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "field names are those of the HTTP API's check registration")]
pub struct CheckDefinition {
    pub id: Str,
    pub name: Str,
    pub service_id: Str,
    pub notes: Str,
    pub status: Str,
    pub token: SecretToken,
    pub script_args: Vec<Str>,
    pub http: Str,
    pub header: BTreeMap<Str, Vec<Str>>,
    pub method: Str,
    pub body: Str,
    pub disable_redirects: bool,
    pub tcp: Str,
    pub tcp_use_tls: bool,
    pub udp: Str,
    pub h2ping: Str,
    /// `None` = not given, which means true.
    pub h2ping_use_tls: Option<bool>,
    pub os_service: Str,
    pub interval: Duration,
    pub timeout: Duration,
    pub ttl: Duration,
    pub docker_container_id: Str,
    pub shell: Str,
    pub grpc: Str,
    pub grpc_use_tls: bool,
    pub tls_server_name: Str,
    pub tls_skip_verify: bool,
    pub alias_node: Str,
    pub alias_service: Str,
    pub success_before_passing: i64,
    pub failures_before_warning: i64,
    pub failures_before_critical: i64,
    pub deregister_critical_service_after: Duration,
    pub output_max_size: i64,
    pub proxy_http: Str,
    pub proxy_grpc: Str,
    pub tenancy: Tenancy,
}
