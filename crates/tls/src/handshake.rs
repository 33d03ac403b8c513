//! Connections between agents: who speaks TLS, and who is let in.

use crate::{
    reason::{not_a_server, refusal},
    settings::server_name,
    state::Tls,
    stream::{Prefixed, Secure},
};
use connect_ca::CertFacts;
use runtime::Stream;
use rustls_pki_types::ServerName;
use std::io;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// First byte of a TLS hello.
pub(crate) const TLS_HELLO: u8 = 0x16;

/// A connection that does not come about.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// By the rules of TLS; the text says who and why.
    #[error("{0}")]
    Tls(String),
    /// The network failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Refused {
    fn from_handshake(e: io::Error) -> Self {
        refusal(&e).map_or(Self::Io(e), Self::Tls)
    }
}

/// Who is on the other side of an accepted connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The session is encrypted.
    pub secure: bool,
    /// Why it may not act as a server; `None` when it may.
    pub not_server: Option<String>,
    /// Why it may not act as a server of any datacenter; `None` when it may.
    pub no_server: Option<String>,
}

impl Tls {
    /// Looks at the first bytes (`head`, at least one) of a connection to the server port and makes a session of it, or turns it
    /// away. The caller sets the deadline.
    ///
    /// # Errors
    /// [`Refused::Tls`] for a plain connection where certificates are demanded, and for a certificate that is not acceptable.
    pub async fn accept_rpc(
        &self,
        stream: Box<dyn Stream>,
        head: Vec<u8>,
    ) -> Result<(Box<dyn Stream>, Peer), Refused> {
        let material = self.material();
        let settings = &material.settings;
        let peer = stream.peer_addr();
        if head.first() != Some(&TLS_HELLO) {
            if settings.internal_rpc.verify_incoming {
                return Err(Refused::Tls("Non-TLS connection attempted with VerifyIncoming set".to_owned()));
            }
            let session = Prefixed::new(head, stream);
            return Ok((
                Box::new(Secure { session, peer }),
                Peer { secure: false, not_server: None, no_server: None },
            ));
        }
        let Some(config) = material.rpc_server.clone() else {
            return Err(Refused::Tls(
                "TLS connection attempted, but tls.internal_rpc has no cert_file and key_file here"
                    .to_owned(),
            ));
        };
        let session = TlsAcceptor::from(config)
            .accept(Prefixed::new(head, stream))
            .await
            .map_err(Refused::from_handshake)?;
        let (not_server, no_server) =
            if settings.internal_rpc.verify_incoming && settings.verify_server_hostname {
                let shown = session.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let facts = shown.and_then(|cert| CertFacts::read(cert).ok());
                let carries = facts.as_ref().is_some_and(|f| f.carries(&settings.server_name));
                let elsewhere =
                    facts.as_ref().is_some_and(|f| f.dns_names.iter().any(|n| settings.is_server_name(n)));
                let why = (!carries).then(|| not_a_server(facts.as_ref(), &settings.server_name));
                (why.clone(), why.filter(|_| !elsewhere))
            } else {
                (None, None)
            };
        Ok((Box::new(Secure { session, peer }), Peer { secure: true, not_server, no_server }))
    }

    /// Makes a session of a connection to the server port of a server of `datacenter` (`None` = the own one), when `verify_outgoing` asks for one; says whether it did.
    /// The caller sets the deadline.
    ///
    /// # Errors
    /// [`Refused::Tls`] when the certificate of the server is not acceptable. That ours is not shows later: reads fail then,
    /// see [`refusal`].
    pub async fn connect_rpc(
        &self,
        stream: Box<dyn Stream>,
        datacenter: Option<&str>,
    ) -> Result<(Box<dyn Stream>, bool), Refused> {
        let material = self.material();
        let Some(config) = material.rpc_client.clone() else { return Ok((stream, false)) };
        let settings = &material.settings;
        let name =
            datacenter.map_or_else(|| settings.server_name.clone(), |dc| server_name(dc, &settings.domain));
        let name = ServerName::try_from(name.clone())
            .map_err(|e| Refused::Tls(format!("{name:?} cannot be a server's name: {e}")))?;
        let peer = stream.peer_addr();
        let session =
            TlsConnector::from(config).connect(name, stream).await.map_err(Refused::from_handshake)?;
        Ok((Box::new(Secure { session, peer }), true))
    }
}
