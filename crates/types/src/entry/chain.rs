//! service-router, service-splitter, service-resolver.
#![allow(missing_docs, reason = "fields are those of the public API, whose reference explains them")]

use super::{FailoverPolicy, HeaderModifiers, Hundredths, Nanos, PrioritizeByLocality, Span, fields::record};
use crate::names::Str;
use std::collections::BTreeMap;

record!(
    /// A condition on a header.
    HeaderMatch {
        name: Str = "Name" keep,
        present: bool = "Present" omit,
        exact: Str = "Exact" omit,
        prefix: Str = "Prefix" omit,
        suffix: Str = "Suffix" omit,
        regex: Str = "Regex" omit,
        invert: bool = "Invert" omit,
    }
);
record!(
    /// A condition on a parameter of the query string.
    QueryMatch {
        name: Str = "Name" keep,
        present: bool = "Present" omit,
        exact: Str = "Exact" omit,
        regex: Str = "Regex" omit,
    }
);
record!(
    /// Conditions on a request.
    RouteHttpMatch {
        path_exact: Str = "PathExact" | "path_exact" omit,
        path_prefix: Str = "PathPrefix" | "path_prefix" omit,
        path_regex: Str = "PathRegex" | "path_regex" omit,
        case_insensitive: bool = "CaseInsensitive" | "case_insensitive" omit,
        header: Vec<HeaderMatch> = "Header" omit,
        query_param: Vec<QueryMatch> = "QueryParam" | "query_param" omit,
        methods: Vec<Str> = "Methods" omit,
    }
);
record!(
    /// Conditions of a route.
    RouteMatch {
        http: Option<RouteHttpMatch> = "HTTP" omit,
    }
);
record!(
    /// Where a route leads.
    RouteDestination {
        service: Str = "Service" omit,
        service_subset: Str = "ServiceSubset" | "service_subset" omit,
        namespace: Str = "Namespace" omit,
        partition: Str = "Partition" omit,
        prefix_rewrite: Str = "PrefixRewrite" | "prefix_rewrite" omit,
        request_timeout: Span = "RequestTimeout" | "request_timeout" omit,
        idle_timeout: Span = "IdleTimeout" | "idle_timeout" omit,
        num_retries: u32 = "NumRetries" | "num_retries" omit,
        retry_on_connect_failure: bool = "RetryOnConnectFailure" | "retry_on_connect_failure" omit,
        retry_on: Vec<Str> = "RetryOn" | "retry_on" omit,
        retry_on_status_codes: Vec<u32> = "RetryOnStatusCodes" | "retry_on_status_codes" omit,
        request_headers: Option<HeaderModifiers> = "RequestHeaders" | "request_headers" omit,
        response_headers: Option<HeaderModifiers> = "ResponseHeaders" | "response_headers" omit,
    }
);
record!(
    /// One route.
    Route {
        matches: Option<RouteMatch> = "Match" omit,
        destination: Option<RouteDestination> = "Destination" omit,
    }
);
record!(
    /// Routes of a service, tried in order.
    ServiceRouter {
        routes: Vec<Route> = "Routes" keep,
    }
);

record!(
    /// One share of the traffic.
    Split {
        weight: Hundredths = "Weight" keep,
        service: Str = "Service" omit,
        service_subset: Str = "ServiceSubset" | "service_subset" omit,
        namespace: Str = "Namespace" omit,
        partition: Str = "Partition" omit,
        request_headers: Option<HeaderModifiers> = "RequestHeaders" | "request_headers" omit,
        response_headers: Option<HeaderModifiers> = "ResponseHeaders" | "response_headers" omit,
    }
);
record!(
    /// Shares of traffic.
    ServiceSplitter {
        splits: Vec<Split> = "Splits" keep,
    }
);

record!(
    /// Some of the instances of a service.
    Subset {
        filter: Str = "Filter" omit,
        only_passing: bool = "OnlyPassing" | "only_passing" omit,
    }
);
record!(
    /// Another service to use instead.
    Redirect {
        service: Str = "Service" omit,
        service_subset: Str = "ServiceSubset" | "service_subset" omit,
        namespace: Str = "Namespace" omit,
        partition: Str = "Partition" omit,
        datacenter: Str = "Datacenter" omit,
        peer: Str = "Peer" omit,
        sameness_group: Str = "SamenessGroup" | "sameness_group" omit,
    }
);
record!(
    /// One place to fall back to.
    FailoverTarget {
        service: Str = "Service" omit,
        service_subset: Str = "ServiceSubset" | "service_subset" omit,
        partition: Str = "Partition" omit,
        namespace: Str = "Namespace" omit,
        datacenter: Str = "Datacenter" omit,
        peer: Str = "Peer" omit,
    }
);
record!(
    /// Where to go when no instance is healthy.
    Failover {
        service: Str = "Service" omit,
        service_subset: Str = "ServiceSubset" | "service_subset" omit,
        namespace: Str = "Namespace" omit,
        datacenters: Vec<Str> = "Datacenters" omit,
        targets: Vec<FailoverTarget> = "Targets" omit,
        policy: Option<FailoverPolicy> = "Policy" omit,
        sameness_group: Str = "SamenessGroup" | "sameness_group" omit,
    }
);
record!(
    /// Sizes of the ring.
    RingHashConfig {
        minimum_ring_size: i64 = "MinimumRingSize" | "minimum_ring_size" omit,
        maximum_ring_size: i64 = "MaximumRingSize" | "maximum_ring_size" omit,
    }
);
record!(
    /// How many instances are compared.
    LeastRequestConfig {
        choice_count: u32 = "ChoiceCount" | "choice_count" omit,
    }
);
record!(
    /// The cookie that is hashed.
    CookieConfig {
        session: bool = "Session" omit,
        ttl: Nanos = "TTL" omit,
        path: Str = "Path" omit,
    }
);
record!(
    /// What is hashed.
    HashPolicy {
        field: Str = "Field" omit,
        field_value: Str = "FieldValue" | "field_value" omit,
        cookie_config: Option<CookieConfig> = "CookieConfig" | "cookie_config" omit,
        source_ip: bool = "SourceIP" | "source_ip" omit,
        terminal: bool = "Terminal" omit,
    }
);
record!(
    /// How an instance is chosen.
    LoadBalancer {
        policy: Str = "Policy" omit,
        ring_hash_config: Option<RingHashConfig> = "RingHashConfig" | "ring_hash_config" omit,
        least_request_config: Option<LeastRequestConfig> = "LeastRequestConfig" | "least_request_config" omit,
        hash_policies: Vec<HashPolicy> = "HashPolicies" | "hash_policies" omit,
    }
);
record!(
    /// Where instances of a service are found.
    ServiceResolver {
        default_subset: Str = "DefaultSubset" | "default_subset" omit,
        subsets: BTreeMap<Str, Subset> = "Subsets" omit,
        redirect: Option<Redirect> = "Redirect" omit,
        failover: BTreeMap<Str, Failover> = "Failover" omit,
        prioritize_by_locality: Option<PrioritizeByLocality> = "PrioritizeByLocality" | "prioritize_by_locality" omit,
        connect_timeout: Span = "ConnectTimeout" | "connect_timeout" omit,
        request_timeout: Span = "RequestTimeout" | "request_timeout" omit,
        load_balancer: Option<LoadBalancer> = "LoadBalancer" | "load_balancer" omit,
    }
);
