//! The asynchronous path: questions that need another server, a host name, or a recursor.

use crate::{recursor, server::Shared};
use dns::{
    Chased, Context, DnsConfig, Lookup, Name, Outcome, OwnedData, OwnedRecord, Parsed, Plan, Request, Source,
    Transport, View, answer, chased_records, parse, plan, plan_name, rtype,
};
use runtime::BoxFuture;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::time::timeout;

/// Names that an alias may lead through.
const CHASE_DEPTH_MAX: usize = 3;
/// Longest time for one question to the catalog; clients give up earlier.
const LOOKUP: Duration = Duration::from_secs(10);

/// The answer to a packet, `None` if it deserves none.
pub(crate) async fn resolve(
    shared: &Arc<Shared>,
    packet: &[u8],
    transport: Transport,
    seed: u64,
) -> Option<Vec<u8>> {
    let Parsed::Question(request) = parse(packet, transport) else { return None };
    let config = shared.config.load_full();
    let ctx = Context { zone: &shared.zone, config: &config, now: shared.now(), seed, chased: None };
    let plan = plan(&request, &shared.zone, &config);
    let view = match &plan {
        Plan::Lookup(lookup) => look_up(shared, lookup, &config).await,
        Plan::Forward => return Some(forward(shared, packet, &request, &ctx).await),
        fixed => return Some(write(shared, &request, Source::Plan(fixed), &ctx).0),
    };
    if matches!(view, View::Reverse(None)) && !config.recursors.is_empty() {
        return Some(forward(shared, packet, &request, &ctx).await);
    }
    let (bytes, outcome) = write(shared, &request, Source::View(&view), &ctx);
    let Outcome::Chase(hosts) = outcome else { return Some(bytes) };
    let mut chased = Chased::new();
    for host in hosts {
        let found = chase(shared, &config, host.clone(), CHASE_DEPTH_MAX, seed).await;
        chased.insert(host, found);
    }
    let ctx = Context { chased: Some(&chased), ..ctx };
    Some(write(shared, &request, Source::View(&view), &ctx).0)
}

fn write(
    shared: &Arc<Shared>,
    request: &Request<'_>,
    source: Source<'_>,
    ctx: &Context<'_>,
) -> (Vec<u8>, Outcome) {
    let mut out = Vec::with_capacity(512);
    let outcome = shared.with_names(|names| answer(request, source, ctx, names, &mut out));
    (out, outcome)
}

async fn forward(shared: &Arc<Shared>, packet: &[u8], request: &Request<'_>, ctx: &Context<'_>) -> Vec<u8> {
    shared.counters.recursed.fetch_add(1, Relaxed);
    match recursor::forward(shared.net.as_ref(), packet, request.transport(), ctx.config, ctx.seed).await {
        Some(reply) => reply,
        None => write(shared, request, Source::Plan(&Plan::Forward), ctx).0,
    }
}

async fn look_up(shared: &Shared, lookup: &Lookup, config: &DnsConfig) -> View {
    let result = match shared.query.query_now(&lookup.query, &lookup.options) {
        Some(result) => result,
        None => match timeout(LOOKUP, shared.query.query(lookup.query.clone(), lookup.options.clone())).await
        {
            Ok(result) => result,
            Err(_elapsed) => return View::Failed,
        },
    };
    if let Err(error) = &result {
        tracing::debug!(%error, "DNS lookup failed");
    }
    View::new(lookup, result.map(|r| r.result), &shared.zone, config)
}

/// Records that a host name leads to; failures leave the alias alone.
fn chase<'a>(
    shared: &'a Arc<Shared>,
    config: &'a DnsConfig,
    host: Name,
    depth: usize,
    seed: u64,
) -> BoxFuture<'a, Vec<OwnedRecord>> {
    Box::pin(async move {
        let ctx = Context { zone: &shared.zone, config, now: 0, seed, chased: None };
        let mut records = match plan_name(host.wire(), rtype::ANY, &shared.zone, config) {
            Plan::Forward => return recursor::addresses(shared.net.as_ref(), &host, config, seed).await,
            Plan::Lookup(lookup) => {
                let view = look_up(shared, &lookup, config).await;
                chased_records(&host, Source::View(&view), &ctx)
            }
            fixed => chased_records(&host, Source::Plan(&fixed), &ctx),
        };
        let alias = records.iter().position(|r| matches!(r.data, OwnedData::Cname(_)));
        if let Some(at) = alias
            && depth > 1
            && let OwnedData::Cname(next) = &records[at].data
        {
            let further = chase(shared, config, next.clone(), depth - 1, seed).await;
            records.splice(at + 1..at + 1, further);
        }
        records
    })
}
