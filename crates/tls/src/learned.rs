//! What an agent learns from others while it runs, beside its files: certificates that the mesh's authority gives to clients.

use crate::{
    load::{Fault, Own, add},
    settings::LoadError,
};
use connect_ca::CertFacts;
use rustls::{RootCertStore, crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::path::Path;
use types::{SecretToken, Str};

/// Where messages say that a certificate comes from.
const SOURCE: &str = "auto_encrypt";

/// What an agent learned; it counts for `internal_rpc` alone. All texts are PEM.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Learned {
    /// Authorities of servers, beside those of the files.
    pub server_authorities: Vec<Str>,
    /// Authorities of clients, beside those of the files.
    pub client_authorities: Vec<Str>,
    /// Chain and key of this agent, where no file names one.
    pub own: Option<(Str, SecretToken)>,
    /// Servers must show their name, also when the settings do not say so.
    pub verify_server_hostname: bool,
}

/// What a server tells a client that asks for a certificate, beside that certificate.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Enrollment {
    /// PEM of the authorities that servers are verified by.
    pub authorities: Vec<Str>,
    /// Whether to look at the names of servers.
    pub verify_server_hostname: bool,
}

/// `roots` and more of them.
pub(crate) fn with(roots: Option<RootCertStore>, more: &[Str]) -> Result<Option<RootCertStore>, LoadError> {
    if more.is_empty() {
        return Ok(roots);
    }
    let mut store = roots.unwrap_or_else(RootCertStore::empty);
    for pem in more {
        add(&mut store, Path::new(SOURCE), pem.as_bytes()).map_err(|e| Fault(SOURCE).plain(e))?;
    }
    Ok(Some(store))
}

/// A certificate that was learned.
pub(crate) fn own(chain: &str, key: &SecretToken, provider: &CryptoProvider) -> Result<Own, LoadError> {
    let fail = |e: &str| Fault(SOURCE).plain(format!("the certificate of the servers is not usable: {e}"));
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| fail(&e.to_string()))?;
    let first = chain.first().ok_or_else(|| fail("there is none"))?;
    let facts = CertFacts::read(first).map_err(|e| fail(&e.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_pem| fail("no key"))?;
    let key =
        provider.key_provider.load_private_key(key).map_err(|_key| fail("its key is of an odd kind"))?;
    let key = CertifiedKey::new(chain, key);
    key.keys_match().map_err(|_other| fail("it is of another key"))?;
    Ok(Own { key, facts, file: SOURCE.into() })
}
