//! Requests and answers.

use super::{
    ClientError, Settings,
    connect::{self, Failure},
    file_body::{BoxError, FileBody},
};
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, time::Duration};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

/// An agent that leaves takes its time; nothing waits longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(600);
/// Most bytes of an answer that a command reads.
const ANSWER_BYTES: usize = 1 << 30;

const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Query parameters, sent in the order of their names.
#[derive(Clone, Default, Debug)]
pub(crate) struct Query(BTreeMap<&'static str, Vec<String>>);

impl Query {
    pub(crate) fn new() -> Self {
        Self::default()
    }
    /// Adds `name=value`.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.entry(name).or_default().push(value.into());
        self
    }
    /// Adds it unless empty.
    pub(crate) fn with_some(self, name: &'static str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, value) }
    }
    /// Adds `name=` if `on`.
    pub(crate) fn flag(self, name: &'static str, on: bool) -> Self {
        if on { self.with(name, "") } else { self }
    }

    /// Whether a parameter is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn encode(&self) -> String {
        let pairs = self.0.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v)));
        pairs.map(|(n, v)| parameter(n, v)).collect::<Vec<_>>().join("&")
    }
}

/// An answer of status 200 (or another that the command allows).
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    url: String,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body)
            .map_err(|e| ClientError::Decode { url: self.url.clone(), reason: e.to_string() })
    }
    /// The body as text, without blanks around.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).trim().to_owned()
    }
}

/// The client.
pub(crate) struct Client {
    settings: Settings,
    tls: Option<TlsConnector>,
    runtime: Runtime,
}

impl Client {
    /// Fails only on settings that cannot be used.
    pub(crate) fn new(settings: Settings) -> Result<Self, String> {
        let tls = connect::tls(&settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| format!("cannot start: {e}"))?;
        Ok(Self { settings, tls, runtime })
    }

    /// What tenancy and consistency flags add to a query.
    pub(crate) fn scoped(&self, query: Query) -> Query {
        let s = &self.settings;
        query
            .with_some("dc", &s.datacenter)
            .flag("stale", s.stale)
            .with_some("ns", &s.namespace)
            .with_some("partition", &s.partition)
    }

    pub(crate) fn get(&self, path: &str, query: Query) -> Result<Answer, ClientError> {
        self.call(Method::GET, path, query, Bytes::new(), false)
    }
    /// A GET to which 404 is an answer, not an error.
    pub(crate) fn find(&self, path: &str, query: Query) -> Result<Option<Answer>, ClientError> {
        let answer = self.call(Method::GET, path, query, Bytes::new(), true)?;
        Ok((answer.status == 200).then_some(answer))
    }
    pub(crate) fn put(
        &self,
        path: &str,
        query: Query,
        body: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        self.call(Method::PUT, path, query, body.into(), false)
    }
    pub(crate) fn post(
        &self,
        path: &str,
        query: Query,
        body: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        self.call(Method::POST, path, query, body.into(), false)
    }
    pub(crate) fn delete(
        &self,
        path: &str,
        query: Query,
        body: impl Into<Bytes>,
    ) -> Result<Answer, ClientError> {
        self.call(Method::DELETE, path, query, body.into(), false)
    }

    /// Sends a file as it is read; its size must be known to be `length`.
    pub(crate) fn put_file(
        &self,
        path: &str,
        query: Query,
        file: std::fs::File,
        length: u64,
    ) -> Result<Answer, ClientError> {
        self.call_with(Method::PUT, path, query, FileBody::new(file, length), false)
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        query: Query,
        body: Bytes,
        missing_ok: bool,
    ) -> Result<Answer, ClientError> {
        self.call_with(method, path, query, Full::new(body), missing_ok)
    }

