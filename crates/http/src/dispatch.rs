//! From a request to its response: the order of work is the same for every endpoint.

use crate::{
    HttpConfig,
    body::read_body,
    context::Ctx,
    error::HttpError,
    params::{Params, escapes_are_valid},
    read,
    reply::{Content, Reply, ReplyBody},
    respond::{Wants, accepts_gzip, api_response, plain_response},
    route::{BodyLimit, Handler, ReadFn, Route, Target, clean},
    server::Shared,
    ui,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use runtime::Shutdown;
use std::{borrow::Cow, net::IpAddr, sync::Arc};
use tokio::time::Instant;
use types::RequestError;

/// Answers one request.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    peer: Option<IpAddr>,
    stop: &Shutdown,
) -> Response<ReplyBody> {
    let config = shared.config.load_full();
    let (mut parts, body) = request.into_parts();
    if may_wait(&parts) {
        take_over(&mut parts);
    }
    let path = parts.uri.path();
    let Ok(decoded) = decode_path(path, config.allow_unprintable) else {
        return plain_response(Reply::new(StatusCode::BAD_REQUEST, Content::None, ""), None);
    };
    if let Some(cleaned) = clean(path) {
        return redirect(&parts.method, &cleaned, parts.uri.query());
    }
    let (route, tail) = match shared.router.find(path) {
        Target::Route { route, tail } => (route, tail),
        Target::AddSlash => return redirect(&parts.method, &format!("{path}/"), parts.uri.query()),
        Target::None if path.starts_with("/debug/pprof/") => {
            let below = path.trim_start_matches("/debug/pprof/");
            return Box::pin(ui::profiling(&config, below, parts.uri.query().unwrap_or(""), stop)).await;
        }
        Target::None => return ui::outside_the_api(&config, path, &decoded),
    };
    let begun = Instant::now();
    let tail: Cow<'_, str> =
        if tail.contains('%') { percent_decode_str(tail).decode_utf8_lossy() } else { Cow::Borrowed(tail) };
    let mut wants = Wants { pretty: config.dev_mode, gzip: accepts_gzip(&parts.headers) };
    let reply = match Params::parse(parts.uri.query().unwrap_or("")) {
        Err(_bad) => Reply::new(StatusCode::INTERNAL_SERVER_ERROR, Content::Text, ""),
        Ok(params) => {
            wants.pretty |= params.has("pretty");
            let ctx = Ctx {
                server: shared,
                config: &config,
                method: &parts.method,
                tail: &tail,
                params,
                headers: &parts.headers,
                peer,
            };
            respond(&ctx, route, &decoded, body, wants, stop).await
        }
    };
    shared.agent.request_done(route.pattern, parts.method.as_str(), begun.elapsed());
    api_response(reply, wants, &config)
}

/// Whether a request is one of those that are answered when something changes.
fn may_wait(parts: &Parts) -> bool {
    let waits = |query: &str| query.contains("index=") || query.contains("hash=");
    parts.method == Method::GET && parts.uri.query().is_some_and(waits)
}

/// Copies what a request shares with the buffer that it was read into: as long as that is in use, the connection takes another
/// one to read on, and who waits would hold two.
fn take_over(parts: &mut Parts) {
    if let Ok(uri) = parts.uri.to_string().parse() {
        parts.uri = uri;
    }
    for value in parts.headers.values_mut() {
        if let Ok(own) = HeaderValue::from_bytes(value.as_bytes()) {
            *value = own;
        }
    }
}

/// Block list, OPTIONS, method, write address, handler.
async fn respond(
    ctx: &Ctx<'_>,
    route: &'static Route,
    path: &str,
    body: Incoming,
    wants: Wants,
    stop: &Shutdown,
) -> Reply {
    if ctx.config.block_endpoints.iter().any(|prefix| path.starts_with(prefix.as_str())) {
        return HttpError::new(StatusCode::FORBIDDEN, "Endpoint is blocked by agent configuration").into();
    }
    if *ctx.method == Method::OPTIONS {
        return Reply::empty().with("allow", &route.allow());
    }
    let Some(handler) = route.handler(ctx.method) else {
        let text = format!("method {} not allowed", ctx.method);
        let refused = HttpError::new(StatusCode::METHOD_NOT_ALLOWED, text);
        return Reply::from(refused).with("allow", &route.allow_instead());
    };
    if !may_write(ctx) {
        return HttpError::new(StatusCode::FORBIDDEN, "Access is restricted").into();
    }
    if is_for_servers(route.pattern)
        && let Err(e) = ctx.agent().admit(*ctx.method != Method::GET)
    {
        return Reply::from(HttpError::from(e)).with("retry-after", RETRY_AFTER);
    }
    if !crate::handlers::tenancy::is_exempt(route.pattern, ctx.method)
        && let Err(e) = Box::pin(crate::handlers::tenancy::must_exist(ctx)).await
    {
        return e.into();
    }
    let handled = match handler {
        Handler::Now(f) => f(ctx),
        Handler::Read(f) => return read(ctx, f, wants.gzip, stop).await,
        Handler::Wait(f, limit) => {
            let (max, see) = match limit {
                BodyLimit::Default => (ctx.config.max_body, None),
                BodyLimit::Kv => (ctx.config.kv_max_value_size, Some(KV_LIMIT_PAGE)),
                BodyLimit::Txn => {
                    (ctx.config.txn_max_req_len.max(ctx.config.kv_max_value_size), Some(TXN_LIMIT_PAGE))
                }
            };
            match read_body(body, max, ctx.config.body_read_timeout, see).await {
                Ok(body) => stoppable(f(ctx, body), stop, ctx.method).await,
                Err(e) => Err(e),
            }
        }
        Handler::Upload(f) => f(ctx, body).await,
        Handler::NotBuilt(what) => Err(HttpError::not_built(what)),
        Handler::Acl if ctx.config.acl_enabled => Err(HttpError::not_built("access control lists")),
        Handler::Acl => Err(acl_disabled()),
    };
    handled.unwrap_or_else(Reply::from)
}

