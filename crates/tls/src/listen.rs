//! Listeners of the APIs.

use crate::{
    handshake::{Refused, TLS_HELLO},
    reason::refusal,
    state::Tls,
    stream::Prefixed,
};
use rustls::ServerConfig;
use std::{io, sync::Arc};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

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
    let session = TlsAcceptor::from(config).accept(Prefixed::new(first.to_vec(), stream)).await;
    match session {
        Ok(session) => Ok(Accepted::Session(Box::new(session))),
        Err(e) => Err(refusal(&e).map_or(Refused::Io(e), Refused::Tls)),
    }
}
