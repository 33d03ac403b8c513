//! An HTTP request: 2xx is passing, 429 a warning.

use super::{
    Outcome,
    dial::{self, Stream},
    tls::TlsSettings,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use types::definition::CheckDefinition;

pub(super) const USER_AGENT: &str = "Consul Health Check";
const ACCEPT: &str = "text/plain, text/*, */*";
const REDIRECTS_MAX: usize = 10;
/// An endless answer is cut here, bytes; the output keeps its own, smaller bound.
const BODY_MAX: usize = 16 << 20;

pub(super) async fn probe(c: &CheckDefinition, tls: &TlsSettings, limit: usize) -> Outcome {
    match request(c, tls, limit).await {
        Err(text) => Outcome::critical(text),
        Ok((status, reason, body)) => {
            let output = format!("HTTP {} {}: {reason} Output: {body}", method(c), c.http);
            if status.is_success() {
                Outcome::passing(output)
            } else if status == StatusCode::TOO_MANY_REQUESTS {
                Outcome::warning(output)
            } else {
                Outcome::critical(output)
            }
        }
    }
}

fn method(c: &CheckDefinition) -> &str {
    if c.method.is_empty() { "GET" } else { &c.method }
}

/// The method as error texts begin: `Get`, `Post`.
pub(super) fn verb(method: &str) -> String {
    let method = if method.is_empty() { "GET" } else { method };
    let (first, rest) = method.split_at(method.chars().next().map_or(0, char::len_utf8));
    format!("{first}{}", rest.to_lowercase())
}

pub(super) async fn request(
    c: &CheckDefinition,
    tls: &TlsSettings,
    limit: usize,
) -> Result<(StatusCode, String, String), String> {
    let mut uri: Uri = c.http.parse().map_err(|e| format!("parse {:?}: {e}", c.http))?;
    let mut method =
        Method::from_bytes(method(c).as_bytes()).map_err(|e| format!("net/http: invalid method: {e}"))?;
    let mut body = Bytes::copy_from_slice(c.body.as_bytes());
    let failed = |m: &Method, uri: &Uri, e: String| format!("{} \"{uri}\": {e}", verb(m.as_str()));
    for _ in 0..=REDIRECTS_MAX {
        let response = one(c, tls, &uri, &method, &body).await.map_err(|e| failed(&method, &uri, e))?;
        let status = response.status();
        let target = if c.disable_redirects { None } else { redirect(&response, &uri)? };
        let Some(target) = target else {
            let reason = reason(&response);
            // The parts hold the connection: they stay until the body is read.
            let (_connection, body) = response.into_parts();
            let body = tail(body, limit).await.map_err(|e| failed(&method, &uri, e))?;
            return Ok((status, reason, body));
        };
        if !matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
            && method != Method::HEAD
        {
            method = Method::GET;
            body = Bytes::new();
        }
        uri = target;
    }
    Err(failed(&method, &uri, format!("stopped after {REDIRECTS_MAX} redirects")))
}

fn reason(response: &Response<Incoming>) -> String {
    let code = response.status();
    match response.extensions().get::<hyper::ext::ReasonPhrase>() {
        Some(own) => format!("{} {}", code.as_u16(), String::from_utf8_lossy(own.as_bytes())),
        None => format!("{} {}", code.as_u16(), code.canonical_reason().unwrap_or("")),
    }
}

fn redirect(response: &Response<Incoming>, base: &Uri) -> Result<Option<Uri>, String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(header::LOCATION) else { return Ok(None) };
    let bad = |e: &dyn std::fmt::Display| format!("failed to parse Location header: {e}");
    let location = location.to_str().map_err(|e| bad(&e))?;
    let target: Uri = location.parse().map_err(|e| bad(&e))?;
    if target.scheme().is_some() {
        return Ok(Some(target));
    }
    let mut parts = base.clone().into_parts();
    let path = if location.starts_with('/') {
        location.to_owned()
    } else {
        let dir = base.path().rsplit_once('/').map_or("", |(dir, _)| dir);
        format!("{dir}/{location}")
    };
    parts.path_and_query = Some(path.parse().map_err(|e| bad(&e))?);
    Uri::from_parts(parts).map(Some).map_err(|e| bad(&e))
}

async fn one(
    c: &CheckDefinition,
    tls: &TlsSettings,
    uri: &Uri,
    method: &Method,
    body: &Bytes,
) -> Result<Response<Incoming>, String> {
    let secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        other => return Err(format!("unsupported protocol scheme {:?}", other.unwrap_or(""))),
    };
    let host = uri.host().ok_or("no Host in request URL")?;
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let with_tls = secure.then_some((tls, dial::HTTP1));
    let stream = dial::stream(&format!("{host}:{port}"), c, with_tls).await?;
    let mut request = Request::builder()
        .method(method)
        .uri(uri.path_and_query().map_or("/", |p| p.as_str()))
        .body(Full::new(body.clone()))
        .map_err(|e| e.to_string())?;
    *request.headers_mut() = headers(c, uri)?;
    send(stream, request).await
}

/// Sends one request on its own connection, which ends with the answer's body.
pub(super) async fn send(
    stream: Stream,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| chain(&e))?;
    // The connection must be driven while the body is read: it lives as long as the body's reader wants it, no longer.
    let driver = Driver::start(connection);
    let mut response = sender.send_request(request).await.map_err(|e| chain(&e))?;
    response.extensions_mut().insert(std::sync::Arc::new(driver));
    Ok(response)
}

/// A connection in the background that is dropped with its owner.
struct Driver(tokio::task::JoinHandle<()>);

impl Driver {
    #[expect(clippy::disallowed_methods, reason = "owned by the response that it feeds, aborted with it")]
    fn start(connection: impl Future<Output = hyper::Result<()>> + Send + 'static) -> Self {
        // What goes wrong with the connection shows in the response.
        Self(tokio::spawn(async move { drop(connection.await) }))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn headers(c: &CheckDefinition, uri: &Uri) -> Result<HeaderMap, String> {
    let mut out = HeaderMap::new();
    for (name, values) in &c.header {
        let name = HeaderName::try_from(name.as_str()).map_err(|e| format!("invalid header: {e}"))?;
        for value in values {
            let value = HeaderValue::try_from(value.as_str()).map_err(|e| format!("invalid header: {e}"))?;
            out.append(name.clone(), value);
        }
    }
    if !out.contains_key(header::HOST) {
        let authority = uri.authority().map_or("", |a| a.as_str());
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        out.insert(header::HOST, HeaderValue::try_from(host).map_err(|e| e.to_string())?);
    }
    out.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    out.entry(header::ACCEPT).or_insert(HeaderValue::from_static(ACCEPT));
    Ok(out)
}

/// The end of a body, at most `limit` bytes.
pub(super) async fn tail(
    mut body: impl Body<Data = Bytes, Error = hyper::Error> + Unpin,
    limit: usize,
) -> Result<String, String> {
    let mut kept: VecDeque<u8> = VecDeque::new();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|e| chain(&e))?.into_data() else { continue };
        total += data.len();
        let fresh = &data[data.len().saturating_sub(limit)..];
        let excess = (kept.len() + fresh.len()).saturating_sub(limit);
        kept.drain(..excess);
        kept.extend(fresh);
        if total >= BODY_MAX {
            break;
        }
    }
    Ok(String::from_utf8_lossy(kept.make_contiguous()).into_owned())
}

/// An error with what caused it.
fn chain(e: &dyn std::error::Error) -> String {
    match e.source() {
        Some(cause) => format!("{e}: {cause}"),
        None => e.to_string(),
    }
}
