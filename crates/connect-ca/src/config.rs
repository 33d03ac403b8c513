//! Settings of the built-in provider.

use crate::root::CaError;
use serde_json::{Map, Value};
use std::time::Duration;
use types::{Opaque, SecretToken, Str, ca::CaConfig};

/// Name of the built-in provider.
const PROVIDER: &str = "consul";
const HOUR: u64 = 3600;

/// `<cluster id>.consul`
pub fn trust_domain(cluster_id: &str) -> String {
    format!("{cluster_id}.consul")
}

/// Keys of the settings as the API writes them; configuration files may write them in snake case.
const KEYS: [&str; 10] = [
    "LeafCertTTL",
    "IntermediateCertTTL",
    "RootCertTTL",
    "CSRMaxPerSecond",
    "CSRMaxConcurrent",
    "PrivateKeyType",
    "PrivateKeyBits",
    "SkipValidate",
    PRIVATE_KEY,
    "RootCert",
];
const PRIVATE_KEY: &str = "PrivateKey";
/// Fixes the trust domain; never shown.
const CLUSTER_ID: &str = "clusterid";

/// The built-in provider's settings, with `overrides` (an object with the keys of API or files) on top.
///
/// # Errors
/// [`CaError::Config`] when a setting breaks a rule; the text is the public one.
pub fn default_config(cluster_id: &str, overrides: Option<&Opaque>) -> Result<(CaConfig, Settings), CaError> {
    let mut map = Map::new();
    for (key, value) in [("LeafCertTTL", "72h"), ("IntermediateCertTTL", "8760h"), ("RootCertTTL", "87600h")]
    {
        map.insert(key.into(), value.into());
    }
    if let Some(overrides) = overrides {
        let Value::Object(given) = overrides.to_json() else {
            return Err(CaError::Config("the authority's configuration must be an object".into()));
        };
        map.extend(canonical(given));
    }
    config_of(cluster_id, PROVIDER, map)
}

/// The settings that a request brings; they replace the stored ones whole.
///
/// # Errors
/// [`CaError::Config`], as [`default_config`].
pub fn given_config(
    cluster_id: &str,
    provider: &str,
    given: &Opaque,
) -> Result<(CaConfig, Settings), CaError> {
    match provider {
        PROVIDER => {}
        "vault" | "aws-pca" => {
            return Err(CaError::Config(format!(
                "could not initialize provider: not built yet: the CA provider \"{provider}\", only \"consul\" is there"
            )));
        }
        other => {
            return Err(CaError::Config(format!(
                "could not initialize provider: unknown CA provider \"{other}\""
            )));
        }
    }
    let mut map = match given.to_json() {
        Value::Object(map) => canonical(map),
        Value::Null => Map::new(),
        _ => return Err(CaError::Config("error configuring provider: Config must be an object".into())),
    };
    // Shown also when it was not given, as clients know it.
    map.entry("IntermediateCertTTL").or_insert_with(|| go_text(Duration::from_secs(8760 * HOUR)).into());
    config_of(cluster_id, provider, map)
}

fn canonical(given: Map<String, Value>) -> Map<String, Value> {
    let plain = |key: &str| key.replace('_', "").to_ascii_lowercase();
    given
        .into_iter()
        .filter(|(key, value)| !value.is_null() && plain(key) != CLUSTER_ID)
        .map(|(key, value)| {
            let known = KEYS.iter().find(|k| k.to_ascii_lowercase() == plain(&key));
            (known.map_or(key, |k| (*k).to_owned()), value)
        })
        .collect()
}

/// What is stored never holds a private key: that has its place beside the authority's own.
fn config_of(
    cluster_id: &str,
    provider: &str,
    mut map: Map<String, Value>,
) -> Result<(CaConfig, Settings), CaError> {
    let settings = Settings::read(&map)?;
    map.remove(PRIVATE_KEY);
    let config = CaConfig {
        cluster_id: Str::new(cluster_id),
        provider: Str::new(provider),
        config: Some(Opaque::from_json(&Value::Object(map))),
        ..CaConfig::default()
    };
    Ok((config, settings))
}

/// Kind and size of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyKind {
    /// RSA; else a curve.
    pub rsa: bool,
    /// Bits.
    pub bits: u32,
}

impl KeyKind {
    /// `ec` or `rsa`
    pub fn name(self) -> &'static str {
        if self.rsa { "rsa" } else { "ec" }
    }
}

