//! Handshakes between agents in memory, and mistakes in files.

use crate::{Accepted, Lane, Learned, LoadError, Part, Peer, Refused, Settings, Tls, refusal, server_name};
use connect_ca::{AgentCa, AgentCert, Issued, KeyPair, Role, agent_ca, agent_cert};
use runtime::{Stream, TestClock};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};

const NOW: i64 = 1_760_000_000;
const DAY_MS: u64 = 86_400_000;

/// One end of a connection in memory.
struct Pipe(DuplexStream);

impl Stream for Pipe {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }
}
impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        b: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, b)
    }
}
impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, b: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, b)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        b: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, b)
    }
    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A directory with authorities `a` and `b`, and certificates of both for every role: `a-server.pem`, `a-server-key.pem`.
struct Files(TempDir);

fn put(dir: &Path, name: &str, made: &Issued) {
    std::fs::write(dir.join(format!("{name}.pem")), &made.cert_pem).unwrap();
    std::fs::write(dir.join(format!("{name}-key.pem")), made.key_pem.expose()).unwrap();
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for ca in ["a", "b"] {
            let wanted = AgentCa {
                domain: "consul",
                common_name: "the same name",
                cluster_id: "",
                name_constraints: None,
                days: 100,
                serial: 1,
                now: NOW,
            };
            let authority = agent_ca(&KeyPair::generate().unwrap(), &wanted).unwrap();
            put(dir.path(), ca, &authority);
            for role in [Role::Server, Role::Client, Role::Cli] {
                let wanted = AgentCert {
                    role,
                    datacenter: "dc1",
                    domain: "consul",
                    node: "",
                    dns_names: &[],
                    addresses: &[],
                    days: 10,
                    serial: 2,
                    now: NOW,
                };
                let (ca_pem, ca_key) = (&authority.cert_pem, authority.key_pem.expose());
                let made = agent_cert(&KeyPair::generate().unwrap(), ca_pem, ca_key, &wanted).unwrap();
                put(dir.path(), &format!("{ca}-{}", role.label()), &made);
            }
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Everything verified, authority `ca`, certificate `own`.
    fn strict(&self, ca: &str, own: &str) -> Settings {
        let part = Part {
            name: "internal_rpc",
            ca_file: Some(self.path(&format!("{ca}.pem"))),
            cert_file: Some(self.path(&format!("{own}.pem"))),
            key_file: Some(self.path(&format!("{own}-key.pem"))),
            verify_incoming: true,
            verify_outgoing: true,
            ..Part::default()
        };
        Settings {
            https: Part { name: "https", verify_outgoing: false, ..part.clone() },
            grpc: Part { name: "grpc", ..Part::default() },
            internal_rpc: part,
            verify_server_hostname: true,
            server_name: server_name("dc1", "consul."),
            domain: "consul.".into(),
            ..Settings::default()
        }
    }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock::at(NOW as u64 * 1000 + 3_600_000))
}

fn tls(settings: Settings) -> Tls {
    Tls::load(settings, clock()).unwrap()
}

/// What the accepting side says, and what the connecting side says after it waited for a byte.
async fn meet(server: &Tls, client: &Tls) -> (Result<Peer, String>, Result<bool, String>) {
    let (a, b) = tokio::io::duplex(64 << 10);
    let accept = async {
        let mut stream: Box<dyn Stream> = Box::new(Pipe(a));
        let mut head = vec![0; 4];
        stream.read_exact(&mut head).await.unwrap();
        let (mut stream, peer) = match server.accept_rpc(stream, head).await {
            Ok(accepted) => accepted,
            Err(e) => return Err(e.to_string()),
        };
        stream.write_all(b"!").await.unwrap();
        stream.flush().await.unwrap();
        Ok(peer)
    };
    let connect = async {
        let (mut stream, secure) =
            client.connect_rpc(Box::new(Pipe(b)), None).await.map_err(|e| e.to_string())?;
        if !secure {
            stream.write_all(b"plain").await.map_err(|e| e.to_string())?;
        }
        let read = stream.read_u8().await;
        read.map(|_| secure).map_err(|e| refusal(&e).unwrap_or_else(|| e.to_string()))
    };
    tokio::join!(accept, connect)
}

#[tokio::test]
async fn servers_and_clients_of_one_authority_meet() {
    let files = Files::new();
    let server = tls(files.strict("a", "a-server"));
    let (peer, client) = meet(&server, &tls(files.strict("a", "a-server"))).await;
    assert_eq!(
        peer.unwrap(),
        Peer { secure: true, lane: Lane::Requests, not_server: None, no_server: None, enrolls: false }
    );
    assert_eq!(client, Ok(true));
    for other in ["a-client", "a-cli"] {
        let (peer, client) = meet(&server, &tls(files.strict("a", other))).await;
        let why = peer.unwrap().not_server.unwrap();
        assert!(why.contains("not for server.dc1.consul"), "{why}");
        assert_eq!(client, Ok(true));
    }
}

