//! Opens the byte stream to the agent.

use super::{address::Target, settings::Settings, tls};
use crate::text::os_words;
use rustls_pki_types::ServerName;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

/// Patience with a connection that does not come about.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// A byte stream of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

/// Loads the TLS side once; `None` for plain HTTP.
pub(super) fn tls(settings: &Settings) -> Result<Option<TlsConnector>, String> {
    if !settings.tls {
        return Ok(None);
    }
    Ok(Some(TlsConnector::from(Arc::new(tls::client_config(settings)?))))
}

pub(super) async fn open(
    settings: &Settings,
    tls: Option<&TlsConnector>,
) -> Result<Box<dyn Stream>, Failure> {
    match &settings.address.target {
        Target::Unix(path) => {
            let stream = within(UnixStream::connect(path)).await;
            let stream =
                stream.map_err(|e| unreachable(settings, format!("dial unix {}", path.display()), &e))?;
            Ok(Box::new(stream))
        }
        Target::Tcp { host, port } => {
            let shown =
                if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
            let stream = within(TcpStream::connect((host.as_str(), *port))).await;
            let stream = stream.map_err(|e| unreachable(settings, format!("dial tcp {shown}"), &e))?;
            // Requests are small and answers awaited; a failure only costs speed.
            let _ = stream.set_nodelay(true);
            match tls {
                None => Ok(Box::new(stream)),
                Some(connector) => secure(settings, connector, host, stream).await,
            }
        }
    }
}

async fn within<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(CONNECT_LIMIT, connecting)
        .await
        .unwrap_or_else(|_elapsed| Err(io::Error::new(io::ErrorKind::TimedOut, "i/o timeout")))
}

fn unreachable(settings: &Settings, action: String, error: &io::Error) -> Failure {
    let what = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "This user may not open it; check the owner and mode of the socket."
        }
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            "Is the agent running? Start one with `agent`, or name its address with -http-addr or CONSUL_HTTP_ADDR."
        }
        _ => "Check the address given with -http-addr or CONSUL_HTTP_ADDR, and the network between.",
    };
    Failure {
        reason: format!("{action}: connect: {}", os_words(error)),
        hint: Some(format!("No agent answers at {}. {what}", settings.shown)),
    }
}

async fn secure(
    settings: &Settings,
    connector: &TlsConnector,
    host: &str,
    stream: TcpStream,
) -> Result<Box<dyn Stream>, Failure> {
    let name = settings.server_name.as_deref().unwrap_or(host);
    let server = ServerName::try_from(name.to_owned())
        .map_err(|e| Failure { reason: format!("tls: invalid server name {name:?}: {e}"), hint: None })?;
    let stream = within(connector.connect(server, stream)).await.map_err(|e| {
        let text = e.to_string();
        // A plain HTTP answer begins with bytes that are no TLS record.
        if text.contains("InvalidContentType") || text.contains("corrupt message") {
            Failure {
                reason: "http: server gave HTTP response to HTTPS client".to_owned(),
                hint: Some(format!(
                    "The agent at {} speaks plain HTTP: use http:// and unset CONSUL_HTTP_SSL.",
                    settings.shown
                )),
            }
        } else {
            Failure {
                reason: format!("tls: {text}"),
                hint: Some(
                    "Check -ca-file (CONSUL_CACERT), -tls-server-name (CONSUL_TLS_SERVER_NAME) and the client certificate."
                        .to_owned(),
                ),
            }
        }
    })?;
    Ok(Box::new(stream))
}
