//! Roots: the first one, and those that take its place.

use crate::{
    config::{KeyKind, Settings, trust_domain},
    csr::key_id,
    facts::CertFacts,
    key_text::{self, pem},
    sign::{CA_USAGES, der, is_pair, key_id_of},
    spiffe::SpiffeId,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyIdMethod, KeyPair,
    PKCS_ECDSA_P384_SHA384, PublicKeyData as _, SanType, SerialNumber,
};
use sha1::{Digest, Sha1};
use std::time::Duration;
use time::OffsetDateTime;
use types::{
    Str,
    ca::{CaConfig, CaProviderState, CaRoot},
};
use x509_parser::{
    prelude::{FromDer as _, X509Certificate},
    public_key::PublicKey as ParsedKey,
};

const ROOT_NAME: &str = "Consul CA Primary Cert";
/// Certificates are valid from a little before now, for clocks that lag.
pub(crate) const BACKDATE_S: i64 = 60;
/// Characters of the cluster id in the common name.
const SHORT_ID_CHARS: usize = 8;

/// Why a certificate could not be made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The certificate library refused.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A setting is not usable; the text is public.
    #[error("{0}")]
    Config(String),
}

/// Everything that is random or depends on the time.
#[derive(Clone, Debug)]
pub struct RootParams {
    /// UUID of the trust domain.
    pub cluster_id: Str,
    /// A few random lower-case letters and digits that tell roots apart.
    pub name_id: Str,
    /// Serial number.
    pub serial_number: u64,
    /// Unix seconds.
    pub now: i64,
}

/// What a leader stores (`Command::CaSet`).
#[derive(Clone, Debug)]
pub struct FirstCa {
    /// Configuration.
    pub config: CaConfig,
    /// Private state.
    pub state: CaProviderState,
    /// The root.
    pub roots: Vec<CaRoot>,
}

/// Configuration, key and certificate of the first root of a trust domain: given by the settings, or made.
///
/// # Errors
/// [`CaError::Config`] for settings that do not go together, the others for defects of key or library.
pub fn first_ca(params: &RootParams, config: CaConfig, settings: &Settings) -> Result<FirstCa, CaError> {
    let (root, state) = new_root(params, settings)?;
    Ok(FirstCa { config, state, roots: vec![root] })
}

/// Whether these settings ask for a root other than the active one.
///
/// # Errors
/// [`CaError::Config`] for a key that is none, and a root certificate without a key.
pub fn needs_new_root(
    settings: &Settings,
    active: &CaRoot,
    state: &CaProviderState,
) -> Result<bool, CaError> {
    let same_root =
        || Ok::<_, CaError>(der(&settings.root_cert)?.as_ref() == der(&active.root_cert)?.as_ref());
    match (settings.private_key.is_empty(), settings.root_cert.is_empty()) {
        (true, true) => {
            Ok(settings.key.name() != active.private_key_type || settings.key.bits != active.private_key_bits)
        }
        // What was given once need not be given again.
        (true, false) if same_root()? => Ok(false),
        (true, false) => Err(without_key()),
        (false, true) => Ok(!is_pair(&state.root_pem, &given_key(settings)?)),
        (false, false) => {
            given_key(settings)?;
            Ok(!same_root()?)
        }
    }
}

fn without_key() -> CaError {
    CaError::Config(
        "error configuring provider: must provide a private key when providing a root cert".into(),
    )
}

fn given_key(settings: &Settings) -> Result<KeyPair, CaError> {
    key_text::read(settings.private_key.expose()).ok_or_else(|| {
        CaError::Config(
            "error configuring provider: error parsing private key: PrivateKey must be an EC (P-256, P-384), RSA or Ed25519 key in PEM form".into(),
        )
    })
}

/// A key of the kind that the settings name.
///
/// # Errors
/// [`CaError::Config`] for kinds that can only be given.
pub fn new_key(kind: KeyKind) -> Result<KeyPair, CaError> {
    match kind {
        KeyKind { rsa: false, bits: 256 } => Ok(KeyPair::generate()?),
        KeyKind { rsa: false, bits: 384 } => Ok(KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?),
        KeyKind { bits, .. } => Err(CaError::Config(format!(
            "error configuring provider: not built yet: making a private key of type {} with {bits} bits; use ec with 256 or 384 bits, or give PrivateKey",
            kind.name()
        ))),
    }
}