    fn call_with<B>(
        &self,
        method: Method,
        path: &str,
        query: Query,
        body: B,
        missing_ok: bool,
    ) -> Result<Answer, ClientError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let url = self.url(path, &query);
        self.runtime.block_on(async {
            let response = self.send(&method, &url, body).await?;
            let status = response.status().as_u16();
            let limited = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES);
            let body =
                limited.collect().await.map_err(|e| self.network(&method, &url, e.to_string(), None))?;
            let answer = Answer { status, body: body.to_bytes(), url: url.clone() };
            if status == 200 || (missing_ok && status == 404) {
                Ok(answer)
            } else {
                Err(ClientError::Status { status, body: answer.text() })
            }
        })
    }

    /// Streams the body of `path` to `each` until the agent ends it or SIGINT or SIGTERM comes; answers whether it was a signal.
    pub(crate) fn follow(
        &self,
        path: &str,
        query: Query,
        mut each: impl FnMut(&[u8]),
    ) -> Result<bool, ClientError> {
        use tokio::signal::unix::{SignalKind, signal};
        let (method, url) = (Method::GET, self.url(path, &query));
        self.runtime.block_on(async {
            let listen = |kind| signal(kind).map_err(|e| self.network(&method, &url, e.to_string(), None));
            let (mut interrupt, mut terminate) =
                (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
            let response = self.send(&method, &url, Full::new(Bytes::new())).await?;
            let status = response.status().as_u16();
            let mut body = response.into_body();
            if status != 200 {
                let text = body.collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                return Err(ClientError::Status {
                    status,
                    body: String::from_utf8_lossy(&text).trim().to_owned(),
                });
            }
            loop {
                // Whatever branch loses is asked again or the stream is given up: nothing is lost that matters.
                let frame = tokio::select! {
                    _ = interrupt.recv() => return Ok(true),
                    _ = terminate.recv() => return Ok(true),
                    frame = body.frame() => frame,
                };
                match frame {
                    Some(Ok(frame)) => {
                        if let Some(data) = frame.data_ref() {
                            each(data);
                        }
                    }
                    Some(Err(_)) | None => return Ok(false),
                }
            }
        })
    }

    fn url(&self, path: &str, query: &Query) -> String {
        url(&self.settings, path, &query.encode())
    }

    async fn send<B>(
        &self,
        method: &Method,
        url: &str,
        body: B,
    ) -> Result<http::Response<Incoming>, ClientError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    {
        let open = connect::open(&self.settings, self.tls.as_ref()).await;
        let stream = open.map_err(|Failure { reason, hint }| self.network(method, url, reason, hint))?;
        let fail = |e: &dyn std::fmt::Display| self.network(method, url, e.to_string(), None);
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|e| fail(&e))?;
        let mut request = Request::builder().method(method.clone()).uri(url);
        if let Some(headers) = request.headers_mut() {
            authorize(&self.settings, headers).map_err(|e| fail(&e))?;
        }
        let request = request.body(body).map_err(|e| fail(&e))?;
        // The connection is driven for as long as its answer is read: the runtime ends with the command.
        self.runtime.spawn(async move {
            let _ = connection.await;
        });
        let answer = tokio::time::timeout(ANSWER_LIMIT, sender.send_request(request)).await;
        answer.map_err(|_elapsed| fail(&"no answer in time"))?.map_err(|e| {
            let broken = std::error::Error::source(&e).and_then(|s| s.downcast_ref::<std::io::Error>());
            // The agent looks at our certificate when its part of the handshake has ended for us.
            if let Some(why) = broken.and_then(::tls::refusal) {
                let hint = "Give a certificate that the agent takes, with -client-cert (CONSUL_CLIENT_CERT) and -client-key \
                            (CONSUL_CLIENT_KEY).";
                return self.network(method, url, format!("tls: {why}"), Some(hint.to_owned()));
            }
            let text = if e.is_incomplete_message() { "EOF".to_owned() } else { e.to_string() };
            self.network(method, url, text, None)
        })
    }

    fn network(&self, method: &Method, url: &str, reason: String, hint: Option<String>) -> ClientError {
        network(&self.settings, method, url, reason, hint)
    }
}

/// The address of a request below the agent's own.
pub(super) fn url(settings: &Settings, path: &str, query: &str) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{}{mark}{query}", settings.address.prefix, utf8_percent_encode(path, PATH))
}

/// One parameter, encoded.
pub(super) fn parameter(name: &str, value: &str) -> String {
    format!("{name}={}", utf8_percent_encode(value, PART))
}

/// Host, token and password.
pub(super) fn authorize(s: &Settings, headers: &mut HeaderMap) -> Result<(), header::InvalidHeaderValue> {
    use super::address::Target;
    let host = match &s.address.target {
        Target::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
        Target::Tcp { host, port } => format!("{host}:{port}"),
        Target::Unix(_) => "localhost".to_owned(),
    };
    headers.insert(header::HOST, host.parse()?);
    if !s.token.is_empty() {
        let mut token: header::HeaderValue = s.token.expose().parse()?;
        token.set_sensitive(true);
        headers.insert("x-consul-token", token);
    }
    if let Some(auth) = &s.basic_auth {
        let pair = if auth.expose().contains(':') {
            auth.expose().to_owned()
        } else {
            format!("{}:", auth.expose())
        };
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        let mut value: header::HeaderValue = format!("Basic {encoded}").parse()?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(())
}

/// A request without an answer.
pub(super) fn network(
    settings: &Settings,
    method: &Method,
    url: &str,
    reason: String,
    hint: Option<String>,
) -> ClientError {
    let method = match *method {
        Method::GET => "Get",
        Method::PUT => "Put",
        Method::POST => "Post",
        _ => "Delete",
    };
    let scheme = if settings.tls { "https" } else { "http" };
    let place = settings.shown.split_once("://").map_or(settings.shown.as_str(), |(_, p)| p);
    let place = place.split('/').next().filter(|p| !p.is_empty()).unwrap_or("localhost");
    ClientError::Network { method, url: format!("{scheme}://{place}{url}"), reason, hint }
}