/// Seconds after which a client that was refused may ask again: limits are counted by the second.
const RETRY_AFTER: &str = "1";

/// Whether a path asks the servers for something that limits on requests count: neither the agent's own, nor what an operator
/// needs most when there is a flood.
fn is_for_servers(pattern: &str) -> bool {
    const FREE: [&str; 4] = ["/v1/agent/", "/v1/status/", "/v1/operator/", "/v1/internal/"];
    !FREE.iter().any(|free| pattern.starts_with(free))
}

const TXN_LIMIT_PAGE: &str = "https://developer.hashicorp.com/docs/agent/config/config-files#txn_max_req_len";
const KV_LIMIT_PAGE: &str =
    "https://developer.hashicorp.com/docs/agent/config/config-files#kv_max_value_size";

/// What every endpoint of the access control lists says while they are off.
pub(crate) fn acl_disabled() -> HttpError {
    HttpError::new(StatusCode::UNAUTHORIZED, "ACL support disabled")
}

/// Runs a read, giving up when the agent ends. Many of these wait at a time: what is rare has a box of its own, so that they are
/// small.
async fn read(ctx: &Ctx<'_>, plan: ReadFn, wants_gzip: bool, stop: &Shutdown) -> Reply {
    let server = ctx.server;
    let mut plan = match plan(ctx) {
        Ok(plan) => plan,
        Err(e) => return e.into(),
    };
    plan.wan_addrs = ctx.config.translate_wan_addrs && plan.options.datacenter.is_some();
    if let Some(control) = plan.cached {
        return Box::pin(stop_or(server.agent_cache.answer(server, &plan, control), stop)).await;
    }
    match ctx.params.get("watch") {
        "" => {}
        "sse" => return crate::sse::stream(ctx, plan).unwrap_or_else(Reply::from),
        other => return crate::sse::unknown(other).into(),
    }
    match read::begin(server, &plan, wants_gzip) {
        read::Begun::Done(reply) => reply,
        read::Begun::Ask(version) => {
            tokio::select! {
                reply = read::ask(server, &plan, version, wants_gzip) => reply,
                () = stop.wait() => plan.fail(RequestError::ShuttingDown),
            }
        }
    }
}

async fn stop_or(reply: impl Future<Output = Reply>, stop: &Shutdown) -> Reply {
    tokio::select! {
        reply = reply => reply,
        () = stop.wait() => HttpError::from(RequestError::ShuttingDown).into(),
    }
}

/// Reads end with the agent; writes run to their end, so that nobody is told less than what happened.
async fn stoppable(
    work: impl Future<Output = Result<Reply, HttpError>>,
    stop: &Shutdown,
    method: &Method,
) -> Result<Reply, HttpError> {
    if *method != Method::GET {
        return work.await;
    }
    tokio::select! {
        done = work => done,
        () = stop.wait() => Err(RequestError::ShuttingDown.into()),
    }
}

fn may_write(ctx: &Ctx<'_>) -> bool {
    let allowed = &ctx.config.allow_write_http_from;
    *ctx.method == Method::GET
        || allowed.is_empty()
        || ctx.peer.is_none_or(|ip| allowed.iter().any(|block| block.contains(ip)))
}

/// The path as text; refused when an escape is damaged or a character cannot be printed.
fn decode_path(path: &str, allow_unprintable: bool) -> Result<Cow<'_, str>, ()> {
    let decoded = if path.contains('%') {
        if !escapes_are_valid(path) {
            return Err(());
        }
        percent_decode_str(path).decode_utf8_lossy()
    } else {
        Cow::Borrowed(path)
    };
    if allow_unprintable || decoded.chars().all(is_printable) { Ok(decoded) } else { Err(()) }
}

fn is_printable(c: char) -> bool {
    c == ' '
        || c.is_ascii_graphic()
        || !(c.is_control()
            || c.is_whitespace()
            // Invisible formatting characters and private ones.
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}'))
}

/// Only a GET gets a page about it, and a HEAD its type.
fn redirect(method: &Method, to: &str, query: Option<&str>) -> Response<ReplyBody> {
    let location = query.map_or_else(|| to.to_owned(), |q| format!("{to}?{q}"));
    let page = Content::Other("text/html; charset=utf-8");
    let (content, body) = match *method {
        Method::GET => {
            let escaped = location
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&#34;");
            (page, format!("<a href=\"{escaped}\">Temporary Redirect</a>.\n\n"))
        }
        Method::HEAD => (page, String::new()),
        _ => (Content::None, String::new()),
    };
    // 307 keeps the method, so that a redirected write stays a write.
    let reply = Reply::new(StatusCode::TEMPORARY_REDIRECT, content, body);
    plain_response(reply.with("location", &location), None)
}

/// Whether a value of the configuration is shown to a client at all.
pub(crate) fn own_datacenter(config: &HttpConfig, dc: &str) -> bool {
    dc.is_empty() || dc.eq_ignore_ascii_case(&config.datacenter)
}