#[tokio::test]
async fn each_refusal_says_why_on_both_sides() {
    let files = Files::new();
    let server = tls(files.strict("a", "a-server"));
    let ask = async |client: Settings| {
        let (server, client) = meet(&server, &tls(client)).await;
        (server.unwrap_err(), client.unwrap_err())
    };
    // Its authority has the name of ours, so that the signature decides.
    let mut other = files.strict("a", "b-client");
    let (here, there) = ask(other.clone()).await;
    assert!(here.contains("authority"), "{here}");
    assert!(there.contains("it refuses our certificate"), "{there}");
    (other.internal_rpc.cert_file, other.internal_rpc.verify_incoming) = (None, false);
    let (here, there) = ask(other.clone()).await;
    assert!(here.contains("shows no certificate"), "{here}");
    assert!(there.contains("we show none"), "{there}");
    (other.internal_rpc.verify_outgoing, other.verify_server_hostname) = (false, false);
    let (here, _) = ask(other).await;
    assert_eq!(here, "Non-TLS connection attempted with VerifyIncoming set");
    let (here, there) = ask(files.strict("b", "a-client")).await;
    assert!(here.contains("refuses our certificate"), "{here}");
    assert!(there.contains("authority"), "{there}");
}

#[tokio::test]
async fn a_client_certificate_does_not_make_a_server() {
    let files = Files::new();
    let impostor = tls(files.strict("a", "a-client"));
    let (here, there) = meet(&impostor, &tls(files.strict("a", "a-server"))).await;
    assert!(
        there
            .unwrap_err()
            .contains("it carries client.dc1.consul, localhost, 127.0.0.1, not server.dc1.consul")
    );
    assert!(here.unwrap_err().contains("refuses our certificate"));
    let mut lenient = files.strict("a", "a-server");
    lenient.verify_server_hostname = false;
    assert_eq!(meet(&impostor, &tls(lenient)).await.1, Ok(true));
}

#[tokio::test]
async fn certificates_end_by_the_agents_clock() {
    let files = Files::new();
    let time = clock();
    let server = Tls::load(files.strict("a", "a-server"), time.clone()).unwrap();
    let client = tls(files.strict("a", "a-client"));
    assert!(meet(&server, &client).await.0.is_ok());
    time.advance_ms(11 * DAY_MS);
    let (here, there) = meet(&server, &client).await;
    assert!(here.unwrap_err().contains("it has expired"));
    assert!(there.unwrap_err().contains("expired"));
}

#[tokio::test]
async fn files_are_swapped_as_a_whole() {
    let files = Files::new();
    let server = tls(files.strict("a", "a-server"));
    let client = tls(files.strict("b", "b-client"));
    assert!(meet(&server, &client).await.0.is_err());
    let before = server.fingerprint();
    for name in ["server.pem", "server-key.pem"] {
        std::fs::copy(files.path(&format!("b-{name}")), files.path(&format!("a-{name}"))).unwrap();
    }
    std::fs::write(files.path("a.pem"), "half a file").unwrap();
    assert_ne!(server.fingerprint(), before);
    assert!(server.reload().unwrap_err().to_string().contains("a.pem"));
    assert!(meet(&server, &tls(files.strict("b", "b-client"))).await.0.is_err());
    std::fs::copy(files.path("b.pem"), files.path("a.pem")).unwrap();
    server.reload().unwrap();
    assert_eq!(meet(&server, &client).await.1, Ok(true));
}

#[tokio::test]
async fn without_settings_connections_are_plain_and_tls_is_named() {
    let files = Files::new();
    let off = Tls::off(clock());
    let (peer, client) = meet(&off, &off).await;
    assert_eq!((peer.unwrap().secure, client), (false, Ok(false)));
    let (here, _) = meet(&off, &tls(files.strict("a", "a-client"))).await;
    assert!(here.unwrap_err().contains("tls.internal_rpc has no cert_file"));
    let (a, _b) = tokio::io::duplex(1024);
    assert!(matches!(off.accept_https(a).await, Err(Refused::Tls(_))));
    let server = tls(files.strict("a", "a-server"));
    let (a, mut b) = tokio::io::duplex(1024);
    b.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(matches!(server.accept_https(a).await, Ok(Accepted::Plain(_))));
}

