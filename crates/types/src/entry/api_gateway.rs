//! api-gateway, its routes and certificates.
#![allow(missing_docs, reason = "fields are those of the public API, whose reference explains them")]

use super::{Nanos, fields::record};
use crate::{names::Str, record::Map};
use std::collections::BTreeMap;

record!(
    /// Another entry, or a part of it.
    ResourceReference {
        kind: Str = "Kind" keep,
        name: Str = "Name" keep,
        section_name: Str = "SectionName" keep,
    }
);
record!(
    /// Something that servers found out about an entry.
    Condition {
        condition_type: Str = "Type" keep,
        status: Str = "Status" keep,
        reason: Str = "Reason" keep,
        message: Str = "Message" keep,
        resource: ResourceReference = "Resource" keep,
        /// RFC 3339.
        last_transition_time: Str = "LastTransitionTime" keep,
    }
);
record!(
    /// What servers found out about an entry.
    EntryStatus {
        conditions: Vec<Condition> = "Conditions" keep,
    }
);
record!(
    /// TLS of a listener.
    ApiGatewayTls {
        certificates: Vec<ResourceReference> = "Certificates" keep,
        max_version: Str = "MaxVersion" keep,
        min_version: Str = "MinVersion" keep,
        cipher_suites: Vec<Str> = "CipherSuites" keep,
    }
);
record!(
    /// Policy of a listener; what it could hold is for the enterprise edition.
    ApiGatewayPolicy {}
);
record!(
    /// A port of an API gateway.
    ApiGatewayListener {
        name: Str = "Name" keep,
        hostname: Str = "Hostname" keep,
        port: i64 = "Port" keep,
        protocol: Str = "Protocol" keep,
        tls: ApiGatewayTls = "TLS" keep,
        overrides: Option<ApiGatewayPolicy> = "Override" omit,
        defaults: Option<ApiGatewayPolicy> = "Default" omit,
    }
);
record!(
    /// Listeners of an API gateway.
    ApiGateway {
        listeners: Vec<ApiGatewayListener> = "Listeners" keep,
        status: EntryStatus = "Status" keep,
    }
);
record!(
    /// What is bound to a listener.
    BoundListener {
        name: Str = "Name" keep,
        routes: Vec<ResourceReference> = "Routes" keep,
        certificates: Vec<ResourceReference> = "Certificates" keep,
    }
);
record!(
    /// What is bound to an API gateway.
    BoundApiGateway {
        listeners: Vec<BoundListener> = "Listeners" keep,
        services: BTreeMap<Str, Vec<ResourceReference>> = "Services" keep,
    }
);
record!(
    /// Changes of headers.
    RouteHeaderFilter {
        add: Map = "Add" keep,
        remove: Vec<Str> = "Remove" keep,
        set: Map = "Set" keep,
    }
);
record!(
    /// Another path.
    UrlRewrite {
        path: Str = "Path" keep,
    }
);
record!(
    /// Attempts at a request.
    RetryFilter {
        num_retries: u32 = "NumRetries" keep,
        retry_on: Vec<Str> = "RetryOn" keep,
        retry_on_status_codes: Vec<u32> = "RetryOnStatusCodes" keep,
        retry_on_connect_failure: bool = "RetryOnConnectFailure" keep,
    }
);
record!(
    /// Time limits of a request.
    TimeoutFilter {
        request_timeout: Nanos = "RequestTimeout" keep,
        idle_timeout: Nanos = "IdleTimeout" keep,
    }
);
record!(
    /// Tokens that a request must carry.
    JwtFilter {}
);
record!(
    /// What is done to a request.
    HttpFilters {
        headers: Vec<RouteHeaderFilter> = "Headers" keep,
        url_rewrite: Option<UrlRewrite> = "URLRewrite" keep,
        retry_filter: Option<RetryFilter> = "RetryFilter" keep,
        timeout_filter: Option<TimeoutFilter> = "TimeoutFilter" keep,
        jwt: Option<JwtFilter> = "JWT" keep,
    }
);
record!(
    /// What is done to an answer.
    HttpResponseFilters {
        headers: Vec<RouteHeaderFilter> = "Headers" keep,
    }
);
record!(
    /// A condition on something with a name.
    HttpNamedMatch {
        matching: Str = "Match" keep,
        name: Str = "Name" keep,
        value: Str = "Value" keep,
    }
);
record!(
    /// A condition on the path.
    HttpPathMatch {
        matching: Str = "Match" keep,
        value: Str = "Value" keep,
    }
);
record!(
    /// Conditions of a rule.
    HttpMatch {
        headers: Vec<HttpNamedMatch> = "Headers" keep,
        method: Str = "Method" keep,
        path: HttpPathMatch = "Path" keep,
        query: Vec<HttpNamedMatch> = "Query" keep,
    }
);
record!(
    /// A service behind a rule.
    HttpService {
        name: Str = "Name" keep,
        weight: i64 = "Weight" keep,
        filters: HttpFilters = "Filters" keep,
        response_filters: HttpResponseFilters = "ResponseFilters" keep,
    }
);
record!(
    /// One rule.
    HttpRule {
        filters: HttpFilters = "Filters" keep,
        response_filters: HttpResponseFilters = "ResponseFilters" keep,
        matches: Vec<HttpMatch> = "Matches" keep,
        services: Vec<HttpService> = "Services" keep,
    }
);
record!(
    /// HTTP routes of API gateways.
    HttpRoute {
        parents: Vec<ResourceReference> = "Parents" keep,
        rules: Vec<HttpRule> = "Rules" keep,
        hostnames: Vec<Str> = "Hostnames" keep,
        status: EntryStatus = "Status" keep,
    }
);
record!(
    /// A service behind a TCP route.
    TcpService {
        name: Str = "Name" keep,
    }
);
record!(
    /// TCP routes of API gateways.
    TcpRoute {
        parents: Vec<ResourceReference> = "Parents" keep,
        services: Vec<TcpService> = "Services" keep,
        status: EntryStatus = "Status" keep,
    }
);
record!(
    /// A certificate and its key: PEM, or names of files.
    Certificate {
        certificate: Str = "Certificate" keep,
        private_key: Str = "PrivateKey" | "private_key" keep,
    }
);
