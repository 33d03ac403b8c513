//! Targets of probes on port 0.

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{convert::Infallible, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};

/// A server that ends with this value.
pub(crate) struct Target {
    pub(crate) port: u16,
    _tasks: JoinSet<()>,
}

async fn serve<F, Fut>(each: F) -> Target
where
    F: Fn(tokio::net::TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.spawn(each(stream));
        }
    });
    Target { port, _tasks: tasks }
}

pub(crate) async fn web() -> Target {
    serve(|stream| async move {
        let answer = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
            use http_body_util::BodyExt as _;
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let header = |n: &str| parts.headers.get(n).map_or("", |v| v.to_str().unwrap()).to_owned();
            let response = http::Response::builder();
            let response = match parts.uri.path() {
                "/busy" => response.status(429).body(Full::new(Bytes::from("slow down"))),
                "/gone" => response.status(404).body(Full::new(Bytes::from("no"))),
                "/moved" => response.status(302).header("location", "/ok").body(Full::default()),
                "/loop" => response.status(302).header("location", "loop").body(Full::default()),
                "/long" => response.body(Full::new(Bytes::from("0123456789"))),
                "/large" => response.body(Full::new(Bytes::from("x".repeat(4 << 20) + "end"))),
                "/echo" => response.body(Full::new(Bytes::from(format!(
                    "{} {} {} {} {} {}",
                    parts.method,
                    header("user-agent"),
                    header("accept"),
                    header("host"),
                    header("x-a"),
                    String::from_utf8_lossy(&body)
                )))),
                "/hang" => std::future::pending().await,
                _ => response.body(Full::new(Bytes::from("\"fine\""))),
            };
            Ok::<_, Infallible>(response.unwrap())
        });
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
    })
    .await
}

/// A TLS listener for `localhost`, and its certificate.
pub(crate) async fn tls() -> (Target, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let target = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let _ = acceptor.accept(stream).await;
        }
    })
    .await;
    (target, pem)
}

/// HTTP/2 that answers health questions: `bad` is not serving, `none` unknown.
pub(crate) async fn grpc() -> Target {
    serve(|stream| async move {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let mut body = request.into_body();
            let mut message = Vec::new();
            while let Some(Ok(data)) = body.data().await {
                message.extend_from_slice(&data);
            }
            let service = String::from_utf8_lossy(message.get(7..).unwrap_or(&[])).into_owned();
            let response = http::Response::builder().header("content-type", "application/grpc");
            if service == "none" {
                let response = response.header("grpc-status", "5").header("grpc-message", "unknown service");
                respond.send_response(response.body(()).unwrap(), true).unwrap();
                continue;
            }
            let status = if service == "bad" { 2 } else { 1 };
            let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
            stream.send_data(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, status]), false).unwrap();
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            stream.send_trailers(trailers).unwrap();
        }
    })
    .await
}
