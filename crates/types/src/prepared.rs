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