/// Makes the root that the settings ask for, or takes the one that they give.
///
/// # Errors
/// [`CaError::Config`] for settings that do not go together, the others for defects of key or library.
pub fn new_root(params: &RootParams, settings: &Settings) -> Result<(CaRoot, CaProviderState), CaError> {
    let key = match settings.private_key.is_empty() {
        true if !settings.root_cert.is_empty() => return Err(without_key()),
        true => new_key(settings.key)?,
        false => given_key(settings)?,
    };
    let cert_pem = if settings.root_cert.is_empty() {
        make(&key, params, settings.root_ttl)?
    } else {
        given(&key, params, &settings.root_cert)?
    };
    let bytes = der(&cert_pem)?;
    let facts = CertFacts::read(&bytes).map_err(|e| CaError::Config(e.to_string()))?;
    let kind = key_kind(&bytes)?;
    let root = CaRoot {
        id: Str::from(colon_hex(&Sha1::digest(&bytes))),
        name: ROOT_NAME.into(),
        serial_number: serial_of(&bytes)?,
        signing_key_id: Str::from(key_id_of(&bytes)?),
        external_trust_domain: params.cluster_id.clone(),
        not_before: facts.not_before,
        not_after: facts.not_after,
        root_cert: Str::from(cert_pem),
        active: true,
        private_key_type: kind.name().into(),
        private_key_bits: kind.bits,
        ..CaRoot::default()
    };
    let key_pem = if settings.private_key.is_empty() {
        unix_lines(&key.serialize_pem())
    } else {
        settings.private_key.expose().to_owned()
    };
    let state = CaProviderState { private_key_pem: Str::from(key_pem), root_pem: root.root_cert.clone() };
    Ok((root, state))
}

/// A self-signed root for the SPIFFE trust domain of the cluster, in PEM.
fn make(key: &KeyPair, params: &RootParams, ttl: Duration) -> Result<String, CaError> {
    let life = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let mut cert = CertificateParams::default();
    cert.not_before = unix_time(params.now - BACKDATE_S)?;
    cert.not_after = unix_time(params.now.saturating_add(life))?;
    cert.serial_number = Some(SerialNumber::from(params.serial_number));
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name("pri", &params.name_id, &params.cluster_id));
    cert.distinguished_name = name;
    let id = SpiffeId::signing(&trust_domain(&params.cluster_id));
    cert.subject_alt_names = vec![SanType::URI(id.to_string().try_into()?)];
    cert.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    cert.key_usages = CA_USAGES.to_vec();
    cert.use_authority_key_identifier_extension = true;
    cert.key_identifier_method = KeyIdMethod::PreSpecified(key_id(&key.subject_public_key_info()));
    Ok(pem("CERTIFICATE", cert.self_signed(key)?.der()))
}

/// A root that an operator gives, after a look at it.
fn given(key: &KeyPair, params: &RootParams, root_pem: &str) -> Result<String, CaError> {
    let refuse =
        |why: &str| CaError::Config(format!("error configuring provider: RootCert cannot be used: {why}"));
    let bytes = der(root_pem).map_err(|_pem| refuse("no certificate in PEM form"))?;
    let facts = CertFacts::read(&bytes).map_err(|e| refuse(&e.to_string()))?;
    if !is_pair(root_pem, key) {
        return Err(refuse("its key is another than PrivateKey"));
    }
    if !facts.is_ca {
        return Err(refuse("it may not sign other certificates"));
    }
    if facts.not_after <= params.now {
        return Err(refuse("it has expired"));
    }
    let id = SpiffeId::signing(&trust_domain(&params.cluster_id));
    if let Some(other) = facts.uris.iter().find(|uri| SpiffeId::parse(uri).as_ref() != Ok(&id)) {
        return Err(refuse(&format!("it is of {other}, this trust domain is {id}")));
    }
    Ok(pem("CERTIFICATE", &bytes))
}

