//! An authority that signs: leaves, intermediate authorities, and the root that takes its place.

use crate::{
    agent::AgentCertError,
    chain::verify_chain,
    config::KeyKind,
    csr::{Csr, PublicKey},
    facts::CertFacts,
    issuer::{Authority, name},
    key_text::pem,
    root::{BACKDATE_S, CaError, colon_hex, key_kind, unix_time},
    spiffe::{Identity, SpiffeId},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use std::time::Duration;
use types::{Str, ca::CaProviderState};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What an authority may do with its key.
pub(crate) const CA_USAGES: [KeyUsagePurpose; 3] =
    [KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
/// Life of a cross-signed root, seconds: long enough for everyone to learn of the new one.
const CROSS_SIGNED_S: i64 = 7 * 86_400;

/// Serial number and time of a signature.
#[derive(Clone, Copy, Debug)]
pub struct Signing {
    /// Never used before by this authority.
    pub serial: u64,
    /// Unix seconds.
    pub now: i64,
    /// Life of what is signed.
    pub ttl: Duration,
}

/// A leaf.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// PEM.
    pub cert_pem: String,
    /// Pairs of hexadecimal digits.
    pub serial_number: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
}

/// An authority with its key, ready to sign. `Debug` shows neither.
pub struct Signer {
    authority: Authority,
    facts: CertFacts,
    key_id: String,
    id: Option<SpiffeId>,
    kind: KeyKind,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Signer {
    /// An authority from its two texts.
    ///
    /// # Errors
    /// [`CaError::Config`] when they do not belong together or are no authority.
    pub fn read(cert_pem: &str, key_pem: &str) -> Result<Self, CaError> {
        let odd = |e: AgentCertError| CaError::Config(format!("cannot use the authority: {e}"));
        let authority = Authority::read(cert_pem, key_pem).map_err(odd)?;
        let der = der(cert_pem)?;
        let facts = CertFacts::read(&der).map_err(|e| CaError::Config(e.to_string()))?;
        if !facts.is_ca {
            return Err(CaError::Config(
                "cannot use the authority: its certificate may not sign others".into(),
            ));
        }
        let key_id = key_id_of(&der)?;
        let id = facts.uris.iter().find_map(|uri| SpiffeId::parse(uri).ok());
        let kind = key_kind(&der)?;
        Ok(Self { authority, facts, key_id, id, kind })
    }

    /// Its key id, pairs of hexadecimal digits.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// End of its validity, Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.facts.not_after
    }

    /// Whether half of its life is over, or all of it.
    pub fn is_past_half(&self, now: i64) -> bool {
        let (from, to) = (self.facts.not_before, self.facts.not_after);
        now >= from.saturating_add((to.saturating_sub(from)) / 2)
    }

    /// Kind of its key.
    pub fn key_kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether it is the authority of this trust domain.
    pub fn is_of(&self, trust_domain: &str) -> bool {
        self.id.as_ref().is_some_and(|id| *id == SpiffeId::signing(trust_domain))
    }

    /// Signs a leaf for `id`, which stands in place of the one that was asked for.
    ///
    /// # Errors
    /// [`CaError`] for defects of library and times.
    pub fn leaf(&self, csr: &Csr, id: &SpiffeId, signing: Signing) -> Result<Leaf, CaError> {
        let mut params = self.frame(&csr.key, signing)?;
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names.push(SanType::URI(id.to_string().try_into()?));
        for name in &csr.dns_names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.subject_alt_names.extend(csr.addresses.iter().map(|ip| SanType::IpAddress(*ip)));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::DataEncipherment,
            KeyUsagePurpose::KeyAgreement,
        ];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let cert_pem = self.sign(&params, &csr.key)?;
        let bytes = signing.serial.to_be_bytes();
        let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len() - 1);
        Ok(Leaf {
            cert_pem,
            serial_number: colon_hex(bytes.get(first..).unwrap_or_default()),
            not_before: params.not_before.unix_timestamp(),
            not_after: params.not_after.unix_timestamp(),
        })
    }

    /// Signs an intermediate authority of the same trust domain, in PEM.
    ///
    /// # Errors
    /// [`CaError::Config`] when something else was asked for; the text is for the one who asks.
    pub fn intermediate(&self, csr: &Csr, signing: Signing) -> Result<String, CaError> {
        let own = self.id.as_ref().map(|id| id.trust_domain.as_str()).unwrap_or_default();
        if csr.id.who != Identity::Signing || csr.id.trust_domain != own {
            return Err(CaError::Config(format!(
                "the intermediate authority must be of the trust domain {own}, the request is for {}",
                csr.id
            )));
        }
        let mut params = self.frame(&csr.key, signing)?;
        params.distinguished_name = csr.subject.clone();
        params.subject_alt_names.push(SanType::URI(csr.id.to_string().try_into()?));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = CA_USAGES.to_vec();
        self.sign(&params, &csr.key)
    }

    /// Signs another root, so that who trusts only this authority trusts what that one signs.
    ///
    /// # Errors
    /// [`CaError`] when the other is no certificate, or this authority has ended.
    pub fn cross_sign(&self, root_pem: &str, serial: u64, now: i64) -> Result<String, CaError> {
        if self.facts.not_after <= now {
            return Err(CaError::Config(
                "the old root has expired, nothing can be cross-signed with it".into(),
            ));
        }
        let bytes = der(root_pem)?;
        let (_, cert) = X509Certificate::from_der(&bytes).map_err(|_der| not_a_certificate())?;
        let odd = || CaError::Config("the new root cannot be cross-signed: its key is of an odd kind".into());
        let key = PublicKey::read(cert.public_key()).ok_or_else(odd)?;
        let ttl = Duration::from_secs(CROSS_SIGNED_S.unsigned_abs());
        let mut params = self.frame(&key, Signing { serial, now, ttl })?;
        params.distinguished_name =
            name(cert.subject()).map_err(|e| CaError::Config(format!("the new root: {e}")))?;
        params.key_identifier_method = KeyIdMethod::PreSpecified(raw_key_id(&cert));
        for uri in CertFacts::read(&bytes).map_err(|e| CaError::Config(e.to_string()))?.uris {
            params.subject_alt_names.push(SanType::URI(uri.try_into()?));
        }
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = CA_USAGES.to_vec();
        self.sign(&params, &key)
    }

    /// What all have; nothing outlives its authority.
    fn frame(&self, key: &PublicKey, signing: Signing) -> Result<CertificateParams, CaError> {
        let life = i64::try_from(signing.ttl.as_secs()).unwrap_or(i64::MAX);
        let mut params = CertificateParams::default();
        let not_before = signing.now.saturating_sub(BACKDATE_S);
        params.not_before = unix_time(not_before)?;
        params.not_after = unix_time(not_before.saturating_add(life).min(self.facts.not_after))?;
        params.serial_number = Some(SerialNumber::from(signing.serial));
        params.key_identifier_method = KeyIdMethod::PreSpecified(key.id());
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    fn sign(&self, params: &CertificateParams, key: &PublicKey) -> Result<String, CaError> {
        let made = params.signed_by(key, &self.authority.issuer)?;
        if !self.authority.is_named_by(made.der()) {
            return Err(CaError::Config(AgentCertError::CaName.to_string()));
        }
        Ok(pem("CERTIFICATE", made.der()))
    }
}

