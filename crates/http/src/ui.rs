//! Paths outside the API: the root, the user interface, everything unknown.

use crate::{
    HttpConfig,
    reply::{Content, Reply, ReplyBody},
    respond::{Wants, api_response, plain_response},
};
use http::{Response, StatusCode};
use runtime::Shutdown;

const DISABLED: &str = "Consul Agent: UI disabled. To enable, set ui_config.enabled=true in the agent configuration and restart.";
const NOT_AN_ENDPOINT: &str = "Invalid URL path: not a recognized HTTP API endpoint\n";
const NOT_THE_API: &str =
    "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with '/v1/'\n";

const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Praetor</title></head><body>\n\
<h1>Praetor</h1>\n<p>The graphical interface is not built yet. The same data as JSON:</p>\n<ul>\n\
<li><a href=\"/v1/catalog/services?pretty\">services</a></li>\n<li><a href=\"/v1/catalog/nodes?pretty\">nodes</a></li>\n\
<li><a href=\"/v1/health/state/any?pretty\">checks</a></li>\n<li><a href=\"/v1/agent/members?pretty\">members</a></li>\n\
<li><a href=\"/v1/kv/?recurse&amp;pretty\">keys and values</a></li>\n</ul>\n</body></html>\n";

/// Answers `/debug/pprof/`, which is not there unless `enable_debug` is on.
pub(crate) async fn profiling(
    config: &HttpConfig,
    path: &str,
    query: &str,
    stop: &Shutdown,
) -> Response<ReplyBody> {
    let reply = if config.enable_debug {
        crate::pprof::answer(path, query, stop).await
    } else {
        Reply::new(StatusCode::NOT_FOUND, Content::None, "")
    };
    let mut response = api_response(reply, Wants::default(), config);
    response.headers_mut().remove("x-consul-default-acl-policy");
    response
}

/// Answers a path that no route has.
pub(crate) fn outside_the_api(config: &HttpConfig, path: &str, decoded: &str) -> Response<ReplyBody> {
    let reply = match &config.ui_path {
        Some(ui) if path == "/" => Reply::new(
            StatusCode::MOVED_PERMANENTLY,
            Content::Other("text/html; charset=utf-8"),
            format!("<a href=\"{ui}\">Moved Permanently</a>.\n\n"),
        )
        .with("location", ui),
        Some(ui) if path.starts_with(ui.as_str()) => {
            Reply::new(StatusCode::OK, Content::Other("text/html; charset=utf-8"), PAGE)
        }
        Some(ui) if ui.strip_suffix('/') == Some(path) => {
            Reply::new(StatusCode::MOVED_PERMANENTLY, Content::None, "").with("location", ui)
        }
        None if path == "/" => Reply::new(StatusCode::OK, Content::Text, DISABLED),
        _ if decoded.contains("/v1/") => Reply::new(StatusCode::NOT_FOUND, Content::Text, NOT_AN_ENDPOINT),
        _ => Reply::new(StatusCode::NOT_FOUND, Content::Text, NOT_THE_API),
    };
    let known = reply.status != StatusCode::NOT_FOUND;
    plain_response(reply, known.then_some(config))
}
