//! The built-in gateway as a process beside an agent: registers, follows the catalog, passes TLS through, outlives the agent,
//! drains; and says what to do when it is given something wrong.
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Output, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};
use tempfile::TempDir;
use tests::{
    cluster::wait_for,
    process::{Answer, Child, binary, call, clean_command, free_ports, now},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// An agent for development, with its ports.
struct Agent {
    child: Option<Child>,
    binary: PathBuf,
    dir: TempDir,
    ports: Vec<u16>,
    federates: bool,
}

impl Agent {
    fn start(federates: bool) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("gateway-").tempdir()?;
        let binary = binary()?;
        let certificates: [&[&str]; 2] = [&["ca", "create"], &["cert", "create", "-server", "-node", "n1"]];
        for args in certificates {
            let made = clean_command(&binary).arg("tls").args(args).current_dir(dir.path()).output()?;
            ensure!(made.status.success(), "{args:?}: {}", String::from_utf8_lossy(&made.stderr));
        }
        let mut this = Self { child: None, binary, dir, ports: free_ports(5)?, federates };
        this.run()?;
        Ok(this)
    }

    fn run(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.dir.path().join("agent.log"))?;
        // Federation through gateways demands TLS.
        let connect = match self.federates {
            false => "connect { enabled = true }",
            true => {
                r#"connect { enabled = true  enable_mesh_gateway_wan_federation = true }
                   tls {
                     defaults {
                       ca_file = "consul-agent-ca.pem"
                       cert_file = "dc1-server-consul-0.pem"  key_file = "dc1-server-consul-0-key.pem"
                       verify_incoming = true  verify_outgoing = true
                     }
                     internal_rpc { verify_server_hostname = true }
                   }"#
            }
        };
        let flags = ["-http-port", "-dns-port", "-serf-lan-port", "-serf-wan-port", "-server-port"];
        let mut command = clean_command(&self.binary);
        command
            .args(["agent", "-dev", "-node", "n1", "-grpc-port", "-1", "-hcl", connect])
            .current_dir(self.dir.path());
        for (flag, port) in flags.iter().zip(&self.ports) {
            command.arg(flag).arg(port.to_string());
        }
        self.child = Some(Child::start(command.stdout(log.try_clone()?).stderr(log))?);
        wait_for("the agent's catalog", || {
            let nodes = self.get("/v1/catalog/nodes")?;
            (!nodes.as_array()?.is_empty()).then_some(())
        })
        .with_context(|| std::fs::read_to_string(self.dir.path().join("agent.log")).unwrap_or_default())?;
        Ok(())
    }

    fn http(&self) -> SocketAddr {
        local(self.ports[0])
    }

    fn get(&self, path: &str) -> Option<Value> {
        let answer = call(self.http(), "GET", path, "", "");
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok()).flatten()
    }

    fn put(&self, path: &str, body: &Value) -> Result<()> {
        let answer = call(self.http(), "PUT", path, &body.to_string(), "");
        ensure!(answer.status == 200, "{path}: {answer:?}");
        Ok(())
    }

    /// The command with its address, to its end.
    fn command(&self, args: &[&str]) -> Result<Output> {
        let mut command = clean_command(&self.binary);
        command.args(["connect", "gateway"]).args(args).env("CONSUL_HTTP_ADDR", self.http().to_string());
        Ok(command.output()?)
    }
}

