//! `tls ca create` and `tls cert create`: files for agents, made without an agent.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    flags::{Flag, Kind},
    text::os_error,
};
use connect_ca::{AgentCa, AgentCert, Issued, KeyPair, Role, agent_ca, agent_cert};
use rand::TryRngCore;
use runtime::{SystemClock, WallClock};
use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path};

/// Stands for the domain in the names of the authority's files.
const DOMAIN: &str = "#DOMAIN#";
const CA_FILE: &str = "#DOMAIN#-agent-ca.pem";
const CA_KEY_FILE: &str = "#DOMAIN#-agent-ca-key.pem";
const CERT_MODE: u32 = 0o644;
const KEY_MODE: u32 = 0o600;

pub(super) static CA_CREATE: Command = Command {
    path: "tls ca create",
    synopsis: "Create a certificate authority",
    usage: "[options]",
    about: "Makes a certificate authority for the agents of a datacenter and saves its\n\
            certificate and key in the current directory. Certificates of agents are\n\
            then made with `tls cert create`. Keep the key away from agents.",
    flags: &[
        Flag::new("additional-name-constraint", Kind::List, "A further name that -name-constraint permits."),
        Flag::new("cluster-id", Kind::Text, "Adds the name spiffe://<id>.<domain>."),
        Flag::new("common-name", Kind::Text, "Common name; by default one with the serial number."),
        Flag::new("days", Kind::Int, "Days of validity, 1825 by default."),
        Flag::new("domain", Kind::Text, "Domain of the datacenter, consul by default."),
        Flag::new(
            "name-constraint",
            Kind::Bool,
            "Permit only names in the domain, localhost and the additional ones.",
        ),
    ],
    common: Common::None,
    run: create_ca,
};

pub(super) static CERT_CREATE: Command = Command {
    path: "tls cert create",
    synopsis: "Create a certificate",
    usage: "(-server | -client | -cli) [options]",
    about: "Makes a certificate for a server, a client agent or the command line, signed by\n\
            an authority of `tls ca create`, and saves it with its key in the current\n\
            directory.",
    flags: &[
        Flag::new("additional-dnsname", Kind::List, "A further DNS name."),
        Flag::new("additional-ipaddress", Kind::List, "A further IP address."),
        Flag::new("ca", Kind::Text, "The authority's certificate, #DOMAIN#-agent-ca.pem by default."),
        Flag::new("cli", Kind::Bool, "For the command line."),
        Flag::new("client", Kind::Bool, "For a client agent."),
        Flag::new("days", Kind::Int, "Days of validity, 365 by default."),
        Flag::new("dc", Kind::Text, "Datacenter, dc1 by default."),
        Flag::new("domain", Kind::Text, "Domain of the datacenter, consul by default."),
        Flag::new("key", Kind::Text, "The authority's key, #DOMAIN#-agent-ca-key.pem by default."),
        Flag::new("node", Kind::Text, "Node name of the server, for federation through mesh gateways."),
        Flag::new("server", Kind::Bool, "For a server."),
    ],
    common: Common::None,
    run: create_cert,
};

fn create_ca(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let flags = &session.flags;
    let domain = flags.given("domain").unwrap_or("consul");
    let (cert_file, key_file) = (CA_FILE.replace(DOMAIN, domain), CA_KEY_FILE.replace(DOMAIN, domain));
    for file in [&cert_file, &key_file] {
        if Path::new(file).exists() {
            return Err(Failure::new(format!("{file} already exists.")));
        }
    }
    let made = agent_ca(
        &key()?,
        &AgentCa {
            domain,
            common_name: flags.text("common-name"),
            cluster_id: flags.text("cluster-id"),
            name_constraints: flags.bool("name-constraint").then(|| flags.list("additional-name-constraint")),
            days: flags.number("days").unwrap_or(1825),
            serial: serial()?,
            now: now(),
        },
    );
    let made = made.map_err(|e| Failure::new(e.to_string()))?;
    save(session, &made, &cert_file, &key_file)
}

