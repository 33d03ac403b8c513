//! Rules that look at several settings.

use super::{ConfigError, Env, PathKind, Reader, addresses, names, rule, ui};
use crate::{merge::Value, settings::RuntimeConfig};
use types::validate::error_list;

pub(super) fn multiplier(r: &Reader<'_>) -> Result<(), ConfigError> {
    let n = r.int("performance.raft_multiplier", 5);
    if (1..=10).contains(&n) {
        return Ok(());
    }
    Err(rule(format!("performance.raft_multiplier cannot be {n}. Must be between 1 and 10")))
}

pub(super) fn federation_needs_mesh(r: &Reader<'_>) -> Result<(), ConfigError> {
    let federation = r.bool("connect.enable_mesh_gateway_wan_federation", false);
    if federation && !r.bool("connect.enabled", true) {
        return Err(rule(
            "'connect.enable_mesh_gateway_wan_federation=true' requires 'connect.enabled=true'",
        ));
    }
    Ok(())
}

pub(super) fn cidrs(r: &Reader<'_>) -> Result<(), ConfigError> {
    for key in ["serf_lan_allowed_cidrs", "serf_wan_allowed_cidrs"] {
        let (_, bad) = r.cidrs(key);
        if !bad.is_empty() {
            let list = error_list(bad.iter().map(|c| format!("invalid cidr: {c}")));
            return Err(rule(format!("{key}: {list}")));
        }
    }
    Ok(())
}

pub(super) fn cache(r: &Reader<'_>) -> Result<(), ConfigError> {
    let burst = r.int("cache.entry_fetch_max_burst", 2);
    if burst <= 0 {
        return Err(rule(format!("cache.entry_fetch_max_burst must be strictly positive, was: {burst}")));
    }
    if matches!(r.get("cache.entry_fetch_rate"), Some(Value::Float(v)) if *v == 0.0) {
        return Err(rule("cache.entry_fetch_rate must be strictly positive, was: 0"));
    }
    Ok(())
}

/// One expected server is bootstrap mode.
pub(super) fn bootstrap(r: &Reader<'_>) -> (bool, i64) {
    let (bootstrap, expect) = (r.bool("bootstrap", false), r.int("bootstrap_expect", 0));
    if expect == 1 {
        r.warn("BootstrapExpect is set to 1; this is the same as Bootstrap mode.");
        return (true, 0);
    }
    (bootstrap, expect)
}

/// Rules in their order, the first broken one ends it.
pub(super) fn validate(
    r: &Reader<'_>,
    env: &Env<'_>,
    c: &RuntimeConfig,
    expect: i64,
) -> Result<(), ConfigError> {
    if c.raft.protocol != 3 {
        let n = c.raft.protocol;
        return Err(rule(format!("raft_protocol version {n} is not supported by this version of Consul")));
    }
    names::check_datacenter(r, &c.node)?;
    data_dir(env, c)?;
    ui::check(&c.ui)?;
    names::check_name(r, &c.node)?;
    names::check_locality(&c.node)?;
    if c.net.advertise_lan.is_unspecified() {
        return Err(rule("Advertise address cannot be 0.0.0.0, :: or [::]"));
    }
    if c.net.advertise_wan.is_unspecified() {
        return Err(rule("Advertise WAN address cannot be 0.0.0.0, :: or [::]"));
    }
    if !r.text("segment").is_empty() || matches!(r.get("segments"), Some(Value::List(l)) if !l.is_empty()) {
        return Err(rule("Network segments are not supported in this version of Consul"));
    }
    if c.dns.recursors.iter().any(|a| matches!(a.as_str(), "0.0.0.0" | "::" | "[::]")) {
        return Err(rule("DNS recursor address cannot be 0.0.0.0, :: or [::]"));
    }
    names::check_alt_domain(&c.dns.alt_domain, &c.node.datacenter)?;
    bootstrap_rules(r, c, expect)?;
    if r.int("check_output_max_size", 4096) < 1 {
        return Err(rule(
            "check_output_max_size must be positive, to discard check output use the discard_check_output flag",
        ));
    }
    names::check_primary_datacenter(&c.node)?;
    if c.ui.enabled && c.ui.dir.is_some() && !c.dev_mode {
        return Err(rule(
            "Both the ui_config.enabled and ui_config.dir (or -ui and -ui-dir) were specified, please provide only one.\nIf trying to use your own web UI resources, use ui_config.dir or the -ui-dir flag.\nThe web UI is included in the binary so use ui_config.enabled or the -ui flag to enable it",
        ));
    }
    for key in ["dns_config.udp_answer_limit", "dns_config.a_record_limit", "autopilot.max_trailing_logs"] {
        let n = r.int(key, 0);
        if n < 0 {
            return Err(rule(format!("{key} cannot be {n}. Must be greater than or equal to zero")));
        }
    }
    names::check_meta(&c.node)?;
    if let Err(at) = crate::gossip_key::decode(c.gossip.encrypt.expose()) {
        return Err(rule(format!("encrypt has invalid key: illegal base64 data at input byte {}", at.0)));
    }
    federation(c)?;
    server_files(env, c, r)?;
    if c.server && !c.gossip.advertise_reconnect_timeout.is_zero() {
        return Err(rule("advertise_reconnect_timeout can only be used on a client"));
    }
    addresses::unique(&c.net)
}

