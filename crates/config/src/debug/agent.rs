//! Node, process and mesh.

use super::{dur, hidden, rate, secret, written};
use crate::settings::{RuntimeConfig, TlsListener};
use serde_json::{Value as Json, json};
use std::{path::PathBuf, time::Duration};

fn path(p: &Option<PathBuf>) -> String {
    p.as_ref().map(|p| p.display().to_string()).unwrap_or_default()
}

pub(super) fn node(c: &RuntimeConfig) -> Json {
    json!({
        "Datacenter": c.node.datacenter.as_str(),
        "PrimaryDatacenter": c.node.primary_datacenter.as_str(),
        "NodeName": c.node.name.as_str(),
        "NodeID": c.node.id,
        "NodeMeta": c.node.meta,
        "Locality": c.node.locality.as_ref().map(|l| json!({ "Region": l.region, "Zone": l.zone })),
        "ReadReplica": c.node.read_replica,
        "SegmentLimit": c.node.segment_limit,
        "SegmentName": "",
        "SegmentNameLimit": 64,
        "Segments": [],
        "ServerMode": c.server,
        "DevMode": c.dev_mode,
        "DataDir": path(&c.data_dir),
        "Bootstrap": c.bootstrap,
        "BootstrapExpect": c.bootstrap_expect,
        "DisableHostNodeID": c.node.disable_host_id,
        "Version": types::API_LEVEL,
        "VersionPrerelease": "",
        "VersionMetadata": "",
        "Experiments": c.experiments,
        "ACLsEnabled": c.acl.enabled,
        "ACLEnableKeyListPolicy": c.acl.enable_key_list_policy,
        "ACLInitialManagementToken": secret(&c.acl.tokens.initial_management),
        "ACLTokenReplication": c.acl.enable_token_replication,
        "ACLResolverSettings": {
            "ACLsEnabled": c.acl.enabled,
            "Datacenter": c.node.datacenter.as_str(),
            "NodeName": c.node.name.as_str(),
            "EnterpriseMeta": {},
            "ACLDefaultPolicy": c.acl.default_policy,
            "ACLDownPolicy": c.acl.down_policy,
            "ACLPolicyTTL": dur(c.acl.policy_ttl),
            "ACLRoleTTL": dur(c.acl.role_ttl),
            "ACLTokenTTL": dur(c.acl.token_ttl),
        },
        "ACLTokens": {
            "ACLAgentRecoveryToken": secret(&c.acl.tokens.agent_recovery),
            "ACLAgentToken": secret(&c.acl.tokens.agent),
            "ACLConfigFileRegistrationToken": secret(&c.acl.tokens.config_file_service_registration),
            "ACLDefaultToken": secret(&c.acl.tokens.default),
            "ACLReplicationToken": secret(&c.acl.tokens.replication),
            "DNSToken": secret(&c.acl.tokens.dns),
            "DataDir": path(&c.data_dir),
            "EnablePersistence": c.acl.enable_token_persistence,
        },
    })
}

pub(super) fn process(c: &RuntimeConfig) -> Json {
    json!({
        "AEInterval": dur(c.check.ae_interval),
        "CheckDeregisterIntervalMin": dur(c.check.deregister_interval_min),
        "CheckReapInterval": dur(c.check.reap_interval),
        "CheckOutputMaxSize": c.check.output_max_size,
        "CheckUpdateInterval": written(c, "check_update_interval", c.check.update_interval),
        "DiscardCheckOutput": c.check.discard_output,
        "EnableLocalScriptChecks": c.check.enable_local_scripts,
        "EnableRemoteScriptChecks": c.check.enable_remote_scripts,
        "EnableAgentTLSForChecks": c.tls.for_checks,
        "AutoReloadConfig": c.process.auto_reload_config,
        "DisableAnonymousSignature": c.process.disable_anonymous_signature,
        "DisableRemoteExec": c.process.disable_remote_exec,
        "DisableUpdateCheck": c.process.disable_update_check,
        "EnableDebug": c.http.enable_debug,
        "LeaveDrainTime": written(c, "performance.leave_drain_time", c.process.leave_drain_time),
        "LeaveOnTerm": c.process.leave_on_terminate,
        "SkipLeaveOnInt": c.process.skip_leave_on_interrupt,
        "PidFile": path(&c.process.pid_file),
        "Logging": {
            "LogLevel": c.log.level,
            "LogJSON": c.log.json,
            "LogFilePath": c.log.file.as_deref().unwrap_or(""),
            "LogRotateBytes": c.log.rotate_bytes,
            "LogRotateDuration": dur(c.log.rotate_duration),
            "LogRotateMaxFiles": c.log.rotate_max_files,
            "EnableSyslog": c.log.syslog,
            "SyslogFacility": c.log.syslog_facility,
            "Name": "agent",
        },
        "Telemetry": {
            "AllowedPrefixes": c.telemetry.allowed_prefixes,
            "BlockedPrefixes": c.telemetry.blocked_prefixes,
            "FilterDefault": c.telemetry.filter_default,
            "MetricsPrefix": c.telemetry.metrics_prefix,
            "DisableHostname": c.telemetry.disable_hostname,
            "Disable": false,
            "DogstatsdAddr": c.telemetry.dogstatsd_addr,
            "DogstatsdTags": c.telemetry.dogstatsd_tags,
            "StatsdAddr": c.telemetry.statsd_address,
            "StatsiteAddr": c.telemetry.statsite_address,
            "EnableHostMetrics": c.telemetry.enable_host_metrics,
            "RetryFailedConfiguration": c.telemetry.retry_failed_connection,
            "PrometheusOpts": { "Expiration": dur(c.telemetry.prometheus_retention) },
        },
        "UIConfig": {
            "Enabled": c.ui.enabled,
            "Dir": path(&c.ui.dir),
            "ContentPath": c.ui.content_path,
            "MetricsProvider": c.ui.metrics_provider,
            "MetricsProviderFiles": c.ui.metrics_provider_files,
            "MetricsProviderOptionsJSON": c.ui.metrics_provider_options_json,
            "MetricsProxy": {
                "BaseURL": c.ui.metrics_proxy.base_url,
                "AddHeaders": c.ui.metrics_proxy.add_headers.iter().map(|(name, value)| {
                    json!({ "Name": name, "Value": hidden(!value.is_empty()) })
                }).collect::<Vec<_>>(),
                "PathAllowlist": c.ui.metrics_proxy.path_allowlist,
            },
            "DashboardURLTemplates": c.ui.dashboard_url_templates,
        },
        "Cache": {
            "EntryFetchMaxBurst": c.cache.fetch_max_burst,
            "EntryFetchRate": rate(c.cache.fetch_rate),
        },
        "Watches": c.watches.iter().map(|w| json!({ "type": w.0.get("type") })).collect::<Vec<_>>(),
    })
}