/// Kind of the key of a certificate.
pub(crate) fn key_kind(der: &[u8]) -> Result<KeyKind, CaError> {
    let odd = || CaError::Config("the certificate has a key of an odd kind".into());
    let (_, cert) = X509Certificate::from_der(der).map_err(|_der| odd())?;
    let key = cert.public_key().parsed().map_err(|_key| odd())?;
    let bits = u32::try_from(key.key_size()).unwrap_or(0);
    match key {
        ParsedKey::RSA(_) => Ok(KeyKind { rsa: true, bits }),
        ParsedKey::EC(_) => Ok(KeyKind { rsa: false, bits }),
        _ => Err(odd()),
    }
}

/// The last eight bytes of a serial number; those that we make are no longer.
fn serial_of(der: &[u8]) -> Result<u64, CaError> {
    let (_, cert) = X509Certificate::from_der(der)
        .map_err(|_der| CaError::Config("the root is no certificate".into()))?;
    Ok(cert.raw_serial().iter().fold(0, |n: u64, b| (n << 8) | u64::from(*b)))
}

/// `pri-<id>.consul.ca.<first part of the cluster id>.consul`
pub(crate) fn common_name(role: &str, name_id: &str, cluster_id: &str) -> String {
    let short: String = cluster_id.chars().take(SHORT_ID_CHARS).collect();
    format!("{role}-{name_id}.consul.ca.{short}.consul")
}

pub(crate) fn unix_time(s: i64) -> Result<OffsetDateTime, CaError> {
    let time = OffsetDateTime::from_unix_timestamp(s)
        .map_err(|e| CaError::Config(format!("time out of range: {e}")))?;
    // RFC 5280 takes four digits of a year.
    if time.year() > 9999 {
        return Err(CaError::Config("time out of range: it ends after the year 9999".into()));
    }
    Ok(time)
}

fn unix_lines(pem: &str) -> String {
    pem.replace("\r\n", "\n")
}

pub(crate) fn colon_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::*;

    #[test]
    fn the_root_is_a_spiffe_authority() {
        let id = "6f6a0c1e-0000-4000-8000-000000000001";
        let params = RootParams {
            cluster_id: id.into(),
            name_id: "abc123".into(),
            serial_number: 9,
            now: 1_760_000_000,
        };
        let ca = {
            let (config, settings) = crate::default_config(id, None).unwrap();
            first_ca(&params, config, &settings).unwrap()
        };
        let root = &ca.roots[0];
        let (_, pem) = parse_x509_pem(root.root_cert.as_bytes()).unwrap();
        let cert = pem.parse_x509().unwrap();
        assert_eq!(root.id, colon_hex(&Sha1::digest(&pem.contents)));
        assert_eq!(cert.subject().to_string(), "CN=pri-abc123.consul.ca.6f6a0c1e.consul");
        assert_eq!(cert.issuer(), cert.subject());
        assert_eq!(cert.validity().not_after.timestamp(), root.not_after);
        assert_eq!(cert.validity().not_before.timestamp(), root.not_before);
        assert_eq!(root.not_after - params.now, 87_600 * 3600);
        assert_eq!(cert.raw_serial(), [9]);
        let usage = cert.key_usage().unwrap().unwrap().value;
        assert!(usage.key_cert_sign() && usage.crl_sign() && usage.digital_signature());
        assert!(cert.is_ca());
        let san = cert.subject_alternative_name().unwrap().unwrap().value;
        assert_eq!(san.general_names, [GeneralName::URI(&format!("spiffe://{id}.consul"))]);
        let ski = cert
            .iter_extensions()
            .find_map(|e| match e.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(k) => Some(colon_hex(k.0)),
                _ => None,
            })
            .unwrap();
        assert_eq!(root.signing_key_id, ski);
        cert.verify_signature(None).unwrap();
        assert!(ca.state.private_key_pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(!format!("{ca:?}").contains("PRIVATE KEY"));
    }
}
