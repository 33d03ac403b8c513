//! `/v1/internal/federation-state*`: mesh gateways of the datacenters.

use crate::reply::Reply;
use crate::{
    context::Ctx,
    error::HttpError,
    options::{Family, query_options},
    read::{Read, Shape},
};
use bytes::Bytes;
use runtime::BoxFuture;
use serde_json::{Value, json};
use std::time::Duration;
use types::query::Query;

/// `/v1/operator/federation`: how a server sees the other datacenters. Not in Consul.
pub(crate) fn view<'a>(ctx: &'a Ctx<'a>, _body: Bytes) -> BoxFuture<'a, Result<Reply, HttpError>> {
    Box::pin(async move {
        let view = ctx.agent().federation(ctx.datacenter().as_deref(), ctx.params.has("stale")).await?;
        let ms = |d: Option<Duration>| d.map(|d| (d.as_secs_f64() * 1e5).round() / 100.0);
        let gateway = |g: &rpc::message::GatewayView| {
            json!({
                "Address": g.address, "Tier": g.tier, "Servers": g.carries, "Failures": g.failures,
                "WorkedMsAgo": ms(g.worked_ago), "LastError": g.last_error,
            })
        };
        let datacenter = |d: &rpc::message::DatacenterView| {
            json!({
                "Name": d.name, "Servers": d.servers, "Alive": d.alive, "Reachable": d.reachable,
                "RoundTripMs": ms(d.round_trip), "AnsweredMsAgo": ms(d.answered_ago), "LastError": d.last_error,
                "Gateways": d.gateways.iter().map(gateway).collect::<Vec<_>>(),
            })
        };
        let replication = |r: &rpc::message::ReplicationView| {
            json!({
                "Kind": r.kind, "Healthy": r.healthy, "Index": r.index, "LagMs": ms(r.lag), "LastError": r.last_error,
            })
        };
        let shown: Value = json!({
            "Datacenter": view.datacenter, "PrimaryDatacenter": view.primary, "Node": view.node,
            "ThroughMeshGateways": view.through_gateways,
            "Datacenters": view.datacenters.iter().map(datacenter).collect::<Vec<_>>(),
            "Replication": view.replication.iter().map(replication).collect::<Vec<_>>(),
        });
        Ok(Reply::json(shown.to_string()))
    })
}

pub(crate) fn states(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(Read::plain(Query::FederationStates, query_options(ctx, Family::Other)?))
}

pub(crate) fn gateways(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    Ok(Read { shape: Shape::Gateways, ..states(ctx)? })
}

pub(crate) fn state(ctx: &Ctx<'_>) -> Result<Read, HttpError> {
    if ctx.tail.is_empty() {
        return Err(HttpError::bad_request("Missing datacenter name"));
    }
    let options = query_options(ctx, Family::Other)?;
    Ok(Read::plain(Query::FederationState { datacenter: ctx.tail.into() }, options))
}