/// A gateway that runs.
struct Gateway {
    child: Child,
    log: PathBuf,
    addr: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    fn start(agent: &Agent, args: &[&str]) -> Result<Self> {
        let ports = free_ports(2)?;
        let (addr, admin) = (local(ports[0]), local(ports[1]));
        let log = agent.dir.path().join("gateway.log");
        let file = File::create(&log)?;
        let mut command = clean_command(&agent.binary);
        command
            .args(["connect", "gateway", "-mesh", "-register", "-service", "gw"])
            .args(["-address", &addr.to_string(), "-wan-address", &addr.to_string()])
            .args(["-admin-bind", &admin.to_string(), "-log-level", "debug"])
            .args(args)
            .env("CONSUL_HTTP_ADDR", agent.http().to_string());
        let child = Child::start(command.stdout(file.try_clone()?).stderr(file).stdin(Stdio::null()))?;
        let this = Self { child, log, addr, admin };
        wait_for("the gateway's readiness", || (this.ask("/ready").status == 200).then_some(()))
            .with_context(|| this.logged())?;
        Ok(this)
    }

    fn ask(&self, path: &str) -> Answer {
        call(self.admin, "GET", path, "", "")
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The number of one line of its metrics.
    fn metric(&self, line: &str) -> u64 {
        let text = self.ask("/metrics").body;
        let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
        found.unwrap_or(u64::MAX)
    }

    fn routes(&self) -> Value {
        serde_json::from_str(&self.ask("/routes").body).unwrap_or_default()
    }
}

/// A TLS server that says its name and then echoes, and the certificate it shows.
fn tls_server(name: &'static str) -> Result<(u16, CertificateDer<'static>)> {
    let made = rcgen::generate_simple_self_signed(vec!["mesh.example".to_owned()])?;
    let cert = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.clone()], key)?;
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    // The threads end with the test process.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || -> Result<()> {
                let mut tls = StreamOwned::new(ServerConnection::new(config)?, stream);
                tls.write_all(name.as_bytes())?;
                let mut buffer = [0; 4096];
                loop {
                    let n = tls.read(&mut buffer)?;
                    if n == 0 {
                        return Ok(());
                    }
                    tls.write_all(&buffer[..n])?;
                }
            });
        }
    });
    Ok((port, cert))
}

/// A TLS connection to `name` through the gateway, which trusts any certificate and remembers it.
fn tls_client(gateway: SocketAddr, name: &str) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(Anyone));
    let config = Arc::new(config.with_no_client_auth());
    let stream = TcpStream::connect_timeout(&gateway, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(StreamOwned::new(ClientConnection::new(config, name.to_owned().try_into()?)?, stream))
}

/// Mesh certificates carry no DNS names; what is tested is that the bytes pass.
#[derive(Debug)]
struct Anyone;