/// Settings of the built-in provider, looked at.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Life of a leaf.
    pub leaf_ttl: Duration,
    /// Life of an intermediate authority.
    pub intermediate_ttl: Duration,
    /// Life of a root.
    pub root_ttl: Duration,
    /// Requests to sign that are taken a second; 0 is no limit.
    pub csr_per_second: f64,
    /// Requests to sign at a time, where there is no limit per second; 0 is no limit.
    pub csr_concurrent: usize,
    /// Kind of keys that are made.
    pub key: KeyKind,
    /// PEM of the key to sign with, empty if one is to be made.
    pub private_key: SecretToken,
    /// PEM of the root to use, empty if one is to be made.
    pub root_cert: String,
}

impl Settings {
    /// The settings of a stored configuration.
    ///
    /// # Errors
    /// [`CaError::Config`] when one breaks a rule.
    pub fn of(config: &CaConfig) -> Result<Self, CaError> {
        match config.config.as_ref().map(Opaque::to_json) {
            Some(Value::Object(mut map)) => {
                // Its key is stored elsewhere.
                map.remove("RootCert");
                Self::read(&map)
            }
            _ => Self::read(&Map::new()),
        }
    }

    fn read(map: &Map<String, Value>) -> Result<Self, CaError> {
        let ttl = |key: &str, default: u64| match map.get(key) {
            None => Ok(Duration::from_secs(default * HOUR)),
            Some(value) => duration(value).ok_or_else(|| refuse(&format!("invalid duration in {key}"))),
        };
        let number = |key: &str, default: f64| match map.get(key) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                .or_else(|| value.as_str()?.parse().ok())
                .filter(|n: &f64| n.is_finite() && *n >= 0.0)
                .ok_or_else(|| refuse(&format!("{key} must be a number, 0 or greater"))),
        };
        let text = |key: &str| match map.get(key) {
            None => Ok(String::new()),
            Some(Value::String(s)) => Ok(s.clone()),
            Some(_) => Err(refuse(&format!("{key} must be a text"))),
        };
        let settings = Self {
            leaf_ttl: ttl("LeafCertTTL", 72)?,
            intermediate_ttl: ttl("IntermediateCertTTL", 8760)?,
            root_ttl: ttl("RootCertTTL", 87_600)?,
            csr_per_second: number("CSRMaxPerSecond", 50.0)?,
            csr_concurrent: number("CSRMaxConcurrent", 0.0)? as usize,
            key: KeyKind {
                rsa: match text("PrivateKeyType")?.as_str() {
                    "" | "ec" => false,
                    "rsa" => true,
                    _ => return Err(refuse("private key type must be either 'ec' or 'rsa'")),
                },
                bits: number("PrivateKeyBits", 0.0)? as u32,
            }
            .or_default(),
            private_key: SecretToken::new(text(PRIVATE_KEY)?),
            root_cert: text("RootCert")?,
        };
        let skip = match map.get("SkipValidate") {
            Some(Value::String(s)) => s == "true",
            other => other.and_then(Value::as_bool).unwrap_or(false),
        };
        if !skip {
            settings.check_times()?;
        }
        match settings.key {
            KeyKind { rsa: true, bits: 2048 | 4096 }
            | KeyKind { rsa: false, bits: 224 | 256 | 384 | 521 } => Ok(settings),
            KeyKind { rsa: true, .. } => Err(refuse("RSA key length must be 2048 or 4096 bits")),
            KeyKind { rsa: false, .. } => {
                Err(refuse("EC key length must be one of (224, 256, 384, 521) bits"))
            }
        }
    }

    fn check_times(&self) -> Result<(), CaError> {
        let hours = |n: u64| Duration::from_secs(n * HOUR);
        let rule = |broken: bool, text: &str| if broken { Err(refuse(text)) } else { Ok(()) };
        rule(self.leaf_ttl < hours(1), "leaf cert TTL must be greater or equal than 1h0m0s")?;
        rule(self.leaf_ttl > hours(8760), "leaf cert TTL must be less than 8760h0m0s")?;
        rule(self.intermediate_ttl < hours(3), "Intermediate Cert TTL must be greater or equal than 3h")?;
        let least = self.leaf_ttl * 3;
        rule(
            self.intermediate_ttl < least,
            &format!(
                "Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>={}).",
                go_text(least)
            ),
        )?;
        rule(
            self.root_ttl < self.intermediate_ttl,
            &format!(
                "root cert TTL is set and is not greater than intermediate cert ttl. root cert ttl: {}, intermediate cert ttl: {}",
                go_text(self.root_ttl),
                go_text(self.intermediate_ttl)
            ),
        )
    }
}

