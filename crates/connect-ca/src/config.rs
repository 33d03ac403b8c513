//! Settings of the built-in provider.

use crate::root::CaError;
use serde_json::{Map, Value};
use std::time::Duration;
use types::{Opaque, Str, ca::CaConfig};

/// Name of the built-in provider.
const PROVIDER: &str = "consul";
const HOUR: u64 = 3600;

/// `<cluster id>.consul`
pub fn trust_domain(cluster_id: &str) -> String {
    format!("{cluster_id}.consul")
}

/// The built-in provider's settings, with `overrides` (a JSON object with the API's key names) on top.
///
/// # Errors
/// [`CaError::Config`] when a setting breaks a rule; the text is the public one.
pub fn default_config(cluster_id: &str, overrides: Option<&Opaque>) -> Result<CaConfig, CaError> {
    let mut map = Map::new();
    for (key, value) in [("LeafCertTTL", "72h"), ("IntermediateCertTTL", "8760h"), ("RootCertTTL", "87600h")]
    {
        map.insert(key.into(), value.into());
    }
    if let Some(overrides) = overrides {
        let Value::Object(given) = overrides.to_json() else {
            return Err(CaError::Config("the authority's configuration must be an object".into()));
        };
        map.extend(given.into_iter().filter(|(_, v)| !v.is_null()));
    }
    let config = CaConfig {
        cluster_id: Str::new(cluster_id),
        provider: PROVIDER.into(),
        config: Some(Opaque::from_json(&Value::Object(map))),
        ..CaConfig::default()
    };
    Ttls::read(&config)?;
    Ok(config)
}

/// Life times of certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ttls {
    pub leaf: Duration,
    pub intermediate: Duration,
    pub root: Duration,
}

impl Ttls {
    pub fn read(config: &CaConfig) -> Result<Self, CaError> {
        let map = config.config.as_ref().map_or(Value::Null, Opaque::to_json);
        let get = |key: &str, default: u64| match map.get(key) {
            None | Some(Value::Null) => Ok(Duration::from_secs(default * HOUR)),
            Some(value) => duration(value).ok_or_else(|| {
                CaError::Config(format!("error configuring provider: invalid duration in {key}"))
            }),
        };
        let ttls = Self {
            leaf: get("LeafCertTTL", 72)?,
            intermediate: get("IntermediateCertTTL", 8760)?,
            root: get("RootCertTTL", 87_600)?,
        };
        let hours = |n: u64| Duration::from_secs(n * HOUR);
        let rule = |broken: bool, text: &str| {
            if broken { Err(CaError::Config(format!("error configuring provider: {text}"))) } else { Ok(()) }
        };
        rule(ttls.leaf < hours(1), "leaf cert TTL must be greater or equal than 1h0m0s")?;
        rule(ttls.leaf > hours(8760), "leaf cert TTL must be less than 8760h0m0s")?;
        rule(ttls.intermediate < hours(3), "Intermediate Cert TTL must be greater or equal than 3h")?;
        let least = ttls.leaf * 3;
        rule(
            ttls.intermediate < least,
            &format!(
                "Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>={}).",
                go_text(least)
            ),
        )?;
        rule(
            ttls.root < ttls.intermediate,
            &format!(
                "root cert TTL is set and is not greater than intermediate cert ttl. root cert ttl: {}, intermediate cert ttl: {}",
                go_text(ttls.root),
                go_text(ttls.intermediate)
            ),
        )?;
        Ok(ttls)
    }
}

/// A duration as Go writes whole seconds.
fn go_text(d: Duration) -> String {
    let s = d.as_secs();
    format!("{}h{}m{}s", s / HOUR, s % HOUR / 60, s % 60)
}

/// Text such as `72h` or `1h30m`, or a number of nanoseconds.
fn duration(value: &Value) -> Option<Duration> {
    if let Some(ns) = value.as_u64() {
        return Some(Duration::from_nanos(ns));
    }
    let mut rest = value.as_str()?;
    let mut total = 0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    Duration::try_from_secs_f64(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(json: &str) -> Result<CaConfig, CaError> {
        default_config("id", Some(&Opaque::from_json(&serde_json::from_str(json).unwrap())))
    }

    #[test]
    fn defaults_are_consuls() {
        let config = default_config("id", None).unwrap();
        assert_eq!(
            config.config.unwrap().as_json_text(),
            r#"{"IntermediateCertTTL":"8760h","LeafCertTTL":"72h","RootCertTTL":"87600h"}"#
        );
        assert_eq!(config.provider, "consul");
    }

    #[test]
    fn settings_override_and_rules_hold() {
        let text = with(r#"{"LeafCertTTL":"48h"}"#).unwrap().config.unwrap();
        assert!(text.as_json_text().contains(r#""LeafCertTTL":"48h""#));
        assert!(with(r#"{"LeafCertTTL":3600000000000}"#).is_ok());
        let text = |r: Result<CaConfig, CaError>| r.unwrap_err().to_string();
        assert_eq!(
            text(with(r#"{"LeafCertTTL":"30m"}"#)),
            "error configuring provider: leaf cert TTL must be greater or equal than 1h0m0s"
        );
        assert!(text(with(r#"{"IntermediateCertTTL":"100h"}"#)).contains("3 * LeafCertTTL (>=216h0m0s)."));
        assert!(text(with(r#"{"RootCertTTL":"100h"}"#)).contains("root cert TTL is set"));
        assert!(text(with(r#"{"LeafCertTTL":"soon"}"#)).contains("LeafCertTTL"));
        assert!(with("[]").is_err());
    }
}
