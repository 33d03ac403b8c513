//! Execution of prepared queries: here first, then wherever the query says that there may be more.

use super::Service;
use types::{
    DatacenterName, PeerName, Str, codec,
    prepared::{Execute, ExecuteTarget, Executed, FailoverTarget, PreparedQuery},
    query::{Query, QueryOptions, QueryResponse, QueryResult},
};

/// Other places that one execution looks at; what a query lists beyond that is left out.
const FAILOVERS_MAX: usize = 32;

impl Service {
    /// Whether this agent is the one that looks further: a server of the datacenter that was asked first.
    pub(super) fn fails_over(&self, asked: &Execute, options: &QueryOptions) -> bool {
        self.server.is_some()
            && self.is_own(options.datacenter.as_deref())
            && !asked.explain
            && matches!(asked.target, ExecuteTarget::Named(_))
    }

    /// Completes an answer of this datacenter, from others if it is empty.
    pub(super) async fn executed(
        &self,
        asked: Execute,
        options: QueryOptions,
        mut response: QueryResponse,
        fails_over: bool,
    ) -> QueryResponse {
        let QueryResult::Executed(found) = &mut response.result else { return response };
        if self.server.is_some() && self.is_own(options.datacenter.as_deref()) && found.datacenter.is_empty()
        {
            found.datacenter = self.config.datacenter.0.clone();
        }
        if fails_over && found.wants_failover() {
            self.look_further(&asked, &options, found).await;
        }
        response
    }

    async fn look_further(&self, asked: &Execute, options: &QueryOptions, found: &mut Executed) {
        let Some(query) = found.query.clone() else { return };
        for target in self.places(&query) {
            found.failovers += 1;
            let there = PreparedQuery::clone(&query);
            match self.look_at(asked, options, there, &target).await {
                Ok(Some(more)) if !more.nodes.is_empty() => {
                    found.nodes = more.nodes;
                    found.sorted = false;
                    found.datacenter = more.datacenter;
                    found.peer = target.peer;
                    return;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(datacenter = %target.datacenter, peer = %target.peer, %error, "failover of a prepared query passed over");
                }
            }
        }
    }

    async fn look_at(
        &self,
        asked: &Execute,
        options: &QueryOptions,
        mut query: PreparedQuery,
        target: &FailoverTarget,
    ) -> Result<Option<Executed>, String> {
        query.service.peer = target.peer.clone();
        // Over there nobody knows the node that is near here.
        query.service.near = Str::default();
        let rendered = codec::encode(&query).map_err(|e| e.to_string())?;
        let asked =
            Execute { near: Str::default(), target: ExecuteTarget::Rendered(rendered), ..asked.clone() };
        let datacenter = Some(DatacenterName(target.datacenter.clone()))
            .filter(|dc| !dc.is_empty() && PeerName::new(&target.peer).is_local());
        let options = QueryOptions { datacenter, ..options.clone() };
        let once = self.query_once(Query::Execute(Box::new(asked)), options.clone());
        let mut response = Box::pin(once).await.map_err(|e| e.to_string())?;
        let QueryResult::Executed(found) = &mut response.result else { return Ok(None) };
        if found.datacenter.is_empty() {
            let own = &self.config.datacenter;
            found.datacenter = options.datacenter.as_ref().unwrap_or(own).0.clone();
        }
        Ok(Some(std::mem::take(&mut **found)))
    }

    /// Where a query looks when there is nothing here, in order, each once.
    fn places(&self, query: &PreparedQuery) -> Vec<FailoverTarget> {
        let failover = &query.service.failover;
        if let Some(targets) = failover.targets.as_ref().filter(|t| !t.is_empty()) {
            return targets.iter().take(FAILOVERS_MAX).cloned().collect();
        }
        let known = self.datacenters.by_distance();
        let others = known.get(1..).unwrap_or_default();
        let nearest = usize::try_from(failover.nearest_n).unwrap_or(0);
        let mut places: Vec<Str> = others.iter().take(nearest).map(|dc| dc.0.clone()).collect();
        for dc in failover.datacenters.iter().flatten() {
            let dc = types::names::fold(dc);
            if !others.iter().any(|o| o.folded() == dc) {
                tracing::debug!(datacenter = %dc, "failover to an unknown datacenter passed over");
            } else if !places.contains(&dc) {
                places.push(dc);
            }
        }
        let target = |datacenter| FailoverTarget { datacenter, ..FailoverTarget::default() };
        places.into_iter().take(FAILOVERS_MAX).map(target).collect()
    }
}
