//! service-defaults, proxy-defaults, and what several kinds share.
#![allow(missing_docs, reason = "fields are those of the public API, whose reference explains them")]

use super::fields::{fields, record};
use crate::{
    entry::Nanos,
    names::{Opaque, Str},
    record::{
        AccessLogs, EnvoyExtension, ExposeConfig, ExposePath, Map, MeshGatewayConfig, TransparentProxy,
    },
};

fields!(TransparentProxy {
    outbound_listener_port: "OutboundListenerPort" | "outbound_listener_port" omit,
    dialed_directly: "DialedDirectly" | "dialed_directly" omit,
});
fields!(MeshGatewayConfig { mode: "Mode" omit, });
fields!(ExposePath {
    listener_port: "ListenerPort" | "listener_port" omit,
    path: "Path" omit,
    local_path_port: "LocalPathPort" | "local_path_port" omit,
    protocol: "Protocol" omit,
    parsed_from_check: "ParsedFromCheck" | "parsed_from_check" omit,
});
fields!(ExposeConfig {
    checks: "Checks" omit,
    paths: "Paths" omit,
});
fields!(AccessLogs {
    enabled: "Enabled" omit,
    disable_listener_logs: "DisableListenerLogs" | "disable_listener_logs" omit,
    kind: "Type" omit,
    path: "Path" omit,
    json_format: "JSONFormat" | "json_format" omit,
    text_format: "TextFormat" | "text_format" omit,
});
fields!(EnvoyExtension {
    name: "Name" keep,
    required: "Required" keep,
    arguments: "Arguments" keep,
    consul_version: "ConsulVersion" keep,
    envoy_version: "EnvoyVersion" keep,
});

record!(
    /// Outlier detection of an upstream.
    PassiveHealthCheck {
        interval: Nanos = "Interval" omit,
        max_failures: u32 = "MaxFailures" | "max_failures" omit,
        enforcing_consecutive_5xx: Option<u32> = "EnforcingConsecutive5xx" | "enforcing_consecutive_5xx" omit,
        max_ejection_percent: Option<u32> = "MaxEjectionPercent" | "max_ejection_percent" omit,
        base_ejection_time: Option<Nanos> = "BaseEjectionTime" | "base_ejection_time" omit,
    }
);

record!(
    /// Circuit breakers of an upstream.
    UpstreamLimits {
        max_connections: Option<i64> = "MaxConnections" | "max_connections" omit,
        max_pending_requests: Option<i64> = "MaxPendingRequests" | "max_pending_requests" omit,
        max_concurrent_requests: Option<i64> = "MaxConcurrentRequests" | "max_concurrent_requests" omit,
    }
);

record!(
    /// How a service reaches one upstream, or all of them.
    UpstreamSettings {
        name: Str = "Name" omit,
        peer: Str = "Peer" keep,
        envoy_listener_json: Str = "EnvoyListenerJSON" | "envoy_listener_json" omit,
        envoy_cluster_json: Str = "EnvoyClusterJSON" | "envoy_cluster_json" omit,
        protocol: Str = "Protocol" omit,
        connect_timeout_ms: i64 = "ConnectTimeoutMs" | "connect_timeout_ms" omit,
        limits: Option<UpstreamLimits> = "Limits" omit,
        passive_health_check: Option<PassiveHealthCheck> = "PassiveHealthCheck" | "passive_health_check" omit,
        mesh_gateway: MeshGatewayConfig = "MeshGateway" | "mesh_gateway" keep,
        balance_outbound_connections: Str = "BalanceOutboundConnections" | "balance_outbound_connections" omit,
    }
);

record!(
    /// How a service reaches its upstreams.
    UpstreamConfiguration {
        overrides: Vec<UpstreamSettings> = "Overrides" omit,
        defaults: Option<UpstreamSettings> = "Defaults" omit,
    }
);

record!(
    /// A service outside the mesh, by its addresses.
    Destination {
        addresses: Vec<Str> = "Addresses" omit,
        port: i64 = "Port" omit,
    }
);

