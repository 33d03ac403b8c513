//! Identities as URIs: who a certificate speaks for.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;

/// What may stand in a component as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b':')
    .remove(b'=')
    .remove(b'@');
const DEFAULT: &str = "default";

/// The trust domain of an identity, and who it is there. Components are decoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpiffeId {
    /// `<uuid>.consul`, in lower case.
    pub trust_domain: String,
    /// Who.
    pub who: Identity,
}

/// Who an identity is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "fields say what they are")]
pub enum Identity {
    Service {
        partition: String,
        namespace: String,
        datacenter: String,
        service: String,
    },
    Agent {
        partition: String,
        datacenter: String,
        node: String,
    },
    Server {
        datacenter: String,
    },
    MeshGateway {
        partition: String,
        datacenter: String,
    },
    /// The authority itself.
    Signing,
}

/// The text is no identity.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpiffeError {
    /// Another scheme.
    #[error("SPIFFE ID must have 'spiffe' scheme")]
    Scheme,
    /// None of the known forms.
    #[error("SPIFFE ID is not in the expected format: {0}")]
    Format(String),
}

impl SpiffeId {
    /// A service of the default partition.
    pub fn service(trust_domain: &str, namespace: &str, datacenter: &str, service: &str) -> Self {
        let who = Identity::Service {
            partition: DEFAULT.into(),
            namespace: namespace.into(),
            datacenter: datacenter.into(),
            service: service.into(),
        };
        Self { trust_domain: trust_domain.to_ascii_lowercase(), who }
    }

    /// The authority of a trust domain.
    pub fn signing(trust_domain: &str) -> Self {
        Self { trust_domain: trust_domain.to_ascii_lowercase(), who: Identity::Signing }
    }

    /// Reads an identity. Hostile text is an error.
    ///
    /// # Errors
    /// [`SpiffeError`].
    pub fn parse(uri: &str) -> Result<Self, SpiffeError> {
        let bad = || SpiffeError::Format(uri.to_owned());
        let Some((scheme, rest)) = uri.split_once("://") else { return Err(SpiffeError::Scheme) };
        if !scheme.eq_ignore_ascii_case("spiffe") {
            return Err(SpiffeError::Scheme);
        }
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if path.contains(['?', '#']) || host.contains(['?', '#', '@']) {
            return Err(bad());
        }
        let decode = |s: &str| {
            percent_decode_str(s).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_utf8| bad())
        };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        if parts.iter().any(|p| p.is_empty()) {
            return Err(bad());
        }
        let (partition, parts) = match parts.as_slice() {
            ["ap", partition, rest @ ..] => (Some(decode(partition)?), rest),
            all => (None, all),
        };
        let named = partition.is_some();
        let partition = partition.unwrap_or_else(|| DEFAULT.into());
        let who = match parts {
            ["ns", namespace, "dc", datacenter, "svc", service] => Identity::Service {
                partition,
                namespace: decode(namespace)?,
                datacenter: decode(datacenter)?,
                service: decode(service)?,
            },
            ["agent", "client", "dc", datacenter, "id", node] => {
                Identity::Agent { partition, datacenter: decode(datacenter)?, node: decode(node)? }
            }
            ["agent", "server", "dc", datacenter] if !named => {
                Identity::Server { datacenter: decode(datacenter)? }
            }
            ["gateway", "mesh", "dc", datacenter] => {
                Identity::MeshGateway { partition, datacenter: decode(datacenter)? }
            }
            [] if !named && path.is_empty() && host.contains('.') => Identity::Signing,
            _ => return Err(bad()),
        };
        if host.is_empty() {
            return Err(bad());
        }
        Ok(Self { trust_domain: host.to_ascii_lowercase(), who })
    }

    /// The datacenter of the identity; the authority has none.
    pub fn datacenter(&self) -> Option<&str> {
        match &self.who {
            Identity::Service { datacenter, .. }
            | Identity::Agent { datacenter, .. }
            | Identity::Server { datacenter }
            | Identity::MeshGateway { datacenter, .. } => Some(datacenter),
            Identity::Signing => None,
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = |s: &str| utf8_percent_encode(s, PLAIN).to_string();
        write!(f, "spiffe://{}", self.trust_domain)?;
        let partition = match &self.who {
            Identity::Service { partition, .. }
            | Identity::Agent { partition, .. }
            | Identity::MeshGateway { partition, .. } => partition.as_str(),
            Identity::Server { .. } | Identity::Signing => DEFAULT,
        };
        if partition != DEFAULT {
            write!(f, "/ap/{}", e(partition))?;
        }
        match &self.who {
            Identity::Service { namespace, datacenter, service, .. } => {
                write!(f, "/ns/{}/dc/{}/svc/{}", e(namespace), e(datacenter), e(service))
            }
            Identity::Agent { datacenter, node, .. } => {
                write!(f, "/agent/client/dc/{}/id/{}", e(datacenter), e(node))
            }
            Identity::Server { datacenter } => write!(f, "/agent/server/dc/{}", e(datacenter)),
            Identity::MeshGateway { datacenter, .. } => write!(f, "/gateway/mesh/dc/{}", e(datacenter)),
            Identity::Signing => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_forms_are_read_and_written() {
        let td = "6f6a0c1e-0000-4000-8000-000000000001.consul";
        for path in [
            "/ns/default/dc/dc1/svc/web",
            "/ap/a/ns/n/dc/dc1/svc/a%2Fb%20c",
            "/agent/client/dc/dc1/id/n1",
            "/agent/server/dc/dc1",
            "/gateway/mesh/dc/dc1",
            "/ap/x/gateway/mesh/dc/dc1",
            "",
        ] {
            let uri = format!("spiffe://{td}{path}");
            let id = SpiffeId::parse(&uri).unwrap();
            assert_eq!(id.to_string(), uri);
            assert_eq!(id.datacenter(), (!path.is_empty()).then_some("dc1"));
        }
        let id = SpiffeId::parse("spiffe://A.Consul/ap/default/ns/n/dc/dc1/svc/web").unwrap();
        assert_eq!(id.to_string(), "spiffe://a.consul/ns/n/dc/dc1/svc/web");
        assert_eq!(SpiffeId::service("A.consul", "n", "dc1", "web"), id);
    }

    #[test]
    fn other_texts_are_refused() {
        assert_eq!(SpiffeId::parse("https://a.b/x"), Err(SpiffeError::Scheme));
        assert_eq!(SpiffeId::parse("bogus"), Err(SpiffeError::Scheme));
        for bad in [
            "spiffe://nodot",
            "spiffe://a.b/",
            "spiffe:///ns/default/dc/dc1/svc/web",
            "spiffe://a.b/ns/default/dc/dc1/svc/",
            "spiffe://a.b/ns/default/dc/dc1/svc/web/x",
            "spiffe://a.b/ap/p/agent/server/dc/dc1",
            "spiffe://a.b/ns/default/dc/dc1/svc/web?x",
            "spiffe://a.b/ns/%ff/dc/dc1/svc/web",
        ] {
            assert_eq!(SpiffeId::parse(bad), Err(SpiffeError::Format(bad.into())), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_survives(service in "[^\u{0}]{1,20}", dc in "[a-z0-9-]{1,8}") {
            let id = SpiffeId::service("a.consul", "default", &dc, &service);
            prop_assert_eq!(SpiffeId::parse(&id.to_string()), Ok(id));
        }
        #[test]
        fn any_text_is_safe(text in ".{0,80}") {
            let _ = SpiffeId::parse(&text);
            let _ = SpiffeId::parse(&format!("spiffe://{text}"));
        }
    }
}
