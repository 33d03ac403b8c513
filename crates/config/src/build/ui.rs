//! The web interface.

use super::{ConfigError, Reader, rule};
use crate::{
    merge::Value,
    settings::{MetricsProxy, UiSettings},
};
use std::path::PathBuf;
use types::Str;

fn is_name(s: &str) -> bool {
    s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// `http://host…` or `https://host…`.
fn is_web_url(s: &str) -> bool {
    let rest = s.strip_prefix("http://").or_else(|| s.strip_prefix("https://"));
    rest.is_some_and(|r| !r.is_empty() && !r.starts_with('/') && !s.contains(char::is_whitespace))
}

pub(super) fn ui(r: &Reader<'_>) -> UiSettings {
    let path = r.text_or("ui_config.content_path", "/ui/").trim_matches('/');
    let content_path = if path.is_empty() { "/".to_owned() } else { format!("/{path}/") };
    let provider = r.str("ui_config.metrics_provider");
    let mut allowlist = r.texts("ui_config.metrics_proxy.path_allowlist");
    if allowlist.is_empty() && provider == "prometheus" {
        allowlist = vec![Str::new_static("/api/v1/query"), Str::new_static("/api/v1/query_range")];
    }
    let add_headers = match r.get("ui_config.metrics_proxy.add_headers") {
        Some(Value::List(l)) => l
            .iter()
            .filter_map(|v| if let Value::Map(m) = v { Some(m) } else { None })
            .map(|m| {
                let text = |k: &str| match m.get(k) {
                    Some(Value::Text(s)) => s.clone(),
                    _ => Str::default(),
                };
                (text("name"), text("value"))
            })
            .collect(),
        _ => Vec::new(),
    };
    UiSettings {
        enabled: r.bool("ui_config.enabled", false),
        dir: r.filled("ui_config.dir").map(PathBuf::from),
        content_path: Str::from(content_path),
        metrics_provider: provider,
        metrics_provider_files: r.texts("ui_config.metrics_provider_files"),
        metrics_provider_options_json: r.str("ui_config.metrics_provider_options_json"),
        metrics_proxy: MetricsProxy {
            base_url: r.str("ui_config.metrics_proxy.base_url"),
            add_headers,
            path_allowlist: allowlist,
        },
        dashboard_url_templates: r.text_map("ui_config.dashboard_url_templates"),
    }
}

pub(super) fn check(ui: &UiSettings) -> Result<(), ConfigError> {
    let quoted = |s: &str| crate::quote(s);
    let path = ui.content_path.as_str();
    if !path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/')) {
        return Err(rule(format!(
            "ui-content-path can only contain alphanumeric, -, _, or /. received: {}",
            quoted(path)
        )));
    }
    let inner = path.trim_matches('/');
    if inner.strip_prefix('v').is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit())) {
        return Err(rule(format!("ui-content-path cannot have 'v[0-9]'. received: {}", quoted(path))));
    }
    if !is_name(&ui.metrics_provider) {
        return Err(rule(format!(
            "ui_config.metrics_provider can only contain lowercase alphanumeric, - or _ characters. received: {}",
            quoted(&ui.metrics_provider)
        )));
    }
    let options = ui.metrics_provider_options_json.as_str();
    let is_object = || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(options).is_ok();
    if !options.is_empty() && !is_object() {
        return Err(rule(format!(
            "ui_config.metrics_provider_options_json must be empty or a string containing a valid JSON object. received: {}",
            quoted(options)
        )));
    }
    let base = ui.metrics_proxy.base_url.as_str();
    if !base.is_empty() && !is_web_url(base) {
        return Err(rule(format!(
            "ui_config.metrics_proxy.base_url must be a valid http or https URL. received: {}",
            quoted(base)
        )));
    }
    if let Some(p) = ui.metrics_proxy.path_allowlist.iter().find(|p| !p.starts_with('/')) {
        return Err(rule(format!(
            "ui_config.metrics_proxy.path_allowlist: path {} is not an absolute path",
            quoted(p)
        )));
    }
    for (name, url) in &ui.dashboard_url_templates {
        if !is_name(name) {
            return Err(rule(format!(
                "ui_config.dashboard_url_templates key names can only contain lowercase alphanumeric, - or _ characters. received: {}",
                quoted(name)
            )));
        }
        if !is_web_url(url) {
            // The message has always shown the address of the metrics server.
            return Err(rule(format!(
                "ui_config.dashboard_url_templates values must be a valid http or https URL. received: {}",
                quoted(base)
            )));
        }
    }
    Ok(())
}
