//! Keys that are read and checked, but that nothing acts on yet. A source that sets one is told so.

/// Dotted paths; a stanza stands for all keys in it.
pub const NO_EFFECT_YET: &[&str] = &[
    "acl",
    "auto_config",
    "auto_encrypt",
    "cloud",
    "enable_syslog",
    "snapshot_agent",
    "telemetry.circonus_api_app",
    "telemetry.circonus_api_token",
    "telemetry.circonus_api_url",
    "telemetry.circonus_broker_id",
    "telemetry.circonus_broker_select_tag",
    "telemetry.circonus_check_display_name",
    "telemetry.circonus_check_force_metric_activation",
    "telemetry.circonus_check_id",
    "telemetry.circonus_check_instance_id",
    "telemetry.circonus_check_search_tag",
    "telemetry.circonus_check_tags",
    "telemetry.circonus_submission_interval",
    "telemetry.circonus_submission_url",
    "telemetry.disable_per_tenancy_usage_metrics",
    "xds",
];