fn create_cert(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let flags = &session.flags;
    let ca = flags.given("ca").unwrap_or(CA_FILE);
    let ca_key = flags.given("key").unwrap_or(CA_KEY_FILE);
    if ca.is_empty() {
        return Err(Failure::new("Please provide the ca"));
    }
    if ca_key.is_empty() {
        return Err(Failure::new("Please provide the key"));
    }
    let role = match (flags.bool("server"), flags.bool("client"), flags.bool("cli")) {
        (true, false, false) => Role::Server,
        (false, true, false) => Role::Client,
        (false, false, true) => Role::Cli,
        _ => return Err(Failure::new("Please provide either -server, -client, or -cli")),
    };
    let node = flags.text("node");
    if !node.is_empty() && role != Role::Server {
        return Err(Failure::new("-node requires -server"));
    }
    let domain = flags.given("domain").unwrap_or("consul");
    let datacenter = flags.given("dc").unwrap_or("dc1");
    let (ca, ca_key) = (ca.replace(DOMAIN, domain), ca_key.replace(DOMAIN, domain));
    let ca_pem = read(&ca).map_err(|e| Failure::new(format!("Error reading CA: {e}")))?;
    let ca_key_pem = read(&ca_key).map_err(|e| Failure::new(format!("Error reading CA key: {e}")))?;
    let (cert_file, key_file) = free_names(&format!("{datacenter}-{}-{domain}", role.label()));
    let wanted = AgentCert {
        role,
        datacenter,
        domain,
        node,
        dns_names: flags.list("additional-dnsname"),
        addresses: flags.list("additional-ipaddress"),
        days: flags.number("days").unwrap_or(365),
        serial: serial()?,
        now: now(),
    };
    if role == Role::Server {
        session.io.say(
            "==> WARNING: Server Certificates grants authority to become a\n    \
             server of the datacenter, with access to all of its state and its keys.\n    \
             Give such a certificate to servers alone, and keep its key secret.",
        );
    }
    session.io.say(format!("==> Using {ca} and {ca_key}"));
    let made = agent_cert(&key()?, &ca_pem, &ca_key_pem, &wanted).map_err(|e| Failure::new(e.to_string()))?;
    save(session, &made, &cert_file, &key_file)
}

/// The first numbered pair of names that nothing has.
fn free_names(stem: &str) -> (String, String) {
    let names = |n: u32| (format!("{stem}-{n}.pem"), format!("{stem}-{n}-key.pem"));
    let free = |(cert, key): &(String, String)| !Path::new(cert).exists() && !Path::new(key).exists();
    (0..u32::MAX).map(names).find(free).unwrap_or_else(|| names(u32::MAX))
}

fn read(path: &str) -> Result<String, String> {
    let bytes = fs::read(path).map_err(|e| os_error(&format!("open {path}"), &e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn save(session: &mut Session<'_, '_>, made: &Issued, cert_file: &str, key_file: &str) -> Outcome {
    let files = [(cert_file, made.cert_pem.as_str(), CERT_MODE), (key_file, made.key_pem.expose(), KEY_MODE)];
    for (file, text, mode) in files {
        write(file, text, mode).map_err(|e| Failure::new(os_error(&format!("open {file}"), &e)))?;
        session.io.say(format!("==> Saved {file}"));
    }
    Ok(())
}

/// A new file: one that appeared meanwhile is not overwritten, and nobody else can read a key for a moment.
fn write(path: &str, text: &str, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(KEY_MODE).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

fn key() -> Result<KeyPair, Failure> {
    KeyPair::generate().map_err(|e| Failure::new(format!("error generating the private key: {e}")))
}

fn serial() -> Result<u128, Failure> {
    let mut bytes = [0; 16];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|e| Failure::new(format!("Error reading random data: {e}")))?;
    Ok(u128::from_be_bytes(bytes))
}

/// Unix seconds.
fn now() -> i64 {
    i64::try_from(SystemClock.unix_ms() / 1000).unwrap_or(i64::MAX)
}