fn data_dir(env: &Env<'_>, c: &RuntimeConfig) -> Result<(), ConfigError> {
    let Some(dir) = &c.data_dir else {
        return if c.dev_mode { Ok(()) } else { Err(rule("data_dir cannot be empty")) };
    };
    let shown = crate::quote(&dir.display().to_string());
    match env.disk.kind(dir) {
        PathKind::Missing | PathKind::Directory => Ok(()),
        PathKind::Other => Err(rule(format!("data_dir {shown} is not a directory"))),
        PathKind::Error(e) => Err(rule(format!("Error getting info on data_dir: {e}"))),
    }
}

fn bootstrap_rules(r: &Reader<'_>, c: &RuntimeConfig, expect: i64) -> Result<(), ConfigError> {
    if c.bootstrap && !c.server {
        return Err(rule("'bootstrap = true' requires 'server = true'"));
    }
    if expect < 0 {
        return Err(rule(format!(
            "bootstrap_expect cannot be {expect}. Must be greater than or equal to zero"
        )));
    }
    if expect > 0 && !c.server {
        return Err(rule("'bootstrap_expect > 0' requires 'server = true'"));
    }
    if expect > 0 && c.dev_mode {
        return Err(rule("'bootstrap_expect > 0' not allowed in dev mode"));
    }
    if expect > 0 && c.bootstrap {
        return Err(rule("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive"));
    }
    if expect == 2 {
        r.warn("bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance. See https://www.consul.io/docs/internals/consensus.html#deployment-table");
    } else if expect > 2 && expect % 2 == 0 {
        r.warn("bootstrap_expect is even number: A cluster with an even number of servers does not achieve optimum fault tolerance. See https://www.consul.io/docs/internals/consensus.html#deployment-table");
    }
    if expect > 1 {
        r.warn(format!("bootstrap_expect > 0: expecting {expect} servers"));
    }
    if c.bootstrap {
        r.warn("bootstrap = true: do not enable unless necessary");
    }
    Ok(())
}

/// Federation through mesh gateways.
fn federation(c: &RuntimeConfig) -> Result<(), ConfigError> {
    if c.connect.mesh_gateway_wan_federation {
        let this = "'connect.enable_mesh_gateway_wan_federation = true'";
        if !c.server {
            return Err(rule(format!("{this} requires 'server = true'")));
        }
        if c.node.name.contains('/') {
            return Err(rule(format!("{this} requires that 'node_name' not contain '/' characters")));
        }
        if !c.join.wan.is_empty() {
            return Err(rule(format!("'retry_join_wan' is incompatible with {this}")));
        }
    }
    if !c.join.primary_gateways.is_empty() {
        if !c.server {
            return Err(rule("'primary_gateways' requires 'server = true'"));
        }
        if c.node.primary_datacenter == c.node.datacenter {
            return Err(rule("'primary_gateways' should only be configured in a secondary datacenter"));
        }
    }
    Ok(())
}

/// What only servers keep on disk.
fn server_files(env: &Env<'_>, c: &RuntimeConfig, r: &Reader<'_>) -> Result<(), ConfigError> {
    if !c.server {
        return Ok(());
    }
    if let Some(mdb) = c.data_dir.as_ref().map(|d| d.join("mdb"))
        && matches!(env.disk.kind(&mdb), PathKind::Directory | PathKind::Other)
    {
        let shown = crate::quote(&mdb.display().to_string());
        return Err(rule(format!(
            "CRITICAL: Deprecated data folder found at {shown}!\nConsul will refuse to boot with this directory present.\nSee https://www.consul.io/docs/upgrade-specific.html for more information."
        )));
    }
    if !matches!(c.raft.log_store.backend.as_str(), "default" | "wal" | "boltdb") {
        return Err(rule("raft_logstore.backend must be one of 'boltdb' or 'wal'"));
    }
    let megabytes = r.int("raft_logstore.wal.segment_size_mb", 64);
    if megabytes < 1 {
        return Err(rule("raft_logstore.wal.segment_size_mb cannot be less than 1MB"));
    }
    if megabytes > 1024 {
        return Err(rule("raft_logstore.wal.segment_size_mb cannot be greater than 1024 (1GiB)"));
    }
    Ok(())
}

