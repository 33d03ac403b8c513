//! Prepared queries: a service lookup with its filters and its way out, kept under a name.

use crate::{
    names::{SecretToken, Str},
    record::{CheckServiceNode, Map, RaftIndex},
    validate,
};
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, sync::Arc};

/// The only type of template.
pub const NAME_PREFIX_MATCH: &str = "name_prefix_match";
/// Longest name, bytes.
pub const NAME_MAX: usize = 1024;
/// Most bytes of all texts of a query together: it is kept by every server and looked at by each execution.
pub const TEXTS_MAX: usize = 64 << 10;
/// What is shown in place of a token.
pub const HIDDEN_TOKEN: &str = "<hidden>";

/// A prepared query.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PreparedQuery {
    /// UUID text.
    pub id: Str,
    /// Name, or what names begin with for a template.
    pub name: Str,
    /// Session that it ends with, `""` for none.
    pub session: Str,
    /// Token used instead of the caller's.
    pub token: SecretToken,
    /// How it is made from a name.
    pub template: QueryTemplate,
    /// What it looks for.
    pub service: QueryService,
    /// TTL of DNS answers as it was written, `""` for that of the service.
    pub dns_ttl: Str,
    /// The same, nanoseconds.
    pub dns_ttl_ns: i64,
    /// Indexes.
    pub index: RaftIndex,
}

/// How a query is made from a name.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueryTemplate {
    /// [`NAME_PREFIX_MATCH`], or `""` for no template.
    pub kind: Str,
    /// Regular expression over the whole name, for `match(N)`.
    pub regexp: Str,
    /// Leave out tags that come out empty.
    pub remove_empty_tags: bool,
}

/// What a query looks for.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueryService {
    /// Service.
    pub service: Str,
    /// Unused here.
    pub sameness_group: Str,
    /// Where to look when there is nothing here.
    pub failover: QueryFailover,
    /// Leave out instances with warnings, too.
    pub only_passing: bool,
    /// Checks that do not count.
    pub ignore_check_ids: Option<Vec<Str>>,
    /// Sort by distance from this node, `_agent` or `_ip`.
    pub near: Str,
    /// All must be there; with `!` must not.
    pub tags: Option<Vec<Str>>,
    /// All must match the node's metadata.
    pub node_meta: Option<Map>,
    /// All must match the instance's metadata.
    pub service_meta: Option<Map>,
    /// Instances that stand for the service in the mesh.
    pub connect: bool,
    /// Peer that the instances were imported from.
    pub peer: Str,
}

/// Where to look when there is nothing here.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueryFailover {
    /// So many of the nearest datacenters.
    pub nearest_n: i64,
    /// Then these.
    pub datacenters: Option<Vec<Str>>,
    /// Or these, in order.
    pub targets: Option<Vec<FailoverTarget>>,
}

/// A place to look at.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailoverTarget {
    /// Peer, `""` for none.
    pub peer: Str,
    /// Datacenter, `""` for the own one.
    pub datacenter: Str,
}

impl QueryFailover {
    /// Whether there is anywhere to look.
    pub fn is_empty(&self) -> bool {
        let none = |list: Option<usize>| list.unwrap_or(0) == 0;
        self.nearest_n == 0
            && none(self.datacenters.as_ref().map(Vec::len))
            && none(self.targets.as_ref().map(Vec::len))
    }
}

impl PreparedQuery {
    /// Whether it is a template.
    pub fn is_template(&self) -> bool {
        !self.template.kind.is_empty()
    }

    fn texts(&self) -> impl Iterator<Item = &Str> {
        let s = &self.service;
        let single = [&self.name, &self.session, &self.dns_ttl, &self.template.kind, &self.template.regexp];
        let of_service = [&s.service, &s.sameness_group, &s.near, &s.peer];
        let lists = [&s.failover.datacenters, &s.ignore_check_ids, &s.tags];
        let listed = lists.into_iter().flat_map(|list| list.iter().flatten());
        let targets = s.failover.targets.iter().flatten().flat_map(|t| [&t.peer, &t.datacenter]);
        let maps = [&s.node_meta, &s.service_meta].into_iter().flat_map(|map| map.iter().flatten());
        let meta = maps.flat_map(|(key, value)| [key, value]);
        single.into_iter().chain(of_service).chain(listed).chain(targets).chain(meta)
    }

    /// What is wrong with it by itself, as clients are told. `bad_ttl`: why the TTL is no duration.
    ///
    /// # Errors
    /// The text.
    pub fn check(&self, bad_ttl: Option<&str>) -> Result<(), Str> {
        let text = self.first_fault(bad_ttl).map_or(Ok(()), Err);
        text.map_err(|why| Str::from(format!("Invalid prepared query: {why}")))
    }

