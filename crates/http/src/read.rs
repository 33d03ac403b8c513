//! Reads of the replicated state: what to ask, how to show it, and the way from one to the other.

use crate::{
    answers::AnswerKey,
    error::HttpError,
    reply::{Content, MetaHeaders, Reply},
    server::Shared,
};
use bytes::Bytes;
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use types::{
    RequestError, Str,
    query::{Consistency, Query, QueryOptions, QueryResponse, QueryResult},
};

/// How a result is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Shape {
    /// The only form of the result.
    Plain,
    /// `NodeServices` as `{"Node":…,"Services":[…]}`.
    NodeList,
    /// The value alone.
    KvRaw,
    /// Certificates one after another.
    Pem,
    /// The places of one node: none is a 404, which says of itself only what `tells` allows.
    CoordinateNode {
        /// Whether it shows the headers of a query's answer.
        tells: bool,
    },
    /// Federation states as a map from datacenter to gateways.
    Gateways,
}

/// One read.
pub(crate) struct Read {
    pub(crate) query: Query,
    pub(crate) options: QueryOptions,
    pub(crate) shape: Shape,
    /// Say which consistency was effective.
    pub(crate) effective: bool,
    /// Show the headers of a query's answer.
    pub(crate) meta: bool,
    /// Show them also when the read fails.
    pub(crate) meta_on_error: bool,
    /// Keep the encoded answer.
    pub(crate) keep: bool,
    /// Answer from the agent's own cache.
    pub(crate) cached: Option<CacheControl>,
    /// An empty key list is a 404.
    pub(crate) empty_is_missing: bool,
    /// Show WAN addresses.
    pub(crate) wan_addrs: bool,
}

/// `Cache-Control` of a request that may be answered from the agent's cache.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct CacheControl {
    /// Oldest acceptable answer.
    pub(crate) max_age: Option<Duration>,
    /// How old an answer may be when the servers cannot be asked.
    pub(crate) stale_if_error: Duration,
}

impl Read {
    /// A read of catalog or health.
    pub(crate) fn discovery(query: Query, options: QueryOptions) -> Self {
        // The order by distance moves without a change of what is listed, so it is not kept.
        let keep = options.near.is_empty();
        Self { effective: true, keep, meta_on_error: true, ..Self::plain(query, options) }
    }
    /// Any other read.
    pub(crate) fn plain(query: Query, options: QueryOptions) -> Self {
        Self {
            query,
            options,
            shape: Shape::Plain,
            effective: false,
            meta: true,
            meta_on_error: false,
            keep: false,
            cached: None,
            empty_is_missing: false,
            wan_addrs: false,
        }
    }

    /// Turns a failure into an answer.
    pub(crate) fn fail(&self, e: RequestError) -> Reply {
        let mut reply = Reply::from(HttpError::from(e));
        if self.meta_on_error {
            reply.meta = Some(MetaHeaders::FAILED);
        }
        reply
    }

    /// Turns a result into an answer.
    pub(crate) fn show(&self, response: &QueryResponse) -> Reply {
        let (status, content, body) = match self.wan_addrs {
            true => self.encode(&crate::wan_addrs::translate(response.result.clone())),
            false => self.encode(&response.result),
        };
        let mut reply = Reply::new(status, content, body);
        let silent = status == StatusCode::NOT_FOUND && self.shape == Shape::CoordinateNode { tells: false };
        reply.meta = self.headers(response.meta).filter(|_| !silent);
        if self.shape == Shape::KvRaw && status == StatusCode::OK {
            reply =
                reply.with("x-content-type-options", "nosniff").with("content-security-policy", "sandbox");
        }
        reply
    }

    fn headers(&self, mut meta: types::query::QueryMeta) -> Option<MetaHeaders> {
        // What the caller asked for is what is shown: a stale read that the leader answered is still "stale".
        meta.consistency = self.options.consistency;
        self.meta.then(|| MetaHeaders {
            meta,
            effective: self.effective,
            filtered: meta.filtered_by_acls && !self.options.token.is_empty(),
        })
    }