/// What is looked at last.
pub(super) fn late(r: &Reader<'_>, env: &Env<'_>, c: &RuntimeConfig) -> Result<(), ConfigError> {
    let provider = c.connect.ca_provider.as_str();
    if c.connect.enabled && !matches!(provider, "" | "consul" | "vault" | "aws-pca") {
        return Err(rule(format!("{provider} is not a valid CA provider")));
    }
    if c.auto_encrypt.tls && c.server {
        return Err(rule("auto_encrypt.tls can only be used on a client."));
    }
    if c.auto_encrypt.allow_tls && !c.server {
        return Err(rule("auto_encrypt.allow_tls can only be used on a server."));
    }
    if c.auto_encrypt.allow_tls && !c.tls.internal_rpc.verify_incoming {
        r.warn("if auto_encrypt.allow_tls is turned on, tls.internal_rpc.verify_incoming should be enabled (either explicitly or via tls.defaults.verify_incoming). It is necessary to turn it off during a migration to TLS, but it should definitely be turned on afterwards.");
    }
    late_warnings(r, c);
    if let Some(limit) = env.open_files {
        let conns = u64::from(c.http.max_conns_per_client);
        if conns + 20 > limit {
            return Err(rule(format!(
                "system allows a max of {limit} file descriptors, but limits.http_max_conns_per_client: {conns} needs at least {}",
                conns + 20
            )));
        }
    }
    auto_config(c)
}

fn late_warnings(r: &Reader<'_>, c: &RuntimeConfig) {
    if c.check.enable_remote_scripts && !c.acl.enabled && c.http.allow_write_from.is_empty() {
        r.warn("using enable-script-checks without ACLs and without allow_write_http_from is DANGEROUS, use enable-local-script-checks instead, see https://www.hashicorp.com/blog/protecting-consul-from-rce-risk-in-specific-configurations/");
    }
    if !c.server && c.rpc.enable_streaming {
        r.warn("rpc.enable_streaming = true has no effect when not running in server mode");
    }
    if c.server && c.rpc.use_streaming_backend && !c.rpc.enable_streaming {
        r.warn("use_streaming_backend = true requires rpc.enable_streaming on servers to work properly");
    }
}

fn auto_config(c: &RuntimeConfig) -> Result<(), ConfigError> {
    let a = &c.auto_config;
    if a.enabled {
        if !c.tls.internal_rpc.verify_outgoing {
            return Err(rule(
                "auto_config.enabled cannot be set without configuring TLS for server communications",
            ));
        }
        if c.server {
            return Err(rule("auto_config.enabled cannot be set to true for server agents."));
        }
        if a.intro_token.is_empty() && a.intro_token_file.is_empty() {
            return Err(rule(
                "One of auto_config.intro_token, auto_config.intro_token_file or the CONSUL_INTRO_TOKEN environment variable must be set to enable auto_config",
            ));
        }
        if a.server_addresses.is_empty() {
            return Err(rule("auto_config.enabled is set without providing a list of addresses"));
        }
        if c.auto_encrypt.tls {
            return Err(rule("both auto_encrypt.tls and auto_config.enabled cannot be set to true."));
        }
    }
    if a.authorization_enabled {
        if !c.server {
            return Err(rule("auto_config.authorization.enabled cannot be set to true for client agents"));
        }
        if c.tls.internal_rpc.cert_file.is_none() {
            return Err(rule(
                "auto_config.authorization.enabled cannot be set without providing a TLS certificate for the server",
            ));
        }
        if c.node.datacenter != c.node.primary_datacenter && c.acl.enabled && !c.acl.enable_token_replication
        {
            return Err(rule(
                "Enabling auto-config authorization (auto_config.authorization.enabled) in non primary datacenters with ACLs enabled (acl.enabled) requires also enabling ACL token replication (acl.enable_token_replication)",
            ));
        }
    }
    Ok(())
}