    fn first_fault(&self, bad_ttl: Option<&str>) -> Option<String> {
        let service = &self.service;
        let failover = &service.failover;
        if self.name.len() > NAME_MAX {
            return Some(format!("Name has {} bytes, at most {NAME_MAX} are allowed", self.name.len()));
        }
        let bytes = self.texts().map(|text| text.len()).sum::<usize>();
        if bytes > TEXTS_MAX {
            return Some(format!("it has {bytes} bytes of text, at most {TEXTS_MAX} are allowed"));
        }
        if self.name.is_empty() && !self.is_template() && self.session.is_empty() {
            return Some("Must be bound to a session".to_owned());
        }
        if self.token.expose() == HIDDEN_TOKEN {
            return Some(format!(
                "Bad Token '{HIDDEN_TOKEN}', it looks like a query definition with a redacted token was submitted"
            ));
        }
        if service.service.is_empty() {
            return Some("Must provide a Service name to query".to_owned());
        }
        if failover.nearest_n < 0 {
            return Some(format!("Bad NearestN '{}', must be >= 0", failover.nearest_n));
        }
        let listed = failover.datacenters.as_ref().is_some_and(|l| !l.is_empty());
        if failover.targets.as_ref().is_some_and(|l| !l.is_empty()) && (failover.nearest_n != 0 || listed) {
            return Some("Targets cannot be populated with NearestN or Datacenters".to_owned());
        }
        for meta in [&service.node_meta, &service.service_meta].into_iter().flatten() {
            if let Err(e) = validate::metadata(meta, false) {
                return Some(e.to_string());
            }
        }
        if let Some(why) = bad_ttl {
            return Some(format!("Bad DNS TTL '{}': {why}", self.dns_ttl));
        }
        (self.dns_ttl_ns < 0).then(|| format!("DNS TTL '{}', must be >=0", self.dns_ttl_ns))
    }
}

/// What is to be executed.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum ExecuteTarget {
    /// A query by id or name.
    Named(Str),
    /// A query that another datacenter has found and made: no failover from here. The codec's form of it, because queries
    /// are not kept by what they ask for.
    Rendered(Vec<u8>),
}

/// One execution.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Execute {
    /// Which query.
    pub target: ExecuteTarget,
    /// Only say what the query is.
    pub explain: bool,
    /// Most instances, 0 for all.
    pub limit: u64,
    /// Instances that stand for the service in the mesh, whatever the query says.
    pub connect: bool,
    /// Sort by distance from this node, whatever the query says; `_agent` and `_ip` as there.
    pub near: Str,
    /// Node that `_agent` means.
    pub agent: Str,
    /// Address that `_ip` means.
    pub source: Option<IpAddr>,
    /// Order of instances of unknown distance; 0 leaves it alone.
    pub seed: u64,
}

impl Execute {
    /// An execution without any option.
    pub fn new(target: ExecuteTarget) -> Self {
        Self {
            target,
            explain: false,
            limit: 0,
            connect: false,
            near: Str::default(),
            agent: Str::default(),
            source: None,
            seed: 0,
        }
    }
}

/// What came of it.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct Executed {
    /// The query as it was made from the name; `None`: there is none.
    pub query: Option<Arc<PreparedQuery>>,
    /// Why it cannot be executed, `""` if it can.
    pub error: Str,
    /// Instances.
    pub nodes: Vec<CheckServiceNode>,
    /// They are sorted by distance.
    pub sorted: bool,
    /// Where they are from.
    pub datacenter: Str,
    /// Peer that they were imported from.
    pub peer: Str,
    /// Other places that were looked at.
    pub failovers: u32,
}

impl Executed {
    /// Whether a failover could help.
    pub fn wants_failover(&self) -> bool {
        self.error.is_empty()
            && self.nodes.is_empty()
            && self.query.as_ref().is_some_and(|q| !q.service.failover.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused() {
        let service = QueryService { service: "web".into(), ..QueryService::default() };
        let query = PreparedQuery { name: "n".repeat(NAME_MAX).into(), service, ..PreparedQuery::default() };
        assert_eq!(query.check(None), Ok(()));
        let name = PreparedQuery { name: "n".repeat(NAME_MAX + 1).into(), ..query.clone() };
        assert_eq!(
            name.check(None),
            Err("Invalid prepared query: Name has 1025 bytes, at most 1024 are allowed".into())
        );
        let mut tags = query;
        tags.service.tags = Some(vec!["t".repeat(1000).into(); 65]);
        assert_eq!(
            tags.check(None),
            Err("Invalid prepared query: it has 66027 bytes of text, at most 65536 are allowed".into())
        );
    }
}