    fn encode(&self, result: &QueryResult) -> (StatusCode, Content, Bytes) {
        use api::encode as e;
        const MISSING: (StatusCode, Content, Bytes) = (StatusCode::NOT_FOUND, Content::None, Bytes::new());
        let mut out = Vec::new();
        match (self.shape, result) {
            (_, QueryResult::Nodes(list)) => e::nodes(&mut out, list.iter().map(Arc::as_ref)),
            (_, QueryResult::Services(map)) => {
                e::string_lists(&mut out, map.iter().map(|(k, v)| (k.as_str(), v.as_slice())));
            }
            (_, QueryResult::ServiceNodes(rows)) => e::service_nodes(&mut out, rows),
            (shape, QueryResult::NodeServices(found)) => {
                let found = found.as_ref().map(|(n, s)| (&**n, s.as_slice()));
                if shape == Shape::NodeList {
                    e::node_services_list(&mut out, found);
                } else {
                    e::node_services_map(&mut out, found);
                }
            }
            (_, QueryResult::Checks(list)) => e::checks(&mut out, list.iter().map(Arc::as_ref)),
            (_, QueryResult::ServiceHealth(rows)) => e::check_service_nodes(&mut out, rows),
            (_, QueryResult::Kv(None)) => return MISSING,
            (Shape::KvRaw, QueryResult::Kv(Some(entry))) => {
                return (StatusCode::OK, Content::Other("text/plain"), entry.value.clone());
            }
            (_, QueryResult::Kv(Some(entry))) => {
                out.reserve(entry.value.len() * 4 / 3 + entry.key.len() + 128);
                e::kv_entries(&mut out, [&**entry]);
            }
            (_, QueryResult::KvList(list)) => {
                if list.is_empty() {
                    return MISSING;
                }
                e::kv_entries(&mut out, list.iter().map(Arc::as_ref));
            }
            (_, QueryResult::KvKeys(keys)) => {
                if keys.is_empty() && self.empty_is_missing {
                    return MISSING;
                }
                e::strings(&mut out, keys);
            }
            (Shape::Pem, QueryResult::CaRoots(roots)) => {
                e::ca_pem(&mut out, roots);
                return (StatusCode::OK, Content::Other("application/pem-certificate-chain"), out.into());
            }
            (_, QueryResult::CaConfig(Some(config))) => e::ca_config(&mut out, config),
            (_, QueryResult::CaConfig(None)) => {
                let text = b"the certificate authority is not initialized yet, try again later";
                return (StatusCode::INTERNAL_SERVER_ERROR, Content::Text, Bytes::from_static(text));
            }
            (_, QueryResult::CaRoots(roots)) => e::ca_roots(&mut out, roots),
            (_, QueryResult::Autopilot(config, index)) => e::autopilot_config(&mut out, config, *index),
            (_, QueryResult::ConfigEntry(None)) => {
                let text = match &self.query {
                    Query::ConfigEntry { kind, name, .. } => {
                        format!("Config entry not found for \"{kind}\" / {}", api::decode::quote(name))
                    }
                    _ => String::new(),
                };
                return (StatusCode::NOT_FOUND, Content::Text, text.into());
            }
            (_, QueryResult::ConfigEntry(Some(entry))) => api::entry::encode(&mut out, entry),
            (_, QueryResult::ConfigEntries(list)) => {
                api::entry::encode_list(&mut out, list.iter().map(Arc::as_ref));
            }
            (_, QueryResult::GatewayServices(rows)) => e::gateway_services(&mut out, rows),
            (Shape::Gateways, QueryResult::FederationStates(list)) => e::federation_gateways(&mut out, list),
            (_, QueryResult::FederationStates(list)) => e::federation_states(&mut out, list),
            (_, QueryResult::Sessions(list)) => e::sessions(&mut out, list.iter().map(Arc::as_ref)),
            (Shape::CoordinateNode { .. }, QueryResult::Coordinates(rows)) if rows.is_empty() => {
                return MISSING;
            }
            (_, QueryResult::Coordinates(rows)) => e::coordinates(&mut out, rows),
            (_, QueryResult::FederationState(None)) => return MISSING,
            (_, QueryResult::FederationState(Some(state))) => e::federation_state(&mut out, state),
            (_, other) => {
                // The servers answered a question that was not asked.
                tracing::error!(query = ?self.query, answer = ?std::mem::discriminant(other), "answer does not fit the query");
                let text = Bytes::from_static(b"rpc error: malformed message: unexpected answer");
                return (StatusCode::INTERNAL_SERVER_ERROR, Content::Text, text);
            }
        }
        (StatusCode::OK, Content::Json, out.into())
    }

