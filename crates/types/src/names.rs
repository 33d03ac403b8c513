//! Names and small values that records are made of.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A short immutable string: up to 23 bytes inline, longer ones shared; cloning never copies text.
pub type Str = smol_str::SmolStr;

macro_rules! name {
    ($(#[$doc:meta])* $t:ident) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $t(pub Str);
        impl $t {
            /// Wraps a text without checking it.
            pub fn new(s: impl AsRef<str>) -> Self { Self(Str::new(s)) }
            /// The text.
            pub fn as_str(&self) -> &str { self.0.as_str() }
            /// Lower-cased form: the key under which lookups find it (names match without regard to case).
            pub fn folded(&self) -> Str { fold(self.as_str()) }
        }
        impl std::ops::Deref for $t { type Target = str; fn deref(&self) -> &str { self.0.as_str() } }
        impl AsRef<str> for $t { fn as_ref(&self) -> &str { self.0.as_str() } }
        impl std::borrow::Borrow<str> for $t { fn borrow(&self) -> &str { self.0.as_str() } }
        impl From<&str> for $t { fn from(s: &str) -> Self { Self(Str::new(s)) } }
        impl From<String> for $t { fn from(s: String) -> Self { Self(Str::from(s)) } }
        impl From<Str> for $t { fn from(s: Str) -> Self { Self(s) } }
        impl fmt::Display for $t { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) } }
        impl fmt::Debug for $t { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Debug::fmt(self.as_str(), f) } }
    };
}

name!(/// Name of a catalog node.
    NodeName);
name!(/// Name of a service, shared by all its instances.
    ServiceName);
name!(/// Id of a service instance, unique on its node.
    ServiceId);
name!(/// Id of a health check, unique on its node.
    CheckId);
name!(/// Name of a datacenter (lower case).
    DatacenterName);

/// Lower-cases `s`, without allocating when it is short or already lower case.
pub fn fold(s: &str) -> Str {
    if s.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Str::new(s)
    } else {
        Str::from(s.to_lowercase())
    }
}

/// Admin partition and namespace that own a row. The default pair costs nothing.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tenancy {
    partition: Option<Str>,
    namespace: Option<Str>,
}

impl Tenancy {
    /// Builds a tenancy; `""` and `"default"` both mean the default one.
    pub fn new(partition: &str, namespace: &str) -> Self {
        let norm =
            |s: &str| if s.is_empty() || s.eq_ignore_ascii_case("default") { None } else { Some(fold(s)) };
        Self { partition: norm(partition), namespace: norm(namespace) }
    }
    /// Name of the partition, `default` when unnamed.
    pub fn partition(&self) -> &str {
        self.partition.as_deref().unwrap_or("default")
    }
    /// Name of the namespace, `default` when unnamed.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }
    /// Whether both are the default ones.
    pub fn is_default(&self) -> bool {
        self.partition.is_none() && self.namespace.is_none()
    }
    /// What clients read when it does not exist, while its partition does or does not.
    pub fn missing(&self, partition_exists: bool) -> Str {
        let (partition, namespace) = (self.partition(), self.namespace());
        Str::from(if partition_exists {
            format!("Namespace {namespace:?} does not exist in partition {partition:?}")
        } else {
            format!("Partition {partition:?} does not exist")
        })
    }
    /// The same partition with the default namespace: the owner of nodes.
    pub fn node_scope(&self) -> Self {
        Self { partition: self.partition.clone(), namespace: None }
    }
}

impl fmt::Debug for Tenancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition(), self.namespace())
    }
}

/// The cluster peer that a row was imported from; local rows have none.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerName(pub Option<Str>);

impl PeerName {
    /// `""` means local.
    pub fn new(s: &str) -> Self {
        Self(if s.is_empty() { None } else { Some(fold(s)) })
    }
    /// The peer's name, `""` for local rows.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }
    /// Whether the row belongs to this cluster.
    pub fn is_local(&self) -> bool {
        self.0.is_none()
    }
}

/// A secret that must never be printed.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretToken(Str);

impl SecretToken {
    /// Wraps a secret.
    pub fn new(s: impl AsRef<str>) -> Self {
        Self(Str::new(s))
    }
    /// The secret itself; call this only where it is compared, stored or sent.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
    /// Whether no token was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "SecretToken(none)" } else { "SecretToken(hidden)" })
    }
}

/// An object that we store and hand back without looking inside (proxy `Config`, extension arguments): kept as
/// compact JSON text, so that the binary codec needs no self-describing format.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Opaque(Str);

impl Opaque {
    /// Compact JSON text of `v`.
    pub fn from_json(v: &serde_json::Value) -> Self {
        Self(Str::from(v.to_string()))
    }
    /// The stored text, a JSON document.
    pub fn as_json_text(&self) -> &str {
        self.0.as_str()
    }
    /// Parsed form; `null` if the text was damaged.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
