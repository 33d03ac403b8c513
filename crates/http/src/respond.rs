//! Turning an answer into a response: default headers, indentation, compression.

use crate::{
    HttpConfig,
    reply::{Content, MetaHeaders, Reply, ReplyBody},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use std::io::Write as _;
use types::query::Consistency;

/// Bodies below this many bytes are never compressed.
const GZIP_MIN: usize = 1400;

const DEFAULT_ACL_POLICY: HeaderName = HeaderName::from_static("x-consul-default-acl-policy");
const TRANSLATE_ADDRESSES: HeaderName = HeaderName::from_static("x-consul-translate-addresses");
const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-consul-lastcontact");
const EFFECTIVE: HeaderName = HeaderName::from_static("x-consul-effective-consistency");
const BACKEND: HeaderName = HeaderName::from_static("x-consul-query-backend");
const FILTERED: HeaderName = HeaderName::from_static("x-consul-results-filtered-by-acls");

/// What the client asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wants {
    pub(crate) pretty: bool,
    pub(crate) gzip: bool,
}

/// An answer of the API as a response.
pub(crate) fn api_response(reply: Reply, wants: Wants, config: &HttpConfig) -> Response<ReplyBody> {
    let Reply { status, content, body, meta, extra, gzip } = reply;
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(DEFAULT_ACL_POLICY, policy(&config.acl_default_policy));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if config.translate_wan_addrs {
        headers.insert(TRANSLATE_ADDRESSES, HeaderValue::from_static("true"));
    }
    if let Some(ct) = content_type(content) {
        headers.insert(header::CONTENT_TYPE, ct);
    }
    if let Some(meta) = meta {
        meta_headers(&mut headers, &meta);
    }
    for (name, value) in extra {
        headers.insert(name, value);
    }
    user_headers(&mut headers, config);
    let pretty = wants.pretty && content == Content::Json;
    let body = match body {
        ReplyBody::Bytes(b) => {
            let b = if pretty && !b.is_empty() { Bytes::from(api::encode::pretty(&b)) } else { b };
            if wants.gzip && b.len() >= GZIP_MIN {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                ReplyBody::Bytes(gzip.filter(|_| !pretty).unwrap_or_else(|| compress(&b)))
            } else {
                ReplyBody::Bytes(b)
            }
        }
        stream @ (ReplyBody::Stream(_) | ReplyBody::Whole(_)) => stream,
    };
    let mut r = Response::new(body);
    *r.status_mut() = status;
    *r.headers_mut() = headers;
    r
}

/// An answer that is not part of the API (redirects, unknown paths, the user interface): no default headers.
pub(crate) fn plain_response(reply: Reply, config: Option<&HttpConfig>) -> Response<ReplyBody> {
    let mut r = Response::new(reply.body);
    *r.status_mut() = reply.status;
    if let Some(ct) = content_type(reply.content) {
        r.headers_mut().insert(header::CONTENT_TYPE, ct);
    }
    for (name, value) in reply.extra {
        r.headers_mut().insert(name, value);
    }
    if let Some(config) = config {
        user_headers(r.headers_mut(), config);
    }
    r
}

fn user_headers(headers: &mut HeaderMap, config: &HttpConfig) {
    for (name, value) in &config.response_headers {
        if let (Ok(n), Ok(v)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
            headers.insert(n, v);
        }
    }
}

fn content_type(content: Content) -> Option<HeaderValue> {
    match content {
        Content::None => None,
        Content::Json => Some(HeaderValue::from_static("application/json")),
        Content::Text => Some(HeaderValue::from_static("text/plain; charset=utf-8")),
        Content::Other(t) => Some(HeaderValue::from_static(t)),
    }
}

fn policy(text: &str) -> HeaderValue {
    HeaderValue::from_static(if text == "deny" { "deny" } else { "allow" })
}

fn meta_headers(headers: &mut HeaderMap, m: &MetaHeaders) {
    // Clients stop reading the others when one of the first three is missing, and 0 means "do not block" to them.
    headers.insert(INDEX, HeaderValue::from(m.meta.index.max(1)));
    headers
        .insert(KNOWN_LEADER, HeaderValue::from_static(if m.meta.known_leader { "true" } else { "false" }));
    headers.insert(
        LAST_CONTACT,
        HeaderValue::from(u64::try_from(m.meta.last_contact.as_millis()).unwrap_or(u64::MAX)),
    );
    headers.insert(BACKEND, HeaderValue::from_static("blocking-query"));
    if m.effective {
        headers.insert(
            EFFECTIVE,
            HeaderValue::from_static(match m.meta.consistency {
                Consistency::Default => "leader",
                Consistency::Consistent => "consistent",
                Consistency::Stale => "stale",
            }),
        );
    }
    if m.filtered {
        headers.insert(FILTERED, HeaderValue::from_static("true"));
    }
}

/// The gzip form of `body`.
pub(crate) fn compress(body: &[u8]) -> Bytes {
    let mut gz = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing to a vector cannot fail.
    let done = gz.write_all(body).and_then(|()| gz.finish());
    Bytes::from(done.unwrap_or_default())
}

/// Whether `Accept-Encoding` names gzip with a weight above zero.
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).any(|v| {
        v.split(',').any(|part| {
            let mut fields = part.split(';').map(str::trim);
            let name = fields.next().unwrap_or("");
            let zero = fields.any(|f| {
                f.strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
            });
            (name.eq_ignore_ascii_case("gzip") || name == "*") && !zero
        })
    })
}