/// Takes an intermediate authority that another one signed for our `key`, after a look at it: its key, its trust domain, and
/// that it leads to `root_pem`.
///
/// # Errors
/// [`CaError::Config`] says what is wrong with it.
pub fn take_intermediate(
    cert_pem: &str,
    key: &rcgen::KeyPair,
    trust_domain: &str,
    root_pem: &str,
    now: i64,
) -> Result<(Signer, CaProviderState), CaError> {
    let refuse = |why: String| CaError::Config(format!("the intermediate authority is not usable: {why}"));
    let key_pem = key.serialize_pem().replace("\r\n", "\n");
    let signer = Signer::read(cert_pem, &key_pem)?;
    if !signer.is_of(trust_domain) {
        return Err(refuse(format!("it is not of the trust domain {trust_domain}")));
    }
    verify_chain(cert_pem, [root_pem], now).map_err(|e| refuse(e.to_string()))?;
    let state = CaProviderState { private_key_pem: Str::from(key_pem), root_pem: Str::new(cert_pem) };
    Ok((signer, state))
}

fn not_a_certificate() -> CaError {
    CaError::Config("no certificate in PEM form".into())
}

pub(crate) fn der(cert_pem: &str) -> Result<CertificateDer<'static>, CaError> {
    CertificateDer::from_pem_slice(cert_pem.as_bytes()).map_err(|_pem| not_a_certificate())
}

/// Key id that a certificate carries, else that of its key.
fn raw_key_id(cert: &X509Certificate<'_>) -> Vec<u8> {
    use x509_parser::prelude::ParsedExtension::SubjectKeyIdentifier;
    let carried = cert.extensions().iter().find_map(|e| match e.parsed_extension() {
        SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    });
    carried.unwrap_or_else(|| crate::csr::key_id(cert.public_key().raw))
}

/// Key id of a certificate, pairs of hexadecimal digits.
pub(crate) fn key_id_of(der: &[u8]) -> Result<String, CaError> {
    let (_, cert) = X509Certificate::from_der(der).map_err(|_der| not_a_certificate())?;
    Ok(colon_hex(&raw_key_id(&cert)))
}

/// Whether a key, PEM, is the one that a certificate, PEM, speaks of.
pub(crate) fn is_pair(cert_pem: &str, key: &rcgen::KeyPair) -> bool {
    let Ok(bytes) = der(cert_pem) else { return false };
    X509Certificate::from_der(&bytes).is_ok_and(|(_, c)| c.public_key().raw == key.subject_public_key_info())
}
