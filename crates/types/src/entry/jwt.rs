//! jwt-provider.
#![allow(missing_docs, reason = "fields are those of the public API, whose reference explains them")]

use super::{Nanos, fields::record};
use crate::names::Str;

record!(
    /// A key set that is stored here or in a file.
    LocalKeySet {
        jwks: Str = "JWKS" omit,
        filename: Str = "Filename" omit,
    }
);
record!(
    /// Pauses between attempts.
    RetryBackOff {
        base_interval: Nanos = "BaseInterval" | "base_interval" omit,
        max_interval: Nanos = "MaxInterval" | "max_interval" omit,
    }
);
record!(
    /// Attempts at fetching a key set.
    KeySetRetry {
        num_retries: i64 = "NumRetries" | "num_retries" omit,
        back_off: Option<RetryBackOff> = "RetryPolicyBackOff" | "retry_policy_back_off" omit,
    }
);
record!(
    /// A certificate of a provider that Envoy knows.
    CertificateProvider {
        instance_name: Str = "InstanceName" | "instance_name" omit,
        certificate_name: Str = "CertificateName" | "certificate_name" omit,
    }
);
record!(
    /// Trusted certificates.
    TrustedCa {
        filename: Str = "Filename" omit,
        environment_variable: Str = "EnvironmentVariable" | "environment_variable" omit,
        inline_string: Str = "InlineString" | "inline_string" omit,
        inline_bytes: Str = "InlineBytes" | "inline_bytes" omit,
    }
);
record!(
    /// What the issuer's certificate must be signed by.
    KeySetTls {
        provider: Option<CertificateProvider> = "CaCertificateProviderInstance" | "ca_certificate_provider_instance" omit,
        trusted_ca: Option<TrustedCa> = "TrustedCA" | "trusted_ca" omit,
    }
);
record!(
    /// How the issuer is reached.
    KeySetCluster {
        discovery_type: Str = "DiscoveryType" | "discovery_type" omit,
        tls_certificates: Option<KeySetTls> = "TLSCertificates" | "tls_certificates" omit,
        connect_timeout: Nanos = "ConnectTimeout" | "connect_timeout" omit,
    }
);
record!(
    /// A key set that is fetched.
    RemoteKeySet {
        uri: Str = "URI" omit,
        request_timeout_ms: i64 = "RequestTimeoutMs" | "request_timeout_ms" omit,
        cache_duration: Nanos = "CacheDuration" | "cache_duration" omit,
        fetch_asynchronously: bool = "FetchAsynchronously" | "fetch_asynchronously" omit,
        use_sni: bool = "UseSNI" | "use_sni" omit,
        retry_policy: Option<KeySetRetry> = "RetryPolicy" | "retry_policy" omit,
        cluster: Option<KeySetCluster> = "JWKSCluster" | "jwks_cluster" omit,
    }
);
record!(
    /// Keys of the issuer.
    JsonWebKeySet {
        local: Option<LocalKeySet> = "Local" omit,
        remote: Option<RemoteKeySet> = "Remote" omit,
    }
);
record!(
    /// A token in a header.
    JwtHeader {
        name: Str = "Name" omit,
        value_prefix: Str = "ValuePrefix" | "value_prefix" omit,
        forward: bool = "Forward" omit,
    }
);
record!(
    /// A token in something with a name.
    JwtNamed {
        name: Str = "Name" omit,
    }
);
record!(
    /// Where a token is found.
    JwtLocation {
        header: Option<JwtHeader> = "Header" omit,
        query_param: Option<JwtNamed> = "QueryParam" | "query_param" omit,
        cookie: Option<JwtNamed> = "Cookie" omit,
    }
);
record!(
    /// Passing the verified token on.
    JwtForwarding {
        header_name: Str = "HeaderName" | "header_name" omit,
        pad_forward_payload_header: bool = "PadForwardPayloadHeader" | "pad_forward_payload_header" keep,
    }
);
record!(
    /// Cache of verified tokens.
    JwtCache {
        size: i64 = "Size" omit,
    }
);
record!(
    /// Issuer of tokens.
    JwtProvider {
        json_web_key_set: Option<JsonWebKeySet> = "JSONWebKeySet" | "json_web_key_set" omit,
        issuer: Str = "Issuer" omit,
        audiences: Vec<Str> = "Audiences" omit,
        locations: Vec<JwtLocation> = "Locations" omit,
        forwarding: Option<JwtForwarding> = "Forwarding" omit,
        clock_skew_seconds: i64 = "ClockSkewSeconds" | "clock_skew_seconds" omit,
        cache_config: Option<JwtCache> = "CacheConfig" | "cache_config" omit,
    }
);
