//! Connections between agents: who speaks TLS, and who is let in.

use crate::{
    reason::{no_way_on, not_a_server, refusal},
    settings::server_name,
    state::Tls,
    stream::{Prefixed, Secure},
};
use connect_ca::CertFacts;
use runtime::Stream;
use rustls_pki_types::ServerName;
use std::io;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// First byte of a TLS hello.
pub(crate) const TLS_HELLO: u8 = 0x16;

/// First bytes of a connection of a client that has no certificate yet and wants one; a TLS hello follows.
pub(crate) const ENROLL: [u8; 8] = *b"praetor\x02";

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

/// What a connection between servers of two datacenters carries when it goes through mesh gateways. Gateways see the name of the
/// server alone; what is inside is told by the application protocol of the handshake (RFC 7301). The names are our own: a
/// program that speaks another protocol of this kind is refused in the handshake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lane {
    /// Requests, as on any connection to the server port.
    Requests,
    /// Gossip packets, each behind its length.
    Packets,
    /// One exchange of gossip.
    Exchange,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Packets, Self::Exchange];

    /// Name of the protocol.
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Self::Requests => b"praetor/requests",
            Self::Packets => b"praetor/wan-gossip/packets",
            Self::Exchange => b"praetor/wan-gossip/exchange",
        }
    }

    fn of(alpn: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.alpn() == alpn)
    }
}

