//! A datacenter whose agents verify each other, with files of our own `tls` command; who is refused and why; new certificates
//! without a restart.
#![allow(clippy::print_stdout, reason = "a test says what it measured")]

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use std::{
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};
use tests::{
    cluster::{Cluster, wait_for},
    process::{binary, call, clean_command, free_ports, now},
};

/// Certificates in the cluster's directory: authorities in `ca` and `other`, what agents use beside them by node name.
struct Certificates {
    binary: PathBuf,
    dir: PathBuf,
}

impl Certificates {
    fn new(cluster: &Cluster) -> Result<Self> {
        let this = Self { binary: binary()?, dir: cluster.dir().to_owned() };
        for ca in ["ca", "other"] {
            std::fs::create_dir(this.dir.join(ca))?;
            this.tls(ca, &["ca", "create"])?;
        }
        std::fs::copy(this.dir.join("ca/consul-agent-ca.pem"), this.dir.join("trusted.pem"))?;
        Ok(this)
    }

    fn run(&self, dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<Output> {
        let mut command = clean_command(&self.binary);
        Ok(command.args(args).envs(env.iter().copied()).current_dir(dir).output()?)
    }

    fn tls(&self, ca: &str, args: &[&str]) -> Result<String> {
        let all: Vec<&str> = ["tls"].iter().chain(args).copied().collect();
        let out = self.run(&self.dir.join(ca), &all, &[])?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        ensure!(out.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
        Ok(text)
    }

    /// Makes a certificate and puts it where `node` looks, over what is there.
    fn give(&self, node: &str, ca: &str, args: &[&str]) -> Result<()> {
        let all: Vec<&str> = ["cert", "create"].iter().chain(args).copied().collect();
        let said = self.tls(ca, &all)?;
        let saved = said.lines().find_map(|l| l.strip_prefix("==> Saved ")).context("nothing saved")?;
        let key = saved.replace(".pem", "-key.pem");
        std::fs::copy(self.dir.join(ca).join(key), self.path(&format!("{node}-key.pem")))?;
        std::fs::copy(self.dir.join(ca).join(saved), self.path(&format!("{node}.pem")))?;
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A command over HTTPS, as the holder of `node`'s certificate if one is named.
    fn https(&self, port: u16, args: &[&str], ca: &str, node: Option<&str>) -> Result<Output> {
        let (addr, ca) = (format!("https://127.0.0.1:{port}"), self.path(ca));
        let mut env = vec![("CONSUL_HTTP_ADDR", addr), ("CONSUL_CACERT", ca.display().to_string())];
        if let Some(node) = node {
            env.push(("CONSUL_CLIENT_CERT", self.path(&format!("{node}.pem")).display().to_string()));
            env.push(("CONSUL_CLIENT_KEY", self.path(&format!("{node}-key.pem")).display().to_string()));
        }
        let env: Vec<_> = env.iter().map(|(k, v)| (*k, v.as_str())).collect();
        self.run(&self.dir, args, &env)
    }
}

fn shown(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// More configuration for an agent, read after its own.
fn configure(cluster: &mut Cluster, node: &str, text: &str) -> Result<()> {
    let file = cluster.dir().join(format!("{node}-tls.hcl"));
    std::fs::write(&file, text)?;
    cluster.node_mut(node)?.args = vec!["-config-file".into(), file.display().to_string()];
    Ok(())
}

/// Everything verified, with files beside the agent's directory.
fn strict(node: &str, more: &str) -> String {
    format!(
        r#"tls {{
             defaults {{
               ca_file = "trusted.pem"  cert_file = "{node}.pem"  key_file = "{node}-key.pem"
               verify_incoming = true  verify_outgoing = true
             }}
             internal_rpc {{ verify_server_hostname = true }}
           }}
           {more}
        "#
    )
}

/// Waits until one of the servers has logged a line with all of `parts`.
fn wait_logged(cluster: &Cluster, parts: &[&str]) -> Result<()> {
    let found = || {
        let servers = cluster.nodes.iter().filter(|n| n.name.starts_with("server"));
        servers
            .flat_map(|n| n.log().lines().map(str::to_owned).collect::<Vec<_>>())
            .find(|l| parts.iter().all(|p| l.contains(p)))
    };
    match wait_for(&format!("a line with {parts:?}"), found) {
        Ok((line, _)) => {
            println!("{line}");
            Ok(())
        }
        Err(e) => anyhow::bail!("{e}\n{}", cluster.logs()),
    }
}

/// Three servers and a client, and the port of server1's HTTPS API.
fn datacenter() -> Result<(Cluster, Certificates, u16)> {
    let mut cluster = Cluster::new(3, 2)?;
    let certificates = Certificates::new(&cluster)?;
    let port = free_ports(1)?.first().copied().context("no port")?;
    for n in 1..=3 {
        let name = format!("server{n}");
        certificates.give(&name, "ca", &["-server"])?;
        let more = if n == 1 { format!("ports {{ https = {port} }}") } else { String::new() };
        configure(&mut cluster, &name, &strict(&name, &more))?;
    }
    certificates.give("client1", "ca", &["-client"])?;
    configure(&mut cluster, "client1", &strict("client1", ""))?;
    for name in ["server1", "server2", "server3", "client1"] {
        cluster.node_mut(name)?.start()?;
    }
    let took = cluster.wait_formed(4)?;
    println!(
        "four agents with verify_incoming, verify_outgoing and verify_server_hostname formed in {took:?}"
    );
    Ok((cluster, certificates, port))
}

/// The API over HTTPS, with and without what it demands.
fn https(cluster: &Cluster, certificates: &Certificates, port: u16) -> Result<()> {
    certificates.give("cli", "ca", &["-cli"])?;
    certificates.give("stranger", "other", &["-cli"])?;
    let members = certificates.https(port, &["members"], "trusted.pem", Some("cli"))?;
    ensure!(members.status.success() && shown(&members).contains("server3"), "{}", shown(&members));
    let put = certificates.https(port, &["kv", "put", "k", "v"], "trusted.pem", Some("cli"))?;
    ensure!(put.status.success(), "{}", shown(&put));
    let read = cluster.node("client1")?.call("GET", "/v1/kv/k?raw", "");
    ensure!(read.body == "v", "{read:?}");
    // As flags, and with the scheme from the environment.
    let (ca, cert, key) =
        (certificates.path("trusted.pem"), certificates.path("cli.pem"), certificates.path("cli-key.pem"));
    let files = [("-ca-file", ca), ("-client-cert", cert), ("-client-key", key)];
    let mut args = vec!["kv".to_owned(), "get".into(), format!("-http-addr=127.0.0.1:{port}")];
    args.extend(files.iter().map(|(flag, file)| format!("{flag}={}", file.display())));
    args.push("k".into());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let got = certificates.run(&certificates.dir, &args, &[("CONSUL_HTTP_SSL", "true")])?;
    ensure!(got.status.success() && shown(&got).contains('v'), "{}", shown(&got));
    for (ca, who, why) in [
        ("trusted.pem", None, "we show none, and it demands one"),
        ("trusted.pem", Some("stranger"), "not signed by an authority"),
        ("other/consul-agent-ca.pem", Some("cli"), "tls"),
    ] {
        let refused = certificates.https(port, &["members"], ca, who)?;
        ensure!(
            !refused.status.success() && shown(&refused).contains(why),
            "{ca} {who:?}: {}",
            shown(&refused)
        );
    }
    let plain = call(([127, 0, 0, 1], port).into(), "GET", "/v1/status/leader", "", "");
    ensure!(
        plain.status == 400 && plain.body == "Client sent an HTTP request to an HTTPS server.\n",
        "{plain:?}"
    );
    Ok(())
}

/// An agent that the servers must not let in, and the line that says why.
fn refused(cluster: &mut Cluster, config: &str, why: &str) -> Result<()> {
    configure(cluster, "client2", config)?;
    cluster.node_mut("client2")?.start()?;
    wait_logged(cluster, &["refused an rpc connection from 127.0.0.5:", why])?;
    let client = cluster.node("client2")?;
    wait_for("the outsider's API", || {
        (client.call("GET", "/v1/agent/self", "").status == 200).then_some(())
    })?;
    let answer = client.call("GET", "/v1/catalog/nodes", "");
    ensure!(answer.status == 500, "{answer:?}");
    cluster.node_mut("client2")?.kill();
    Ok(())
}

#[test]
fn a_datacenter_over_tls_refuses_others_and_takes_new_certificates() -> Result<()> {
    let (mut cluster, certificates, port) = datacenter()?;
    https(&cluster, &certificates, port)?;

    // Who does not belong.
    refused(&mut cluster, "", "Non-TLS connection attempted with VerifyIncoming set")?;
    let outgoing = "tls { defaults { ca_file = \"trusted.pem\" verify_outgoing = true } }";
    refused(&mut cluster, outgoing, "it shows no certificate, and verify_incoming demands one")?;
    certificates.give("client2", "other", &["-client"])?;
    refused(&mut cluster, &strict("client2", ""), "not signed by an authority")?;
    certificates.give("client2", "ca", &["-client", "-days=0"])?;
    let made = now();
    wait_for("the second after its end", || (made.elapsed() > Duration::from_secs(1)).then_some(()))?;
    refused(&mut cluster, &strict("client2", ""), "it has expired")?;

    // A server with a client's certificate: refused by those it connects to and by those that connect to it.
    cluster.node_mut("server3")?.kill();
    certificates.give("server3", "ca", &["-client"])?;
    cluster.node_mut("server3")?.start()?;
    wait_logged(
        &cluster,
        &["no rpc connection to 127.0.0.3:", "it carries", "client.dc1.consul", "not server.dc1.consul"],
    )?;
    wait_logged(
        &cluster,
        &[
            "refused an rpc connection from 127.0.0.3:",
            "its certificate is for client.dc1.consul",
            "not for server.dc1.consul",
        ],
    )?;

    // The right one instead, while it runs.
    certificates.give("server3", "ca", &["-server"])?;
    wait_logged(&cluster, &["TLS files changed, taken over", "server.dc1.consul"])?;
    let took = cluster.wait_formed(4)?;
    println!("with the right certificate server3 belongs to it after {took:?}");

    rotate(&mut cluster, &certificates, port)?;
    let panics = cluster.panics();
    ensure!(panics.is_empty(), "{panics:?}");
    Ok(())
}

/// A new authority and new certificates, in the order that never refuses anyone; by file, by command and by signal.
fn rotate(cluster: &mut Cluster, certificates: &Certificates, port: u16) -> Result<()> {
    let new = std::fs::read_to_string(certificates.path("other/consul-agent-ca.pem"))?;
    let old = std::fs::read_to_string(certificates.path("ca/consul-agent-ca.pem"))?;
    let reload = |cluster: &mut Cluster| -> Result<()> {
        for name in ["server2", "server3", "client1"] {
            let reloads =
                |c: &Cluster| anyhow::Ok(c.node(name)?.log().matches("configuration reloaded").count());
            let before = reloads(cluster)?;
            cluster.node_mut(name)?.signal(Signal::HUP)?;
            wait_for("a reload", || (reloads(cluster).ok()? > before).then_some(()))?;
        }
        Ok(())
    };
    std::fs::write(certificates.path("trusted.pem"), format!("{old}{new}"))?;
    let out = certificates.https(port, &["reload"], "ca/consul-agent-ca.pem", Some("cli"))?;
    ensure!(out.status.success(), "{}", shown(&out));
    reload(cluster)?;
    for n in 1..=3 {
        certificates.give(&format!("server{n}"), "other", &["-server"])?;
    }
    certificates.give("client1", "other", &["-client"])?;
    // Its own certificate is still of the old authority, which the servers still take.
    let out = certificates.https(port, &["reload"], "trusted.pem", Some("cli"))?;
    ensure!(out.status.success(), "{}", shown(&out));
    reload(cluster)?;
    certificates.give("cli", "other", &["-cli"])?;
    let out = certificates.https(port, &["members"], "other/consul-agent-ca.pem", Some("cli"))?;
    ensure!(out.status.success(), "the new certificate is not in use: {}", shown(&out));
    std::fs::write(certificates.path("trusted.pem"), new)?;
    let out = certificates.https(port, &["reload"], "trusted.pem", Some("cli"))?;
    ensure!(out.status.success(), "{}", shown(&out));
    reload(cluster)?;
    // A fresh start has only the new files to go by.
    cluster.node_mut("server2")?.kill();
    cluster.node_mut("server2")?.start()?;
    let took = cluster.wait_formed(4)?;
    println!("after the authority was replaced a restarted server belongs to it after {took:?}");
    // Half a file changes nothing.
    std::fs::write(certificates.path("server1.pem"), "half")?;
    let out = certificates.https(port, &["reload"], "trusted.pem", Some("cli"))?;
    ensure!(!out.status.success() && shown(&out).contains("server1.pem"), "{}", shown(&out));
    let out = certificates.https(port, &["members"], "trusted.pem", Some("cli"))?;
    ensure!(out.status.success(), "{}", shown(&out));
    Ok(())
}