#[test]
fn mistakes_name_setting_and_file() {
    let files = Files::new();
    std::fs::write(files.path("text"), "nope\n").unwrap();
    std::fs::create_dir(files.path("empty")).unwrap();
    let fail = |change: &dyn Fn(&mut Part)| -> LoadError {
        let mut settings = files.strict("a", "a-server");
        change(&mut settings.https);
        Tls::load(settings, clock()).unwrap_err()
    };
    let texts = [
        (
            fail(&|p| p.ca_file = Some("/none/ca.pem".into())),
            "Error loading from /none/ca.pem: open /none/ca.pem: no such file or directory (tls.https, ca_file /none/ca.pem)",
        ),
        (fail(&|p| p.ca_file = None), "VerifyIncoming set but no CA certificates were provided (tls.https)"),
        (
            fail(&|p| (p.ca_file, p.verify_incoming, p.verify_outgoing) = (None, false, true)),
            "VerifyOutgoing set but no CA certificates were provided (tls.https)",
        ),
        (fail(&|p| p.cert_file = None), "VerifyIncoming requires either a Cert and Key pair"),
        (
            fail(&|p| p.cert_file = Some(files.path("text"))),
            "Failed to load cert/key pair: tls: failed to find any PEM data in certificate input (tls.https, cert_file ",
        ),
        (
            fail(&|p| p.key_file = Some(files.path("a-client-key.pem"))),
            "tls: private key does not match public key (tls.https, key_file ",
        ),
        (fail(&|p| p.key_file = Some(files.path("a.pem"))), "failed to find a private key"),
        (fail(&|p| p.ca_file = Some(files.path("text"))), "failed to parse PEM "),
        (
            fail(&|p| (p.ca_file, p.ca_path) = (None, Some(files.path("empty")))),
            "Error loading from CAPath: no CAs found",
        ),
        (fail(&|p| (p.ca_file, p.ca_path) = (None, Some(files.0.path().into()))), "failed to parse PEM "),
        (fail(&|p| p.cipher_suites = vec!["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA".into()]), "tls_cipher_suites"),
    ];
    for (error, text) in texts {
        assert!(error.to_string().contains(text), "{error}");
    }
    let mut settings = files.strict("a", "a-server");
    settings.https.cipher_suites = vec!["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".into()];
    settings.https.min_version = "TLSv1_3".into();
    assert_eq!(tls(settings).own().len(), 2);
}

/// What both sides say when `client` asks `server` for a certificate.
async fn enroll(server: &Tls, client: &Tls) -> (Result<Peer, String>, Result<(), String>) {
    let (a, b) = tokio::io::duplex(64 << 10);
    let accept = async {
        let mut stream: Box<dyn Stream> = Box::new(Pipe(a));
        let mut head = vec![0; 8];
        stream.read_exact(&mut head).await.map_err(|e| e.to_string())?;
        let (mut stream, peer) = server.accept_rpc(stream, head).await.map_err(|e| e.to_string())?;
        stream.write_all(b"!").await.map_err(|e| e.to_string())?;
        stream.flush().await.map_err(|e| e.to_string())?;
        Ok(peer)
    };
    let connect = async {
        let mut stream = client.connect_enroll(Box::new(Pipe(b))).await.map_err(|e| e.to_string())?;
        stream.read_u8().await.map(drop).map_err(|e| e.to_string())
    };
    tokio::join!(accept, connect)
}

#[tokio::test]
async fn a_client_without_a_certificate_asks_and_then_shows_what_it_got() {
    let files = Files::new();
    let mut gives = files.strict("a", "a-server");
    gives.enrolls = true;
    let mut learns = files.strict("a", "a-client");
    for part in [&mut learns.internal_rpc, &mut learns.https] {
        part.cert_file = None;
        part.verify_incoming = part.name == "internal_rpc";
    }
    learns.learns = true;
    let (server, client) = (tls(gives), tls(learns.clone()));
    let (peer, asked) = enroll(&server, &client).await;
    let peer = peer.unwrap();
    assert!(peer.enrolls && peer.not_server.is_some() && peer.no_server.is_some());
    assert_eq!(asked, Ok(()));
    let told = server.enrollment().unwrap();
    assert!(told.verify_server_hostname && told.authorities.len() == 1);

    // Without one it is not let in otherwise; with one of an authority that the server learned of, it is.
    assert!(meet(&server, &client).await.0.is_err());
    let text = |name: &str| types::Str::from(std::fs::read_to_string(files.path(name)).unwrap());
    let key = types::SecretToken::new(text("b-client-key.pem"));
    let own = Some((text("b-client.pem"), key));
    client.learn(Learned { own, server_authorities: told.authorities, ..Learned::default() }).unwrap();
    assert!(meet(&server, &client).await.0.is_err(), "the server does not know that authority yet");
    let authorities = vec![text("b.pem")];
    server.learn(Learned { client_authorities: authorities, ..Learned::default() }).unwrap();
    assert!(meet(&server, &client).await.0.unwrap().not_server.is_some());
    assert_eq!(client.own()[0].file.display().to_string(), "auto_encrypt");
    client.reload().unwrap();
    assert_eq!(client.own().len(), 1, "a reload forgets nothing");
    let bad = client
        .learn(Learned { own: Some(("x".into(), types::SecretToken::new("SECRET"))), ..Learned::default() });
    assert!(!bad.unwrap_err().to_string().contains("SECRET"));

    // A server of another authority is not asked, and one that gives none says so.
    let (_, asked) = enroll(&tls(Settings { enrolls: true, ..files.strict("b", "b-server") }), &client).await;
    assert!(asked.is_err());
    let (refused, _) = enroll(&tls(files.strict("a", "a-server")), &client).await;
    assert!(refused.unwrap_err().contains("auto_encrypt.allow_tls is not set"));
}
