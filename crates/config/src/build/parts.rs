//! The order in which a configuration is put together and checked; whoever meets two mistakes sees the same one first.

use super::{
    ConfigError, Env, Reader, addresses, config_entry, groups, limits, names, rules, services, tls, ui,
};
use crate::settings::{AutoConfigSettings, AutoEncryptSettings, RuntimeConfig};
use std::path::PathBuf;
use types::SecretToken;

pub(super) fn config(r: &Reader<'_>, env: &Env<'_>, dev: bool) -> Result<RuntimeConfig, ConfigError> {
    let server = r.bool("server", false);
    let net = addresses::net(r, env, server)?;
    let x = addresses::Expander::new(r, env);
    let recursors = addresses::recursors(&x)?;
    rules::multiplier(r)?;
    rules::federation_needs_mesh(r)?;
    let config_entries = config_entry::bootstrap(r)?;
    rules::cidrs(r)?;
    let tls = tls::tls(r)?;
    rules::cache(r)?;
    let (bootstrap, bootstrap_expect) = rules::bootstrap(r);
    let config = RuntimeConfig {
        node: names::node(r, env),
        server,
        dev_mode: dev,
        data_dir: r.filled("data_dir").map(PathBuf::from),
        bootstrap,
        bootstrap_expect: u32::try_from(bootstrap_expect).unwrap_or(0),
        net,
        gossip: groups::gossip(r),
        join: groups::join(r, &x),
        raft: groups::raft(r, dev),
        autopilot: groups::autopilot(r),
        rpc: groups::rpc(r, server, dev),
        dns: limits::dns(r, recursors),
        http: limits::http(r),
        limits: limits::limits(r),
        cache: limits::cache(r),
        ui: ui::ui(r),
        check: groups::check(r),
        acl: groups::acl(r),
        tls,
        connect: groups::connect(r),
        auto_encrypt: auto_encrypt(r),
        auto_config: auto_config(r, env, &x),
        telemetry: groups::telemetry(r),
        log: groups::log(r),
        process: groups::process(r, server),
        services: services::services(r),
        checks: services::checks(r),
        watches: services::watches(r),
        config_entries,
        experiments: r.texts("experiments"),
        written: r.settings().clone(),
    };
    rules::validate(r, env, &config, bootstrap_expect)?;
    let errors = r.take_errors();
    if !errors.is_empty() {
        return Err(ConfigError::Values(errors));
    }
    services::validate(&config)?;
    rules::late(r, env, &config)?;
    Ok(config)
}

fn auto_encrypt(r: &Reader<'_>) -> AutoEncryptSettings {
    let ip_san = r
        .texts("auto_encrypt.ip_san")
        .iter()
        .filter_map(|text| {
            let ip = text.parse().ok();
            if ip.is_none() {
                r.warn(format!("Cannot parse ip {} from AutoEncrypt.IPSAN", crate::quote(text)));
            }
            ip
        })
        .collect();
    AutoEncryptSettings {
        tls: r.bool("auto_encrypt.tls", false),
        allow_tls: r.bool("auto_encrypt.allow_tls", false),
        dns_san: r.texts("auto_encrypt.dns_san"),
        ip_san,
    }
}

fn auto_config(r: &Reader<'_>, env: &Env<'_>, x: &addresses::Expander<'_>) -> AutoConfigSettings {
    let written = r.text("auto_config.intro_token");
    let intro_token = match env.intro_token.as_deref().filter(|t| !t.is_empty()) {
        Some(t) => {
            if !written.is_empty() {
                r.warn("Both auto_config.intro_token and the CONSUL_INTRO_TOKEN environment variable are set. Using the value from the environment variable");
            }
            t
        }
        None => written,
    };
    AutoConfigSettings {
        enabled: r.bool("auto_config.enabled", false),
        intro_token: SecretToken::new(intro_token),
        intro_token_file: r.str("auto_config.intro_token_file"),
        server_addresses: x.targets("auto_config.server_addresses"),
        authorization_enabled: r.bool("auto_config.authorization.enabled", false),
    }
}
