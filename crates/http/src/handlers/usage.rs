//! `/v1/operator/usage`: how much of everything there is, counted from the catalog's own answers.

use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    reply::{MetaHeaders, Reply},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use runtime::BoxFuture;
use serde_json::{Map, Value, json};
use types::{
    DatacenterName, PeerName, RequestError, ServiceName, Str, Tenancy,
    query::{Consistency, Query, QueryMeta, QueryOptions, QueryResponse, QueryResult, ServiceLookup},
    record::{NodeService, ServiceKind},
};

/// Services asked for at a time.
const ASKED_AT_ONCE: usize = 16;
/// The servers' own service: nobody is billed for it.
const OWN_SERVICE: &str = "consul";

/// Counts of one datacenter.
#[derive(Default, PartialEq, Eq, Debug)]
struct Usage {
    nodes: u64,
    services: u64,
    instances: u64,
    billable: u64,
    native: u64,
    proxies: u64,
    mesh_gateways: u64,
    terminating_gateways: u64,
    ingress_gateways: u64,
    api_gateways: u64,
}

impl Usage {
    fn add(&mut self, s: &NodeService) {
        self.instances += 1;
        self.native += u64::from(s.connect.native);
        match s.kind {
            ServiceKind::Typical => self.billable += u64::from(s.service.as_str() != OWN_SERVICE),
            ServiceKind::ConnectProxy => self.proxies += 1,
            ServiceKind::MeshGateway => self.mesh_gateways += 1,
            ServiceKind::TerminatingGateway => self.terminating_gateways += 1,
            ServiceKind::IngressGateway => self.ingress_gateways += 1,
            ServiceKind::ApiGateway => self.api_gateways += 1,
            ServiceKind::Other(_) => {}
        }
    }

    fn json(&self) -> Value {
        json!({
            "Services": self.services,
            "ServiceInstances": self.instances,
            "ConnectServiceInstances": {
                "api-gateway": self.api_gateways, "connect-native": self.native, "connect-proxy": self.proxies,
                "ingress-gateway": self.ingress_gateways, "mesh-gateway": self.mesh_gateways,
                "terminating-gateway": self.terminating_gateways,
            },
            "BillableServiceInstances": self.billable,
            "Nodes": self.nodes,
        })
    }
}

pub(crate) fn usage<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let mut options = query_options(ctx, Family::Other)?;
        options.filter = None;
        options.node_meta = Vec::new();
        options.near = Str::default();
        let all = if ctx.params.has("global") { ctx.agent().datacenters().await? } else { Vec::new() };
        let (first, mut meta) = count(ctx, &options).await?;
        let asked = options.datacenter.as_ref().map_or(ctx.config.datacenter.as_str(), |dc| dc.as_str());
        let mut usage = Map::from_iter([(asked.to_owned(), first.json())]);
        for dc in all.iter().filter(|dc| ***dc != *asked) {
            let own = dc.eq_ignore_ascii_case(&ctx.config.datacenter);
            let there = QueryOptions {
                datacenter: (!own).then(|| DatacenterName::from(dc.clone())),
                min_index: 0,
                ..options.clone()
            };
            let (counts, its) = count(ctx, &there).await?;
            usage.insert(dc.to_string(), counts.json());
            meta.known_leader &= its.known_leader;
            meta.last_contact = meta.last_contact.max(its.last_contact);
            meta.filtered_by_acls |= its.filtered_by_acls;
        }
        meta.consistency = options.consistency;
        let level = match meta.consistency {
            Consistency::Default => "leader",
            Consistency::Consistent => "consistent",
            Consistency::Stale => "stale",
        };
        let body = json!({
            "Usage": usage,
            "Index": meta.index, "LastContact": u64::try_from(meta.last_contact.as_nanos()).unwrap_or(u64::MAX),
            "KnownLeader": meta.known_leader, "ConsistencyLevel": level, "NotModified": false, "Backend": 0,
            "ResultsFilteredByACLs": meta.filtered_by_acls,
        });
        let filtered = meta.filtered_by_acls && !options.token.is_empty();
        let mut reply = Reply::json(body.to_string());
        reply.meta = Some(MetaHeaders { meta, effective: true, filtered });
        Ok(reply)
    })
}

/// Counts one datacenter. A blocking caller waits for the services to change; the rest is then read as it is.
async fn count(ctx: &Ctx<'_>, options: &QueryOptions) -> Result<(Usage, QueryMeta), HttpError> {
    let (tenancy, peer) = (Tenancy::default(), PeerName::default());
    let query = Query::Services { tenancy: tenancy.clone(), peer: peer.clone() };
    let QueryResponse { mut meta, result: QueryResult::Services(names) } =
        ctx.server.query.query(query, options.clone()).await?
    else {
        return Err(unexpected());
    };
    let now = QueryOptions { min_index: 0, ..options.clone() };
    let query = Query::Nodes { tenancy: tenancy.clone(), peer: peer.clone() };
    let nodes = ctx.server.query.query(query, now.clone()).await?;
    let QueryResult::Nodes(list) = &nodes.result else { return Err(unexpected()) };
    meta.index = meta.index.max(nodes.meta.index);
    let mut usage = Usage { nodes: list.len() as u64, services: names.len() as u64, ..Usage::default() };
    let instances = |name: &Str| {
        let query = Query::ServiceNodes {
            tenancy: tenancy.clone(),
            peer: peer.clone(),
            service: ServiceName::new(name),
            lookup: ServiceLookup::Plain,
            tags: Vec::new(),
        };
        ctx.server.query.query(query, now.clone())
    };
    let asked: Vec<_> = names.keys().map(instances).collect();
    let mut found = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
    while let Some(response) = found.try_next().await? {
        let QueryResult::ServiceNodes(rows) = &response.result else { return Err(unexpected()) };
        rows.iter().for_each(|row| usage.add(&row.service));
    }
    drop(found);
    Ok((usage, meta))
}

fn unexpected() -> HttpError {
    RequestError::Malformed(Str::new_static("unexpected answer")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::record::ServiceConnect;

    #[test]
    fn instances_count_by_kind_and_only_ordinary_ones_are_billed() {
        let mut usage = Usage::default();
        let service = |name: &str, kind: &str| NodeService {
            service: name.into(),
            kind: ServiceKind::parse(kind),
            ..NodeService::default()
        };
        for (name, kind) in [
            ("consul", ""),
            ("web", ""),
            ("web", ""),
            ("web-proxy", "connect-proxy"),
            ("mgw", "mesh-gateway"),
            ("odd", "something-else"),
        ] {
            usage.add(&service(name, kind));
        }
        let native = ServiceConnect { native: true };
        usage.add(&NodeService { connect: native, ..service("n", "") });
        let expected =
            Usage { instances: 7, billable: 3, native: 1, proxies: 1, mesh_gateways: 1, ..Usage::default() };
        assert_eq!(usage, expected);
    }
}
