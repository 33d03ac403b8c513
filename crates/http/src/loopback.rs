//! The API for parts of the agent itself, which use it as any local client would, without a socket.

use crate::{conn::drive, server::HttpServer};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use runtime::Shutdown;
use std::{fmt::Display, time::Duration};
use types::SecretToken;

/// Bytes on their way in each direction.
const PIPE_BYTES: usize = 64 << 10;
/// Most bytes of an answer.
const ANSWER_BYTES: usize = 256 << 20;

/// A client of this agent's own API.
#[derive(Clone)]
pub struct Loopback {
    http: HttpServer,
    shutdown: Shutdown,
}

/// An answer of any status.
#[derive(Clone, Debug)]
pub struct LoopbackAnswer {
    /// HTTP status.
    pub status: u16,
    /// `X-Consul-Index`, 0 without one.
    pub index: u64,
    /// `X-Consul-ContentHash`.
    pub hash: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Loopback {
    /// Requests end with `shutdown`.
    pub fn new(http: HttpServer, shutdown: Shutdown) -> Self {
        Self { http, shutdown }
    }

    /// One request. `path` and parameters are not encoded yet.
    ///
    /// # Errors
    /// No answer within `limit`, or a broken one.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&'static str, String)],
        token: &SecretToken,
        body: Bytes,
        limit: Duration,
    ) -> Result<LoopbackAnswer, String> {
        let asked = self.ask(method, uri(path, query), token, body);
        match tokio::time::timeout(limit, asked).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(format!("no answer to {path} within {limit:?}")),
        }
    }

    async fn ask(
        &self,
        method: Method,
        uri: String,
        token: &SecretToken,
        body: Bytes,
    ) -> Result<LoopbackAnswer, String> {
        fn text(e: impl Display) -> String {
            e.to_string()
        }
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let server = drive(self.http.shared(), Box::new(theirs), None, self.shutdown.clone());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.map_err(text)?;
        let mut request = Request::builder().method(method).uri(uri).header(header::HOST, "localhost");
        if !token.is_empty() {
            let mut value = header::HeaderValue::from_str(token.expose()).map_err(text)?;
            value.set_sensitive(true);
            request = request.header("x-consul-token", value);
        }
        let request = request.body(Full::new(body)).map_err(text)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(text)?;
            let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
            let index = header("x-consul-index").and_then(|v| v.parse().ok()).unwrap_or(0);
            let hash = header("x-consul-contenthash").map(str::to_owned);
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await.map_err(text)?;
            Ok(LoopbackAnswer { status, index, hash, body: body.to_bytes() })
        };
        // Both ends run here, so that nothing goes on when this is dropped. The connection ends only after the answer.
        let ends = async {
            let _ = tokio::join!(server, connection);
            std::future::pending::<Result<LoopbackAnswer, String>>().await
        };
        tokio::select! {
            answer = answer => answer,
            never = ends => never,
        }
    }
}

/// Path and parameters, encoded.
fn uri(path: &str, query: &[(&'static str, String)]) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    const PATH: &AsciiSet = &PART.remove(b'/').remove(b':');
    let mut out = utf8_percent_encode(path, PATH).to_string();
    for (i, (name, value)) in query.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        out.push_str(&format!("{name}={}", utf8_percent_encode(value, PART)));
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_means_something_in_an_address_is_encoded() {
        let query = [("index", "5".to_owned()), ("filter", "a == \"b&c\"".to_owned())];
        assert_eq!(
            super::uri("/v1/kv/a b/%/c", &query),
            "/v1/kv/a%20b/%25/c?index=5&filter=a%20%3D%3D%20%22b%26c%22"
        );
    }
}