fn listener(t: &TlsListener, verify_server_hostname: bool) -> Json {
    json!({
        "CAFile": path(&t.ca_file),
        "CAPath": path(&t.ca_path),
        "CertFile": path(&t.cert_file),
        "KeyFile": hidden(t.key_file.is_some()),
        "CipherSuites": t.cipher_suites,
        "TLSMinVersion": t.min_version,
        "VerifyIncoming": t.verify_incoming,
        "VerifyOutgoing": t.verify_outgoing,
        "VerifyServerHostname": verify_server_hostname,
        "UseAutoCert": t.use_auto_cert,
    })
}

pub(super) fn mesh(c: &RuntimeConfig) -> Json {
    json!({
        "ConnectEnabled": c.connect.enabled,
        "ConnectCAProvider": c.connect.ca_provider,
        "ConnectCAConfig": c.connect.ca_config.keys().map(|k| (k.clone(), hidden(true))).collect::<serde_json::Map<_, _>>(),
        "ConnectMeshGatewayWANFederationEnabled": c.connect.mesh_gateway_wan_federation,
        "ConnectSidecarMinPort": c.net.ports.sidecar.min,
        "ConnectSidecarMaxPort": c.net.ports.sidecar.max,
        "ConnectTestCALeafRootChangeSpread": dur(Duration::ZERO),
        "DefaultIntentionPolicy": c.connect.default_intention_policy,
        "EnableCentralServiceConfig": c.connect.central_service_config,
        "EnableXDSLoadBalancing": c.connect.xds_load_balancing,
        "ExposeMinPort": c.net.ports.expose.min,
        "ExposeMaxPort": c.net.ports.expose.max,
        "PeeringEnabled": c.connect.peering_enabled,
        "PeeringTestAllowPeerRegistrations": false,
        "XDSUpdateRateLimit": rate(c.limits.xds_updates_per_second),
        "AutoEncryptTLS": c.auto_encrypt.tls,
        "AutoEncryptAllowTLS": c.auto_encrypt.allow_tls,
        "AutoEncryptDNSSAN": c.auto_encrypt.dns_san,
        "AutoEncryptIPSAN": c.auto_encrypt.ip_san,
        "AutoConfig": {
            "Enabled": c.auto_config.enabled,
            "IntroToken": secret(&c.auto_config.intro_token),
            "IntroTokenFile": c.auto_config.intro_token_file,
            "ServerAddresses": c.auto_config.server_addresses,
            "Authorizer": { "Enabled": c.auto_config.authorization_enabled },
        },
        "TLS": {
            "Domain": c.dns.domain,
            "NodeName": c.node.name.as_str(),
            "ServerName": c.tls.server_name,
            "ServerMode": c.server,
            "EnableAgentTLSForChecks": c.tls.for_checks,
            "AutoTLS": c.auto_encrypt.tls || c.auto_config.enabled,
            "InternalRPC": listener(&c.tls.internal_rpc, c.tls.verify_server_hostname),
            "HTTPS": listener(&c.tls.https, false),
            "GRPC": listener(&c.tls.grpc, false),
        },
        "ServerName": c.tls.server_name,
        "ConfigEntryBootstrap": c.config_entries.iter().map(|e| json!({
            "Kind": e.get("kind").or_else(|| e.get("Kind")),
            "Name": e.get("name").or_else(|| e.get("Name")),
        })).collect::<Vec<_>>(),
    })
}