record!(
    /// Rate of one route.
    RateLimitRoute {
        path_exact: Str = "PathExact" | "path_exact" omit,
        path_prefix: Str = "PathPrefix" | "path_prefix" omit,
        path_regex: Str = "PathRegex" | "path_regex" omit,
        requests_per_second: i64 = "RequestsPerSecond" | "requests_per_second" omit,
        requests_max_burst: i64 = "RequestsMaxBurst" | "requests_max_burst" omit,
    }
);
record!(
    /// Rates of one instance.
    InstanceRateLimits {
        requests_per_second: i64 = "RequestsPerSecond" | "requests_per_second" omit,
        requests_max_burst: i64 = "RequestsMaxBurst" | "requests_max_burst" omit,
        routes: Vec<RateLimitRoute> = "Routes" omit,
    }
);
record!(
    /// Rates of a service.
    RateLimits {
        instance_level: InstanceRateLimits = "InstanceLevel" | "instance_level" keep,
    }
);

record!(
    /// Defaults of one service.
    ServiceDefaults {
        protocol: Str = "Protocol" keep,
        mode: Str = "Mode" omit,
        transparent_proxy: TransparentProxy = "TransparentProxy" | "transparent_proxy" keep,
        mutual_tls_mode: Str = "MutualTLSMode" | "mutual_tls_mode" omit,
        mesh_gateway: MeshGatewayConfig = "MeshGateway" | "mesh_gateway" keep,
        expose: ExposeConfig = "Expose" keep,
        external_sni: Str = "ExternalSNI" | "external_sni" omit,
        upstream_config: Option<UpstreamConfiguration> = "UpstreamConfig" | "upstream_config" omit,
        destination: Option<Destination> = "Destination" omit,
        max_inbound_connections: i64 = "MaxInboundConnections" | "max_inbound_connections" omit,
        local_connect_timeout_ms: i64 = "LocalConnectTimeoutMs" | "local_connect_timeout_ms" omit,
        local_request_timeout_ms: i64 = "LocalRequestTimeoutMs" | "local_request_timeout_ms" omit,
        balance_inbound_connections: Str = "BalanceInboundConnections" | "balance_inbound_connections" omit,
        rate_limits: Option<RateLimits> = "RateLimits" | "rate_limits" omit,
        envoy_extensions: Vec<EnvoyExtension> = "EnvoyExtensions" | "envoy_extensions" omit,
    }
);

record!(
    /// How failover targets are ordered.
    FailoverPolicy {
        mode: Str = "Mode" omit,
        regions: Vec<Str> = "Regions" omit,
    }
);
record!(
    /// Whether near instances come first.
    PrioritizeByLocality {
        mode: Str = "Mode" omit,
    }
);

record!(
    /// Defaults of all proxies.
    ProxyDefaults {
        config: Option<Opaque> = "Config" keep,
        mode: Str = "Mode" omit,
        transparent_proxy: TransparentProxy = "TransparentProxy" | "transparent_proxy" keep,
        mutual_tls_mode: Str = "MutualTLSMode" | "mutual_tls_mode" omit,
        mesh_gateway: MeshGatewayConfig = "MeshGateway" | "mesh_gateway" keep,
        expose: ExposeConfig = "Expose" keep,
        access_logs: AccessLogs = "AccessLogs" | "access_logs" keep,
        envoy_extensions: Vec<EnvoyExtension> = "EnvoyExtensions" | "envoy_extensions" omit,
        failover_policy: Option<FailoverPolicy> = "FailoverPolicy" | "failover_policy" omit,
        prioritize_by_locality: Option<PrioritizeByLocality> = "PrioritizeByLocality" | "prioritize_by_locality" omit,
    }
);

record!(
    /// Changes of HTTP headers.
    HeaderModifiers {
        add: Map = "Add" omit,
        set: Map = "Set" omit,
        remove: Vec<Str> = "Remove" omit,
    }
);
