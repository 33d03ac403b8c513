//! ingress-gateway, terminating-gateway, exported-services, sameness-group.
#![allow(missing_docs, reason = "fields are those of the public API, whose reference explains them")]

use super::{HeaderModifiers, PassiveHealthCheck, fields::record};
use crate::{names::Str, record::Map};

record!(
    /// A certificate that Envoy fetches itself.
    GatewaySds {
        cluster_name: Str = "ClusterName" | "cluster_name" omit,
        cert_resource: Str = "CertResource" | "cert_resource" omit,
    }
);
record!(
    /// TLS of a gateway or listener.
    GatewayTls {
        enabled: bool = "Enabled" keep,
        sds: Option<GatewaySds> = "SDS" omit,
        min_version: Str = "TLSMinVersion" | "tls_min_version" omit,
        max_version: Str = "TLSMaxVersion" | "tls_max_version" omit,
        cipher_suites: Vec<Str> = "CipherSuites" | "cipher_suites" omit,
    }
);
record!(
    /// TLS of one service of a listener.
    GatewayServiceTls {
        sds: Option<GatewaySds> = "SDS" omit,
    }
);
record!(
    /// A service behind a listener.
    IngressService {
        name: Str = "Name" keep,
        hosts: Vec<Str> = "Hosts" keep,
        tls: Option<GatewayServiceTls> = "TLS" omit,
        request_headers: Option<HeaderModifiers> = "RequestHeaders" | "request_headers" omit,
        response_headers: Option<HeaderModifiers> = "ResponseHeaders" | "response_headers" omit,
        max_connections: u32 = "MaxConnections" | "max_connections" omit,
        max_pending_requests: u32 = "MaxPendingRequests" | "max_pending_requests" omit,
        max_concurrent_requests: u32 = "MaxConcurrentRequests" | "max_concurrent_requests" omit,
        passive_health_check: Option<PassiveHealthCheck> = "PassiveHealthCheck" | "passive_health_check" omit,
        meta: Map = "Meta" omit,
    }
);
record!(
    /// A port of an ingress gateway.
    IngressListener {
        port: i64 = "Port" keep,
        protocol: Str = "Protocol" keep,
        tls: Option<GatewayTls> = "TLS" omit,
        services: Vec<IngressService> = "Services" keep,
    }
);
record!(
    /// Limits of services that set none.
    IngressDefaults {
        max_connections: u32 = "MaxConnections" | "max_connections" keep,
        max_pending_requests: u32 = "MaxPendingRequests" | "max_pending_requests" keep,
        max_concurrent_requests: u32 = "MaxConcurrentRequests" | "max_concurrent_requests" keep,
        passive_health_check: Option<PassiveHealthCheck> = "PassiveHealthCheck" | "passive_health_check" omit,
    }
);
record!(
    /// What an ingress gateway exposes.
    IngressGateway {
        tls: GatewayTls = "TLS" keep,
        listeners: Vec<IngressListener> = "Listeners" keep,
        defaults: Option<IngressDefaults> = "Defaults" omit,
    }
);
record!(
    /// A service behind a terminating gateway.
    LinkedService {
        name: Str = "Name" omit,
        ca_file: Str = "CAFile" | "ca_file" omit,
        cert_file: Str = "CertFile" | "cert_file" omit,
        key_file: Str = "KeyFile" | "key_file" omit,
        sni: Str = "SNI" omit,
        disable_auto_host_rewrite: bool = "DisableAutoHostRewrite" | "disable_auto_host_rewrite" omit,
    }
);
record!(
    /// What a terminating gateway stands for.
    TerminatingGateway {
        services: Vec<LinkedService> = "Services" keep,
    }
);
record!(
    /// Who may use an exported service.
    ExportConsumer {
        partition: Str = "Partition" omit,
        peer: Str = "Peer" | "peer_name" omit,
        sameness_group: Str = "SamenessGroup" | "sameness_group" omit,
    }
);
record!(
    /// An exported service.
    ExportedService {
        name: Str = "Name" keep,
        namespace: Str = "Namespace" omit,
        consumers: Vec<ExportConsumer> = "Consumers" omit,
    }
);
record!(
    /// What other clusters may use.
    ExportedServices {
        services: Vec<ExportedService> = "Services" keep,
    }
);
record!(
    /// A cluster of a group.
    SamenessMember {
        partition: Str = "Partition" omit,
        peer: Str = "Peer" omit,
    }
);
record!(
    /// Clusters that stand for one another.
    SamenessGroup {
        default_for_failover: bool = "DefaultForFailover" | "default_for_failover" omit,
        include_local: bool = "IncludeLocal" | "include_local" omit,
        members: Vec<SamenessMember> = "Members" keep,
    }
);
