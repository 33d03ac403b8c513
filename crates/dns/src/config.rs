//! Settings of the DNS interface.

use std::{net::SocketAddr, time::Duration};
use types::{DatacenterName, SecretToken, Str, names::fold};

use crate::name::Name;

/// Order in which recursors are asked.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum RecursorStrategy {
    /// As configured, every time.
    #[default]
    Sequential,
    /// A random permutation for each question.
    Random,
}

/// Timers of the SOA record, seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoaConfig {
    /// `refresh`
    pub refresh: u32,
    /// `retry`
    pub retry: u32,
    /// `expire`
    pub expire: u32,
    /// `min_ttl`: negative caching time and TTL of the SOA itself.
    pub min_ttl: u32,
}

impl Default for SoaConfig {
    fn default() -> Self {
        Self { refresh: 3600, retry: 600, expire: 86400, min_ttl: 0 }
    }
}

/// What `service_ttl` says: exact names, prefixes (`web*`), and `*`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ServiceTtl {
    exact: std::collections::BTreeMap<Str, Duration>,
    /// Longest prefix first.
    prefixes: Vec<(Str, Duration)>,
}

impl ServiceTtl {
    /// Builds the table from the pairs of the configuration.
    pub fn new<K: AsRef<str>>(pairs: impl IntoIterator<Item = (K, Duration)>) -> Self {
        let mut table = Self::default();
        for (key, ttl) in pairs {
            match key.as_ref().strip_suffix('*') {
                Some(prefix) => table.prefixes.push((Str::new(prefix), ttl)),
                None => {
                    table.exact.insert(Str::new(key), ttl);
                }
            }
        }
        table.prefixes.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        table
    }

    /// TTL of a service in whole seconds. Keys are matched against the lower-cased name as they are written.
    pub fn seconds(&self, service: &str) -> u32 {
        let name = fold(service);
        self.exact
            .get(&name)
            .or_else(|| self.prefixes.iter().find(|(p, _)| name.starts_with(p.as_str())).map(|(_, ttl)| ttl))
            .map_or(0, |ttl| seconds(*ttl))
    }
}

pub(crate) fn seconds(d: Duration) -> u32 {
    u32::try_from(d.as_secs()).unwrap_or(u32::MAX)
}

/// The part of the configuration that takes effect on reload: `dns_config` and `recursors`.
#[derive(Clone, PartialEq, Debug)]
pub struct DnsConfig {
    /// Name of this agent's node, which `_agent` means in prepared queries.
    pub node: Str,
    /// Any server may answer.
    pub allow_stale: bool,
    /// Oldest acceptable stale answer.
    pub max_stale: Duration,
    /// TTL of node records.
    pub node_ttl: Duration,
    /// TTL of service records.
    pub service_ttl: ServiceTtl,
    /// Leave out instances with warnings too.
    pub only_passing: bool,
    /// Set the TC bit when answers were cut.
    pub enable_truncate: bool,
    /// Answers over plain UDP.
    pub udp_answer_limit: usize,
    /// Address records in any answer, 0 = no limit.
    pub a_record_limit: usize,
    /// Write names in full.
    pub disable_compression: bool,
    /// Node metadata as TXT in the additional section.
    pub enable_additional_node_meta_txt: bool,
    /// Order of recursors.
    pub recursor_strategy: RecursorStrategy,
    /// Patience with each recursor.
    pub recursor_timeout: Duration,
    /// Resolved addresses of recursors.
    pub recursors: Vec<SocketAddr>,
    /// SOA timers.
    pub soa: SoaConfig,
    /// Answer from the agent's cache.
    pub use_cache: bool,
    /// Oldest acceptable cached answer, with `use_cache`.
    pub cache_max_age: Duration,
    /// Token that lookups carry (`acl.tokens.dns`, else `acl.tokens.default`).
    pub token: SecretToken,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            node: Str::default(),
            allow_stale: true,
            max_stale: Duration::from_secs(87_600 * 3600),
            node_ttl: Duration::ZERO,
            service_ttl: ServiceTtl::default(),
            only_passing: false,
            enable_truncate: false,
            udp_answer_limit: 3,
            a_record_limit: 0,
            disable_compression: false,
            enable_additional_node_meta_txt: true,
            recursor_strategy: RecursorStrategy::Sequential,
            recursor_timeout: Duration::from_secs(2),
            recursors: Vec::new(),
            soa: SoaConfig::default(),
            use_cache: false,
            cache_max_age: Duration::ZERO,
            token: SecretToken::default(),
        }
    }
}

/// The part of the configuration that is fixed at start.
#[derive(Clone, PartialEq, Debug)]
pub struct Zone {
    pub(crate) domain: Name,
    pub(crate) alt_domain: Option<Name>,
    pub(crate) datacenter: DatacenterName,
    pub(crate) translate_wan_addrs: bool,
}

/// A configured domain that no DNS name can have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid DNS domain {0:?}: labels have 1 to 63 bytes, the whole name at most 255")]
pub struct InvalidDomain(pub Str);

impl Zone {
    /// A zone from `domain`, `alt_domain` (`""` for none), the agent's datacenter and `translate_wan_addrs`.
    ///
    /// # Errors
    /// [`InvalidDomain`] when a domain cannot be written as a DNS name.
    pub fn new(
        domain: &str,
        alt_domain: &str,
        datacenter: DatacenterName,
        translate_wan_addrs: bool,
    ) -> Result<Self, InvalidDomain> {
        let parse =
            |s: &str| Name::from_text(&s.to_ascii_lowercase()).ok_or_else(|| InvalidDomain(Str::new(s)));
        let alt = alt_domain.trim_end_matches('.');
        Ok(Self {
            domain: parse(domain)?,
            alt_domain: if alt.is_empty() { None } else { Some(parse(alt)?) },
            datacenter,
            translate_wan_addrs,
        })
    }
}
