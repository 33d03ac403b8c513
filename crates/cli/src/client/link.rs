//! Many requests at a time, for commands that run on: connections are kept and used again.

use super::{
    ClientError, Settings,
    connect::{self, Failure},
    request::{authorize, network, parameter, url},
};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use runtime::Tasks;
use std::{fmt::Display, sync::Mutex, time::Duration};
use tokio_rustls::TlsConnector;

/// Connections that are kept for the next request.
const IDLE_MAX: usize = 64;
/// Most bytes of an answer.
const ANSWER_BYTES: usize = 256 << 20;

type Sender = SendRequest<Full<Bytes>>;

/// The agent, for as long as a command runs. Must be used within a runtime.
pub(crate) struct AgentLink {
    settings: Settings,
    tls: Option<TlsConnector>,
    idle: Mutex<Vec<Sender>>,
    tasks: Tasks,
}

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct LinkAnswer {
    pub(crate) status: u16,
    /// `X-Consul-Index`, 0 if there is none.
    pub(crate) index: u64,
    /// `X-Consul-ContentHash`.
    pub(crate) hash: Option<String>,
    pub(crate) body: Bytes,
}

impl LinkAnswer {
    /// The body of status 200; any other status is an error.
    pub(crate) fn ok(self) -> Result<Bytes, ClientError> {
        match self.status {
            200 => Ok(self.body),
            status => Err(ClientError::Status {
                status,
                body: String::from_utf8_lossy(&self.body).trim().to_owned(),
            }),
        }
    }
}

impl AgentLink {
    /// Connections are driven by tasks of `tasks`. Fails only on settings that cannot be used.
    pub(crate) fn new(settings: Settings, tasks: Tasks) -> Result<Self, String> {
        let tls = connect::tls(&settings)?;
        Ok(Self { settings, tls, idle: Mutex::default(), tasks })
    }

    /// The agent's address as it was given.
    pub(crate) fn shown(&self) -> &str {
        &self.settings.shown
    }

    /// The namespace and partition that were given, as parameters.
    pub(crate) fn tenancy(&self) -> Vec<(&'static str, String)> {
        let all = [("ns", &self.settings.namespace), ("partition", &self.settings.partition)];
        all.into_iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n, v.clone())).collect()
    }

    /// Namespace, partition, datacenter and consistency as they were given, as parameters.
    pub(crate) fn scope(&self) -> Vec<(&'static str, String)> {
        let mut all = self.tenancy();
        if !self.settings.datacenter.is_empty() {
            all.push(("dc", self.settings.datacenter.clone()));
        }
        if self.settings.stale {
            all.push(("stale", String::new()));
        }
        all
    }

    /// One request within `limit`. A connection that was kept and turns out dead is replaced once.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&'static str, String)],
        body: impl Into<Bytes>,
        limit: Duration,
    ) -> Result<LinkAnswer, ClientError> {
        let pairs: Vec<String> = query.iter().map(|(n, v)| parameter(n, v)).collect();
        let url = url(&self.settings, path, &pairs.join("&"));
        let body = body.into();
        let asking = async {
            if let Some(kept) = self.kept().await
                && let Ok(answer) = self.ask(kept, &method, &url, body.clone()).await
            {
                return Ok(answer);
            }
            let fresh = self.open(&method, &url).await?;
            self.ask(fresh, &method, &url, body).await
        };
        let late = || network(&self.settings, &method, &url, format!("no answer within {limit:?}"), None);
        tokio::time::timeout(limit, asking).await.unwrap_or_else(|_elapsed| Err(late()))
    }

    /// Gives what `path` streams within `time` to `take` as it comes, at most `bytes_max`; answers why it ended early, if it did.
    pub(crate) async fn stream(
        &self,
        path: &str,
        query: &[(&'static str, String)],
        time: Duration,
        bytes_max: usize,
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Option<String> {
        let pairs: Vec<String> = query.iter().map(|(n, v)| parameter(n, v)).collect();
        let url = url(&self.settings, path, &pairs.join("&"));
        let reading = async {
            let mut sender = self.open(&Method::GET, &url).await.map_err(|e| e.to_string())?;
            let mut request = Request::builder().method(Method::GET).uri(&url);
            if let Some(headers) = request.headers_mut() {
                authorize(&self.settings, headers).map_err(|e| e.to_string())?;
            }
            let request = request.body(Full::new(Bytes::new())).map_err(|e| e.to_string())?;
            let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
            let status = response.status().as_u16();
            let mut body = response.into_body();
            let (mut left, mut refusal) = (bytes_max, Vec::new());
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|e| e.to_string())?.into_data() else { continue };
                let data = &data[..data.len().min(left)];
                left -= data.len();
                match status {
                    200 => take(data)?,
                    _ => refusal.extend_from_slice(data),
                }
                if left == 0 {
                    return Err(format!("it is cut after {bytes_max} bytes"));
                }
            }
            Err(match status {
                200 => "the agent ended it".to_owned(),
                _ => format!("status {status} ({})", String::from_utf8_lossy(&refusal).trim()),
            })
        };
        let ended: Result<Result<(), String>, _> = tokio::time::timeout(time, reading).await;
        ended.ok().and_then(Result::err)
    }

    /// A connection from before that still lives.
    async fn kept(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().ok()?.pop()?;
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn open(&self, method: &Method, url: &str) -> Result<Sender, ClientError> {
        let failed = |reason, hint| network(&self.settings, method, url, reason, hint);
        let open = connect::open(&self.settings, self.tls.as_ref()).await;
        let stream = open.map_err(|Failure { reason, hint }| failed(reason, hint))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|e| failed(e.to_string(), None))?;
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn("agent connection", async move {
            // Its requests fail with it, and say why.
            tokio::select! {
                () = shutdown.wait() => {}
                _ = connection => {}
            }
        });
        Ok(sender)
    }

    async fn ask(
        &self,
        mut sender: Sender,
        method: &Method,
        url: &str,
        body: Bytes,
    ) -> Result<LinkAnswer, ClientError> {
        let failed = |e: &dyn Display| network(&self.settings, method, url, e.to_string(), None);
        let mut request = Request::builder().method(method.clone()).uri(url);
        if let Some(headers) = request.headers_mut() {
            authorize(&self.settings, headers).map_err(|e| failed(&e))?;
        }
        let request = request.body(Full::new(body)).map_err(|e| failed(&e))?;
        let response = sender.send_request(request).await.map_err(|e| failed(&e))?;
        let status = response.status().as_u16();
        let index = response.headers().get("x-consul-index").and_then(|v| v.to_str().ok()?.parse().ok());
        let hash = response.headers().get("x-consul-contenthash").and_then(|v| v.to_str().ok());
        let hash = hash.map(str::to_owned);
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|e| failed(&e))?.to_bytes();
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < IDLE_MAX
        {
            idle.push(sender);
        }
        Ok(LinkAnswer { status, index: index.unwrap_or(0), hash, body })
    }
}
