//! Listeners of the APIs.

use crate::{
    handshake::{Refused, TLS_HELLO},
    reason::refusal,
    state::Tls,
    stream::Prefixed,
};
use rustls::ServerConfig;
use std::{io, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// How long, and for how many bytes, a refused client is listened to.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 << 10;

/// What a client of a TLS listener turned out to be.
#[derive(Debug)]
pub enum Accepted<S> {
    /// A session.
    Session(Box<TlsStream<Prefixed<S>>>),
    /// Something that does not speak TLS.
    Plain(S),
}

impl Tls {
    /// The handshake of a client of the HTTPS API. The caller sets the deadline.
    ///
    /// # Errors
    /// [`Refused`] when there is no certificate to show, or the client's is not acceptable.
    pub async fn accept_https<S>(&self, stream: S) -> Result<Accepted<S>, Refused>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        accept(self.material().https.clone(), "https", stream).await
    }
}

async fn accept<S>(
    config: Option<Arc<ServerConfig>>,
    part: &str,
    mut stream: S,
) -> Result<Accepted<S>, Refused>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let Some(config) = config else {
        return Err(Refused::Tls(format!("tls.{part} has no cert_file and key_file")));
    };
    let mut first = [0];
    if stream.read(&mut first).await? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    if first != [TLS_HELLO] {
        return Ok(Accepted::Plain(stream));
    }
    let session = TlsAcceptor::from(config).accept(Prefixed::new(first.to_vec(), stream)).into_fallible();
    match session.await {
        Ok(session) => Ok(Accepted::Session(Box::new(session))),
        Err((e, io)) => {
            linger(io).await;
            Err(refusal(&e).map_or(Refused::Io(e), Refused::Tls))
        }
    }
}

/// Ends a connection after the last word to a client that is turned away. What the client has sent already is taken, within a
/// bound of time and bytes: closing over unread bytes would reset the connection, and lose that word.
pub async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut io: S) {
    let drained = async {
        io.shutdown().await?;
        let mut left = LINGER_BYTES;
        let mut buf = [0; 2048];
        while left > 0 {
            match io.read(&mut buf).await? {
                0 => break,
                n => left = left.saturating_sub(n),
            }
        }
        io::Result::Ok(())
    };
    // The client is turned away in any case.
    let _either = tokio::time::timeout(LINGER, drained).await;
}