impl KeyKind {
    /// Fills in the size that each kind has unless told otherwise.
    fn or_default(self) -> Self {
        match self {
            Self { rsa: true, bits: 0 } => Self { rsa: true, bits: 2048 },
            Self { rsa: false, bits: 0 } => Self { rsa: false, bits: 256 },
            given => given,
        }
    }
}

fn refuse(text: &str) -> CaError {
    CaError::Config(format!("error configuring provider: {text}"))
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

    fn with(json: &str) -> Result<(CaConfig, Settings), CaError> {
        default_config("id", Some(&Opaque::from_json(&serde_json::from_str(json).unwrap())))
    }

    #[test]
    fn defaults_are_consuls() {
        let (config, settings) = default_config("id", None).unwrap();
        assert_eq!(
            config.config.unwrap().as_json_text(),
            r#"{"IntermediateCertTTL":"8760h","LeafCertTTL":"72h","RootCertTTL":"87600h"}"#
        );
        assert_eq!(config.provider, "consul");
        assert_eq!(settings.key, KeyKind { rsa: false, bits: 256 });
        assert_eq!((settings.csr_per_second, settings.csr_concurrent), (50.0, 0));
    }

    #[test]
    fn settings_override_and_rules_hold() {
        let (config, settings) = with(r#"{"leaf_cert_ttl":"48h", "cluster_id": "x"}"#).unwrap();
        let text = config.config.unwrap();
        assert!(text.as_json_text().contains(r#""LeafCertTTL":"48h""#), "{text:?}");
        assert!(!text.as_json_text().contains("cluster"));
        assert_eq!(settings.leaf_ttl, Duration::from_secs(48 * HOUR));
        assert!(with(r#"{"LeafCertTTL":3600000000000}"#).is_ok());
        let text = |json: &str| with(json).unwrap_err().to_string();
        for (json, why) in [
            (r#"{"LeafCertTTL":"30m"}"#, "leaf cert TTL must be greater or equal than 1h0m0s"),
            (r#"{"LeafCertTTL":"8761h"}"#, "leaf cert TTL must be less than 8760h0m0s"),
            (
                r#"{"IntermediateCertTTL":"2h", "LeafCertTTL":"1h"}"#,
                "Intermediate Cert TTL must be greater or equal than 3h",
            ),
            (
                r#"{"IntermediateCertTTL":"100h"}"#,
                "Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL (>=216h0m0s).",
            ),
            (
                r#"{"RootCertTTL":"1000h"}"#,
                "root cert TTL is set and is not greater than intermediate cert ttl. root cert ttl: 1000h0m0s, intermediate cert ttl: 8760h0m0s",
            ),
            (r#"{"LeafCertTTL":"soon"}"#, "invalid duration in LeafCertTTL"),
            (r#"{"PrivateKeyBits":100}"#, "EC key length must be one of (224, 256, 384, 521) bits"),
            (r#"{"PrivateKeyType":"rsa","PrivateKeyBits":1024}"#, "RSA key length must be 2048 or 4096 bits"),
            (r#"{"PrivateKeyType":"dsa"}"#, "private key type must be either 'ec' or 'rsa'"),
            (r#"{"CSRMaxPerSecond":-1}"#, "CSRMaxPerSecond must be a number, 0 or greater"),
        ] {
            assert_eq!(text(json), format!("error configuring provider: {why}"));
        }
        assert!(with("[]").is_err());
        assert!(with(r#"{"LeafCertTTL":"1m","SkipValidate":true}"#).is_ok());
    }

    #[test]
    fn providers_are_told_apart_and_keys_are_not_kept() {
        let given = Opaque::from_json(&serde_json::json!({"PrivateKey": "SECRET", "RootCert": "pem"}));
        let (config, settings) = given_config("id", "consul", &given).unwrap();
        assert!(!format!("{config:?}{settings:?}").contains("SECRET"));
        assert_eq!(settings.private_key.expose(), "SECRET");
        let text = |p: &str| given_config("id", p, &given).unwrap_err().to_string();
        assert_eq!(text("bogus"), "could not initialize provider: unknown CA provider \"bogus\"");
        assert!(text("vault").contains("not built yet"));
    }
}