/// Who is on the other side of an accepted connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The session is encrypted.
    pub secure: bool,
    /// What it carries; [`Lane::Requests`] also for those that do not come through gateways.
    pub lane: Lane,
    /// Why it may not act as a server; `None` when it may.
    pub not_server: Option<String>,
    /// Why it may not act as a server of any datacenter; `None` when it may.
    pub no_server: Option<String>,
    /// It has no certificate and may ask for one, and for nothing else.
    pub enrolls: bool,
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
        if head == ENROLL {
            let config = material.rpc_enroll.clone().ok_or_else(|| {
                Refused::Tls(
                    "it asks for a certificate, but auto_encrypt.allow_tls is not set here, or tls.internal_rpc has no cert_file and key_file"
                        .to_owned(),
                )
            })?;
            let session = TlsAcceptor::from(config).accept(stream).await.map_err(Refused::from_handshake)?;
            let none = || Some("it has no certificate yet".to_owned());
            let (not_server, no_server) = (none(), none());
            let who = Peer { secure: true, lane: Lane::Requests, not_server, no_server, enrolls: true };
            return Ok((Box::new(Secure { session, peer }), who));
        }
        if head.first() != Some(&TLS_HELLO) {
            if settings.internal_rpc.verify_incoming {
                return Err(Refused::Tls("Non-TLS connection attempted with VerifyIncoming set".to_owned()));
            }
            let session = Prefixed::new(head, stream);
            return Ok((
                Box::new(Secure { session, peer }),
                Peer {
                    secure: false,
                    lane: Lane::Requests,
                    not_server: None,
                    no_server: None,
                    enrolls: false,
                },
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
        let chosen = session.get_ref().1.alpn_protocol().and_then(Lane::of);
        if chosen.is_some() {
            let shown = session.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let facts = shown.and_then(|cert| CertFacts::read(cert).ok());
            // The authority has signed it, or the handshake had failed; here it is only asked whether it is a server's.
            if !facts.as_ref().is_some_and(|f| is_of_a_server(f, &settings.domain)) {
                let wanted = server_name("<datacenter>", &settings.domain);
                let why = match facts {
                    Some(_) => not_a_server(facts.as_ref(), &wanted),
                    None => "it came through a mesh gateway and shows no certificate; both sides need tls.internal_rpc with verify_incoming = true".to_owned(),
                };
                return Err(Refused::Tls(why));
            }
        }
        let (not_server, no_server) =
            if settings.internal_rpc.verify_incoming && settings.verify_server_hostname {
                let shown = session.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let facts = shown.and_then(|cert| CertFacts::read(cert).ok());
                let carries = facts.as_ref().is_some_and(|f| f.carries(&settings.server_name));
                let elsewhere = facts.as_ref().is_some_and(|f| is_of_a_server(f, &settings.domain));
                let why = (!carries).then(|| not_a_server(facts.as_ref(), &settings.server_name));
                (why.clone(), why.filter(|_| !elsewhere))
            } else {
                (None, None)
            };
        let lane = chosen.unwrap_or(Lane::Requests);
        Ok((
            Box::new(Secure { session, peer }),
            Peer { secure: true, lane, not_server, no_server, enrolls: false },
        ))
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

    /// Makes a session with a server of the own datacenter to ask it for a certificate, with none to show. The caller sets the
    /// deadline.
    ///
    /// # Errors
    /// [`Refused::Tls`] when `auto_encrypt.tls` is not set, or the certificate of the server is not acceptable.
    pub async fn connect_enroll(&self, mut stream: Box<dyn Stream>) -> Result<Box<dyn Stream>, Refused> {
        let material = self.material();
        let config = material.rpc_enroll_client.clone();
        let config = config.ok_or_else(|| Refused::Tls("auto_encrypt.tls is not set".to_owned()))?;
        let name = material.settings.server_name.clone();
        let name = ServerName::try_from(name.clone())
            .map_err(|e| Refused::Tls(format!("{name:?} cannot be a server's name: {e}")))?;
        let peer = stream.peer_addr();
        stream.write_all(&ENROLL).await?;
        let session =
            TlsConnector::from(config).connect(name, stream).await.map_err(Refused::from_handshake)?;
        Ok(Box::new(Secure { session, peer }))
    }

    /// Whether this agent has what [`Self::connect_tunnel`] and its other side need.
    ///
    /// # Errors
    /// What is missing, in words for the log.
    pub fn can_tunnel(&self) -> Result<(), &'static str> {
        let material = self.material();
        if material.tunnel_clients.is_none() {
            return Err("tls.internal_rpc needs ca_file, cert_file, key_file and verify_outgoing = true");
        }
        if !material.settings.internal_rpc.verify_incoming {
            return Err("tls.internal_rpc needs verify_incoming = true");
        }
        Ok(())
    }

    /// Makes a session with a server called `name` over a connection to a mesh gateway, which reads that name and passes everything
    /// else on. The caller sets the deadline.
    ///
    /// # Errors
    /// [`Refused::Tls`] when the server's certificate is not acceptable or we have none to show, [`Refused::Io`] when the
    /// gateway ends the connection.
    pub async fn connect_tunnel(
        &self,
        stream: Box<dyn Stream>,
        name: &str,
        lane: Lane,
    ) -> Result<Box<dyn Stream>, Refused> {
        let material = self.material();
        let config = material.tunnel_clients.as_ref().and_then(|all| all.get(lane as usize)).cloned();
        let config =
            config.ok_or_else(|| Refused::Tls(self.can_tunnel().err().unwrap_or("no TLS").to_owned()))?;
        let server = ServerName::try_from(name.to_owned())
            .map_err(|e| Refused::Tls(format!("{name:?} cannot be a server's name: {e}")))?;
        let peer = stream.peer_addr();
        let session = TlsConnector::from(config).connect(server, stream).await.map_err(|e| {
            match no_way_on(&e) {
                // The gateway says so, not the server; another gateway may know the way.
                Some(why) => Refused::Io(io::Error::new(io::ErrorKind::NotFound, why)),
                None => Refused::from_handshake(e),
            }
        })?;
        if session.get_ref().1.alpn_protocol() != Some(lane.alpn()) {
            return Err(Refused::Tls(
                "the server does not take part in federation through mesh gateways".to_owned(),
            ));
        }
        Ok(Box::new(Secure { session, peer }))
    }
}

/// Whether a certificate carries `server.<some datacenter>.<domain>`.
fn is_of_a_server(facts: &CertFacts, domain: &str) -> bool {
    let tail = format!(".{}", domain.trim_matches('.')).to_ascii_lowercase();
    facts.dns_names.iter().any(|name| {
        let name = name.to_ascii_lowercase();
        let middle = name.strip_prefix("server.").and_then(|rest| rest.strip_suffix(&tail));
        middle.is_some_and(|dc| !dc.is_empty() && !dc.contains('.'))
    })
}