    /// The question, for caches.
    pub(crate) fn key(&self) -> AnswerKey<'_> {
        AnswerKey { query: &self.query, options: &self.options, shape: self.shape }
    }
}

/// What [`begin`] found.
pub(crate) enum Begun {
    /// The answer.
    Done(Reply),
    /// The servers have to be asked; the version that the answer will at least have.
    Ask(Option<u64>),
}

/// Answers without waiting if that is possible.
pub(crate) fn begin(server: &Shared, read: &Read, wants_gzip: bool) -> Begun {
    let version = if read.keep { server.query.version_now(&read.query, &read.options) } else { None };
    if let Some(version) = version
        && let Some(answer) = server.answers.get(&read.key(), version)
        && answer.meta.index > read.options.min_index
        && fresh_meta(read, &answer)
    {
        return Begun::Done(kept(read, &answer, wants_gzip));
    }
    if read.options.min_index == 0
        && let Some(result) = server.query.query_now(&read.query, &read.options)
    {
        return Begun::Done(finish(server, read, result, version, wants_gzip));
    }
    Begun::Ask(version)
}

/// Asks the servers, waiting as long as the options say.
pub(crate) async fn ask(server: &Shared, read: &Read, version: Option<u64>, wants_gzip: bool) -> Reply {
    let result = server.query.query(read.query.clone(), read.options.clone()).await;
    // After a wait, the version that was current before it says nothing about the answer.
    let version = version.filter(|_| read.options.min_index == 0);
    finish(server, read, result, version, wants_gzip)
}

fn finish(
    server: &Shared,
    read: &Read,
    result: Result<QueryResponse, RequestError>,
    version: Option<u64>,
    wants_gzip: bool,
) -> Reply {
    let response = match result {
        Ok(r) => r,
        Err(e) => return read.fail(e),
    };
    if !read.keep {
        return read.show(&response);
    }
    // Everyone who waited for the same change gets the bytes that the first of them made.
    if read.options.min_index > 0
        && let Some(answer) = server.answers.get_index(&read.key(), response.meta.index)
    {
        return Reply { meta: read.headers(response.meta), ..kept(read, &answer, wants_gzip) };
    }
    let reply = read.show(&response);
    if reply.status == StatusCode::OK
        && let crate::reply::ReplyBody::Bytes(body) = &reply.body
    {
        let answer = server.answers.put(&read.key(), version, response.meta, body.clone());
        if wants_gzip {
            return Reply { gzip: answer.gzip(), ..reply };
        }
    }
    reply
}

/// A follower's distance from the leader is part of a stale answer, so a kept one serves only while that is news.
fn fresh_meta(read: &Read, answer: &crate::answers::Answer) -> bool {
    read.options.consistency != Consistency::Stale
        || answer.made.elapsed() < Duration::from_millis(50)
        || answer.meta.last_contact.is_zero()
}

fn kept(read: &Read, answer: &crate::answers::Answer, wants_gzip: bool) -> Reply {
    let mut reply = Reply::json(answer.body.clone());
    reply.meta = read.headers(answer.meta);
    if wants_gzip {
        reply.gzip = answer.gzip();
    }
    reply
}

/// A parameter as a peer name.
pub(crate) fn peer(ctx: &crate::context::Ctx<'_>) -> types::PeerName {
    types::PeerName::new(ctx.params.get("peer"))
}

/// Every value of `tag`.
pub(crate) fn tags(ctx: &crate::context::Ctx<'_>) -> Vec<Str> {
    ctx.params.all("tag").filter(|t| !t.is_empty()).map(Str::new).collect()
}
