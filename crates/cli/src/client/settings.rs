//! Flags and environment into connection settings.

use super::address::Address;
use crate::{
    flags::{Parsed, parse_bool},
    io::Env,
    text::os_error,
};
use std::path::PathBuf;
use types::SecretToken;

/// How to reach the agent and as whom.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) address: Address,
    /// The address as it was given, for messages.
    pub(crate) shown: String,
    pub(crate) tls: bool,
    pub(crate) verify: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) ca_path: Option<PathBuf>,
    pub(crate) client_cert: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) server_name: Option<String>,
    pub(crate) token: SecretToken,
    pub(crate) basic_auth: Option<SecretToken>,
    pub(crate) namespace: String,
    pub(crate) partition: String,
    pub(crate) datacenter: String,
    pub(crate) stale: bool,
}

impl Settings {
    /// Flags beat environment. `warn` gets what is ignored.
    pub(crate) fn read(flags: &Parsed, env: &Env, mut warn: impl FnMut(String)) -> Result<Self, String> {
        let either =
            |flag: &str, var: &str| flags.given(flag).or_else(|| env.get(var)).filter(|v| !v.is_empty());
        let path = |flag: &str, var: &str| either(flag, var).map(PathBuf::from);
        let mut boolean = |var: &str| {
            let text = env.get(var)?;
            let value = parse_bool(text);
            if value.is_none() {
                warn(format!("could not parse {var}: invalid syntax: {text:?}"));
            }
            value
        };
        let shown = either("http-addr", "CONSUL_HTTP_ADDR").unwrap_or("127.0.0.1:8500").to_owned();
        let address = Address::parse(&shown)?;
        let ssl = boolean("CONSUL_HTTP_SSL").unwrap_or(false);
        let verify = boolean("CONSUL_HTTP_SSL_VERIFY").unwrap_or(true);
        Ok(Self {
            tls: address.tls.unwrap_or(ssl),
            address,
            shown,
            verify,
            ca_file: path("ca-file", "CONSUL_CACERT"),
            ca_path: path("ca-path", "CONSUL_CAPATH"),
            client_cert: path("client-cert", "CONSUL_CLIENT_CERT"),
            client_key: path("client-key", "CONSUL_CLIENT_KEY"),
            server_name: either("tls-server-name", "CONSUL_TLS_SERVER_NAME").map(str::to_owned),
            token: token(flags, env)?,
            basic_auth: env.get("CONSUL_HTTP_AUTH").map(SecretToken::new),
            namespace: either("namespace", "CONSUL_NAMESPACE").unwrap_or_default().to_owned(),
            partition: either("partition", "CONSUL_PARTITION").unwrap_or_default().to_owned(),
            datacenter: flags.text("datacenter").to_owned(),
            stale: flags.bool("stale"),
        })
    }
}

/// `-token-file`, `-token`, `CONSUL_HTTP_TOKEN_FILE`, `CONSUL_HTTP_TOKEN`: the first that is given.
fn token(flags: &Parsed, env: &Env) -> Result<SecretToken, String> {
    let given = |v: Option<&str>| v.filter(|t| !t.is_empty()).map(str::to_owned);
    let from_file = |path: String| {
        let text = std::fs::read_to_string(&path).map_err(|e| {
            format!("Error loading token file {path} : {}", os_error(&format!("open {path}"), &e))
        })?;
        Ok(SecretToken::new(text.trim()))
    };
    if let Some(path) = given(flags.given("token-file")) {
        return from_file(path);
    }
    if let Some(token) = given(flags.given("token")) {
        return Ok(SecretToken::new(token));
    }
    if let Some(path) = given(env.get("CONSUL_HTTP_TOKEN_FILE")) {
        return from_file(path);
    }
    Ok(given(env.get("CONSUL_HTTP_TOKEN")).map_or_else(SecretToken::default, SecretToken::new))
}