mod anyone {
    use super::Anyone;
    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid as Valid, ServerCertVerified, ServerCertVerifier},
        crypto::ring::default_provider,
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    impl ServerCertVerifier for Anyone {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<Valid, Error> {
            Ok(Valid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<Valid, Error> {
            Ok(Valid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            default_provider().signature_verification_algorithms.supported_schemes()
        }
    }
}

fn said(tls: &mut impl Read, n: usize) -> Result<String> {
    let mut bytes = vec![0; n];
    tls.read_exact(&mut bytes)?;
    Ok(String::from_utf8(bytes)?)
}

fn web(port: u16, version: &str, id: &str) -> Value {
    json!({
        "Name": "web", "ID": id, "Address": "127.0.0.1", "Port": port, "Meta": { "version": version },
        "Connect": { "Native": true },
        "Check": { "CheckID": format!("{id}-ttl"), "TTL": "10m", "Status": "passing" },
    })
}

#[test]
fn tls_passes_by_name_and_routes_follow_the_catalog() -> Result<()> {
    let mut agent = Agent::start(true)?;
    let (one, cert_one) = tls_server("one")?;
    let (two, _) = tls_server("two")?;
    agent.put("/v1/agent/service/register", &web(one, "1", "web-1"))?;
    agent.put("/v1/agent/service/register", &web(two, "2", "web-2"))?;
    let resolver = json!({
        "Kind": "service-resolver", "Name": "web",
        "Subsets": { "v1": { "Filter": "Service.Meta.version == 1" }, "v2": { "Filter": "Service.Meta.version == 2" } },
    });
    agent.put("/v1/config", &resolver)?;
    let mut gateway = Gateway::start(&agent, &["-expose-servers", "-drain", "20s"])?;
    let (roots, _) = wait_for("a trust domain", || agent.get("/v1/connect/ca/roots"))?;
    let name = format!("web.default.dc1.internal.{}", roots["TrustDomain"].as_str().context("trust domain")?);

    // It has registered itself as others find it.
    let (mine, _) = wait_for("the registration", || agent.get("/v1/agent/service/gw"))?;
    ensure!(mine["Kind"] == "mesh-gateway" && mine["Meta"]["consul-wan-federation"] == "1", "{mine}");
    ensure!(mine["TaggedAddresses"]["wan"]["Port"] == gateway.addr.port(), "{mine}");

    // Subsets, with the server's own certificate at the other end.
    for (subset, who) in [("v1", "one"), ("v2", "two")] {
        let name = format!("{subset}.{name}");
        wait_for(&name, || (gateway.routes()[&name]["Backends"].as_array()?.len() == 1).then_some(()))
            .with_context(|| gateway.logged())?;
        let mut tls = tls_client(gateway.addr, &name)?;
        ensure!(said(&mut tls, 3)? == who, "{subset}");
        if who == "one" {
            ensure!(
                tls.conn.peer_certificates().context("certificates")?[0] == cert_one,
                "TLS was ended on the way"
            );
        }
    }

    // One becomes critical: all go to the other.
    agent.put("/v1/agent/check/fail/web-1-ttl", &Value::Null)?;
    wait_for("one backend", || (gateway.routes()[&name]["Backends"].as_array()?.len() == 1).then_some(()))?;
    for _ in 0..5 {
        ensure!(said(&mut tls_client(gateway.addr, &name)?, 3)? == "two");
    }

    // The server port, by the server's name and by the datacenter's.
    for name in ["n1.server.dc1.consul", "server.dc1.consul"] {
        let backends = gateway.routes()[name]["Backends"].clone();
        ensure!(backends == json!([local(agent.ports[4]).to_string()]), "{name}: {backends}");
    }
    let mut to_server = tls_client(gateway.addr, "server.dc1.consul")?;
    // It answers or refuses as it likes: it was reached.
    let _ = to_server.conn.complete_io(&mut to_server.sock);
    wait_for("a tunnel to the server", || {
        (gateway.metric("praetor_gateway_tunnels_opened_total{route=\"local_server\"}") == 1).then_some(())
    })?;
    drop(to_server);
    let mut nowhere = tls_client(gateway.addr, "server.dc9.consul")?;
    let refused = nowhere.conn.complete_io(&mut nowhere.sock).expect_err("nobody is there").to_string();
    ensure!(refused.contains("UnrecognisedName"), "{refused}");

    outlives_the_agent(&mut agent, &gateway, &name, two)?;
    drains(&agent, &mut gateway)
}

/// The agent dies, and comes back with nothing: the old routes serve on, and the gateway registers again.
fn outlives_the_agent(agent: &mut Agent, gateway: &Gateway, name: &str, two: u16) -> Result<()> {
    let mut open = tls_client(gateway.addr, name)?;
    ensure!(said(&mut open, 3)? == "two");
    agent.child = None;
    wait_for("it is noticed", || (gateway.metric("praetor_gateway_agent_away") == 1).then_some(()))?;
    ensure!(said(&mut tls_client(gateway.addr, name)?, 3)? == "two", "the last table serves");
    agent.run()?;
    agent.put("/v1/agent/service/register", &web(two, "2", "web-2"))?;
    wait_for("it registers again", || agent.get("/v1/agent/service/gw")).with_context(|| gateway.logged())?;
    open.write_all(b"still here")?;
    ensure!(said(&mut open, 10)? == "still here", "no tunnel was cut");
    // A new datacenter has a new trust domain.
    wait_for("its routes", || {
        let roots = agent.get("/v1/connect/ca/roots")?;
        let name = format!("web.default.dc1.internal.{}", roots["TrustDomain"].as_str()?);
        (gateway.routes()[&name]["Backends"].as_array()?.len() == 1).then_some(())
    })
    .with_context(|| gateway.logged())?;
    Ok(())
}

/// SIGTERM: nobody finds it, nobody gets in, and who is in may finish.
fn drains(agent: &Agent, gateway: &mut Gateway) -> Result<()> {
    let roots = agent.get("/v1/connect/ca/roots").context("roots")?;
    let name = format!("web.default.dc1.internal.{}", roots["TrustDomain"].as_str().context("trust domain")?);
    let mut open = tls_client(gateway.addr, &name)?;
    ensure!(said(&mut open, 3)? == "two");
    gateway.child.signal(Signal::TERM)?;
    wait_for("the port is closed", || TcpStream::connect(gateway.addr).is_err().then_some(()))?;
    ensure!(
        call(agent.http(), "GET", "/v1/agent/service/gw", "", "").status == 404,
        "it is still registered"
    );
    open.write_all(b"last words")?;
    ensure!(said(&mut open, 10)? == "last words");
    let closed = now();
    drop(open);
    let status = gateway.child.wait_end(PATIENCE).context("it does not end")?;
    ensure!(status.success(), "{status}\n{}", gateway.logged());
    println!("it ended {:?} after its last tunnel", closed.elapsed());
    ensure!(gateway.logged().contains("closed=0"), "{}", gateway.logged());
    Ok(())
}

fn refused(agent: &Agent, args: &[&str], texts: &[&str]) -> Result<()> {
    let out = agent.command(args)?;
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.code() == Some(1), "{args:?}: {:?} {text}", out.status);
    ensure!(texts.iter().all(|t| text.contains(t)), "{args:?}: {text}");
    Ok(())
}

#[test]
fn mistakes_say_what_to_do() -> Result<()> {
    let agent = Agent::start(false)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let taken = listener.local_addr()?.to_string();
    let register = ["-mesh", "-register"];
    let with = |more: &[&'static str]| [&register[..], more].concat();
    refused(&agent, &["-expose-servers"], &["'-expose-servers' can only be used for mesh gateways"])?;
    refused(&agent, &["-mesh", "-expose-servers"], &["'-expose-servers' requires '-register'"])?;
    refused(&agent, &[], &["-mesh is required"])?;
    refused(&agent, &["-mesh"], &["No mesh-gateway services registered with this agent", "-register"])?;
    refused(&agent, &with(&["-address", "gw.example"]), &["there is no port; write host:port"])?;
    refused(
        &agent,
        &with(&["-address", "{{ GetInterfaceIP \"nope0\" }}:1"]),
        &["the template gives no address", "127.0.0.1"],
    )?;
    refused(
        &agent,
        &with(&["-expose-servers", "-address", "127.0.0.1:1"]),
        &["'-expose-servers' needs '-wan-address'"],
    )?;
    refused(
        &agent,
        &with(&["-expose-servers", "-address", "127.0.0.1:1", "-wan-address", "127.0.0.1:1"]),
        &["does not federate through mesh gateways", "enable_mesh_gateway_wan_federation = true"],
    )?;
    refused(&agent, &with(&["-drain", "soon"]), &["-drain \"soon\"", "write a duration such as 10s"])?;
    refused(&agent, &with(&["-max-tunnels", "0"]), &["-max-tunnels must be at least 1"])?;
    refused(
        &agent,
        &["-mesh", "-register", "-address", &taken],
        &["cannot listen on", "address already in use", "choose another port"],
    )?;
    let nobody = local(free_ports(1)?[0]).to_string();
    refused(
        &agent,
        &["-mesh", "-register", "-http-addr", &nobody],
        &["Error connecting to Consul agent", "connection refused", "Is the agent running?"],
    )?;
    Ok(())
}
