//! DNS, HTTP, sizes and rates.

use super::Reader;
use crate::settings::{CacheSettings, DnsSettings, DnsSoa, HttpSettings, LimitSettings, RequestLimitMode};
use std::time::Duration;
use types::Str;

pub(super) fn dns(r: &Reader<'_>, recursors: Vec<Str>) -> DnsSettings {
    let recursor_random = match r.text_or("dns_config.recursor_strategy", "sequential") {
        "sequential" | "" => false,
        "random" => true,
        other => {
            r.error(format!("dns_config.recursor_strategy: invalid strategy: {}", crate::quote(other)));
            false
        }
    };
    let service_ttl = r
        .text_map("dns_config.service_ttl")
        .into_iter()
        .map(|(name, text)| {
            let shown = format!("dns_config.service_ttl[{}]", crate::quote(&name));
            let ttl = r.parse_duration(&shown, &text);
            (name, ttl)
        })
        .collect();
    DnsSettings {
        domain: Str::new(r.text_or("domain", "consul.")),
        alt_domain: r.str("alt_domain"),
        allow_stale: r.bool("dns_config.allow_stale", true),
        max_stale: r.duration("dns_config.max_stale", Duration::from_secs(87600 * 3600)),
        node_ttl: r.duration("dns_config.node_ttl", Duration::ZERO),
        service_ttl,
        only_passing: r.bool("dns_config.only_passing", false),
        enable_truncate: r.bool("dns_config.enable_truncate", false),
        udp_answer_limit: r.u32("dns_config.udp_answer_limit", 3),
        a_record_limit: r.u32("dns_config.a_record_limit", 0),
        disable_compression: r.bool("dns_config.disable_compression", false),
        node_meta_txt: r.bool("dns_config.enable_additional_node_meta_txt", true),
        use_cache: r.bool("dns_config.use_cache", false),
        cache_max_age: r.duration("dns_config.cache_max_age", Duration::ZERO),
        soa: DnsSoa {
            refresh: r.u32("dns_config.soa.refresh", 3600),
            retry: r.u32("dns_config.soa.retry", 600),
            expire: r.u32("dns_config.soa.expire", 86400),
            min_ttl: r.u32("dns_config.soa.min_ttl", 0),
        },
        recursors,
        recursor_timeout: r.duration("dns_config.recursor_timeout", Duration::from_secs(2)),
        recursor_random,
    }
}

pub(super) fn http(r: &Reader<'_>) -> HttpSettings {
    let (allow_write_from, bad) = r.cidrs("http_config.allow_write_http_from");
    for text in bad {
        r.error(format!("allow_write_http_from: invalid cidr: {text}"));
    }
    HttpSettings {
        block_endpoints: r.texts("http_config.block_endpoints"),
        response_headers: r.text_map("http_config.response_headers"),
        use_cache: r.bool("http_config.use_cache", true),
        allow_write_from,
        max_header_bytes: r.unsigned("http_config.max_header_bytes", 0),
        max_conns_per_client: r.u32("limits.http_max_conns_per_client", 200),
        https_handshake_timeout: r.duration("limits.https_handshake_timeout", Duration::from_secs(5)),
        default_query_time: r.duration("default_query_time", Duration::from_secs(300)),
        max_query_time: r.duration("max_query_time", Duration::from_secs(600)),
        discovery_max_stale: r.duration("discovery_max_stale", Duration::ZERO),
        disable_unprintable_filter: r.bool("disable_http_unprintable_char_filter", false),
        enable_debug: r.bool("enable_debug", false),
    }
}

pub(super) fn limits(r: &Reader<'_>) -> LimitSettings {
    let request_mode = match r.text_or("limits.request_limits.mode", "disabled") {
        "disabled" => RequestLimitMode::Disabled,
        "permissive" => RequestLimitMode::Permissive,
        "enforcing" => RequestLimitMode::Enforcing,
        other => {
            r.error(format!("limits.request_limits.mode: invalid mode: {}", crate::quote(other)));
            RequestLimitMode::Disabled
        }
    };
    LimitSettings {
        kv_max_value_size: r.unsigned("limits.kv_max_value_size", 512 * 1024),
        txn_max_req_len: r.unsigned("limits.txn_max_req_len", 512 * 1024),
        request_mode,
        read_rate: r.rate("limits.request_limits.read_rate", None),
        write_rate: r.rate("limits.request_limits.write_rate", None),
        xds_updates_per_second: r.rate("xds.update_max_per_second", Some(250.0)),
        session_ttl_min: r.duration("session_ttl_min", Duration::ZERO),
    }
}

pub(super) fn cache(r: &Reader<'_>) -> CacheSettings {
    CacheSettings {
        fetch_max_burst: r.u32("cache.entry_fetch_max_burst", 2),
        fetch_rate: r.rate("cache.entry_fetch_rate", None),
    }
}
