//! Configuration entries: what operators store about services, proxies, gateways and the mesh as a whole.
//!
//! [`ConfigEntry`] is one stored entry; its [`EntryBody`] has one record for each kind. A record tells its fields by their
//! public names through [`Value`], so that rules can quote them and `api` can read and write any of them without a second
//! list. Records hold what was asked for; rules and defaults live in the crate `entries`, and what an entry does to
//! others is for the state machine.

mod api_gateway;
mod chain;
mod fields;
mod gateway;
mod intention;
mod jwt;
mod mesh;
mod service;
mod value;

pub use api_gateway::*;
pub use chain::*;
pub use gateway::*;
pub use intention::*;
pub use jwt::*;
pub use mesh::*;
pub use service::*;
pub use value::{DurationReader, Hundredths, Nanos, Reading, Sink, Span, Value};

use crate::{
    names::{Str, Tenancy, fold},
    record::{Map, RaftIndex},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Name of the one proxy-defaults entry.
pub const PROXY_DEFAULTS_NAME: &str = "global";
/// Name of the one mesh entry.
pub const MESH_NAME: &str = "mesh";
/// Name of the one exported-services entry of a partition.
pub const EXPORTED_SERVICES_NAME: &str = "default";

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($body:ty) = $word:literal;)*) => {
        /// What an entry is about. Variants are only ever appended.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum EntryKind { $($(#[$doc])* $kind),* }

        impl EntryKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];
            /// The API's word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word),* }
            }
            /// An entry of this kind with nothing set.
            pub fn empty(self) -> EntryBody {
                match self { $(Self::$kind => EntryBody::$kind(Box::default())),* }
            }
        }

        /// What an entry says. Variants are only ever appended.
        #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
        pub enum EntryBody { $($(#[$doc])* $kind(Box<$body>)),* }

        impl EntryBody {
            /// Its kind.
            pub fn kind(&self) -> EntryKind {
                match self { $(Self::$kind(_) => EntryKind::$kind),* }
            }
            /// Tells the fields.
            pub fn show_fields(&self, out: &mut dyn Sink) {
                match self { $(Self::$kind(b) => b.show_fields(out)),* }
            }
            /// Takes a field by a key as it was written; `false` when there is none of that name.
            pub fn read_field(&mut self, key: &str, from: &serde_json::Value, cx: &mut Reading<'_>) -> bool {
                match self { $(Self::$kind(b) => b.read_field(key, from, cx)),* }
            }
        }
    };
}

kinds! {
    /// Defaults of one service.
    ServiceDefaults(ServiceDefaults) = "service-defaults";
    /// Defaults of all proxies.
    ProxyDefaults(ProxyDefaults) = "proxy-defaults";
    /// Settings of the whole mesh.
    Mesh(Mesh) = "mesh";
    /// Where instances of a service are found.
    ServiceResolver(ServiceResolver) = "service-resolver";
    /// Shares of traffic.
    ServiceSplitter(ServiceSplitter) = "service-splitter";
    /// Routes by request.
    ServiceRouter(ServiceRouter) = "service-router";
    /// Who may talk to a service.
    ServiceIntentions(ServiceIntentions) = "service-intentions";
    /// What an ingress gateway exposes.
    IngressGateway(IngressGateway) = "ingress-gateway";
    /// What a terminating gateway stands for.
    TerminatingGateway(TerminatingGateway) = "terminating-gateway";
    /// What other clusters may use.
    ExportedServices(ExportedServices) = "exported-services";
    /// Clusters that stand for one another.
    SamenessGroup(SamenessGroup) = "sameness-group";
    /// Issuer of tokens.
    JwtProvider(JwtProvider) = "jwt-provider";
    /// Listeners of an API gateway.
    ApiGateway(ApiGateway) = "api-gateway";
    /// What is bound to an API gateway; written by servers only.
    BoundApiGateway(BoundApiGateway) = "bound-api-gateway";
    /// HTTP routes of API gateways.
    HttpRoute(HttpRoute) = "http-route";
    /// TCP routes of API gateways.
    TcpRoute(TcpRoute) = "tcp-route";
    /// A certificate and its key.
    InlineCertificate(Certificate) = "inline-certificate";
    /// Files with a certificate and its key on a gateway's machine.
    FileSystemCertificate(Certificate) = "file-system-certificate";
}

impl EntryKind {
    /// Reads the API's word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.as_str() == word)
    }
    /// Whether entries of this kind carry their name; the only one that does not is unique.
    pub fn is_named(self) -> bool {
        self != Self::Mesh
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One configuration entry.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConfigEntry {
    /// Name, unique in kind and owner without regard to case.
    pub name: Str,
    /// Owner.
    pub tenancy: Tenancy,
    /// Metadata of the operator.
    pub meta: Map,
    /// What it says.
    pub body: EntryBody,
    /// Changes with the content; 0 = none. Made before proposing.
    pub hash: u64,
    /// Indexes.
    pub index: RaftIndex,
}

impl ConfigEntry {
    /// An entry with nothing but its kind and name.
    pub fn new(kind: EntryKind, name: impl AsRef<str>) -> Self {
        Self {
            name: Str::new(name),
            tenancy: Tenancy::default(),
            meta: Map::new(),
            body: kind.empty(),
            hash: 0,
            index: RaftIndex::default(),
        }
    }
    /// Its kind.
    pub fn kind(&self) -> EntryKind {
        self.body.kind()
    }
    /// What it is found by.
    pub fn key(&self) -> EntryKey {
        EntryKey::new(self.kind(), &self.name)
    }
    /// Whether both say the same, whatever their indexes.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.name == other.name && self.meta == other.meta && self.body == other.body
    }
}

/// What an entry is found by, within its owner. Order is by kind, then name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EntryKey {
    /// Kind.
    pub kind: EntryKind,
    /// Folded name.
    pub name: Str,
}

impl EntryKey {
    /// The key of a name in any case.
    pub fn new(kind: EntryKind, name: &str) -> Self {
        Self { kind, name: fold(name) }
    }
}
