//! The first root.

use crate::config::{Ttls, trust_domain};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use sha1::{Digest, Sha1};
use time::OffsetDateTime;
use types::{
    Str,
    ca::{CaConfig, CaProviderState, CaRoot},
};

const ROOT_NAME: &str = "Consul CA Primary Cert";
/// Certificates are valid from a little before now, for clocks that lag.
const BACKDATE_S: i64 = 60;
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

/// What the first leader stores (`Command::CaSet`).
#[derive(Clone, Debug)]
pub struct FirstCa {
    /// Configuration.
    pub config: CaConfig,
    /// Private state.
    pub state: CaProviderState,
    /// The root.
    pub roots: Vec<CaRoot>,
}

/// Configuration, key and certificate of the first root: self-signed, P-256, for the SPIFFE trust domain of the cluster.
///
/// # Errors
/// [`CaError::Config`] for life times that break a rule, the others for defects of key or library.
pub fn first_ca(key: &KeyPair, params: &RootParams, config: CaConfig) -> Result<FirstCa, CaError> {
    let ttls = Ttls::read(&config)?;
    let time = |s: i64| {
        OffsetDateTime::from_unix_timestamp(s).map_err(|e| CaError::Config(format!("time out of range: {e}")))
    };
    let life =
        i64::try_from(ttls.root.as_secs()).map_err(|e| CaError::Config(format!("RootCertTTL: {e}")))?;
    let not_before = params.now - BACKDATE_S;
    let not_after = params.now.saturating_add(life);

    let mut cert = CertificateParams::default();
    cert.not_before = time(not_before)?;
    cert.not_after = time(not_after)?;
    cert.serial_number = Some(SerialNumber::from(params.serial_number));
    let short: String = params.cluster_id.chars().take(SHORT_ID_CHARS).collect();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, format!("pri-{}.consul.ca.{short}.consul", params.name_id));
    cert.distinguished_name = name;
    let spiffe = format!("spiffe://{}", trust_domain(&params.cluster_id));
    cert.subject_alt_names = vec![SanType::URI(spiffe.as_str().try_into()?)];
    cert.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    cert.key_usages =
        vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    cert.use_authority_key_identifier_extension = true;
    let signing_key_id = cert.key_identifier(key);
    let cert = cert.self_signed(key)?;

    let root = CaRoot {
        id: Str::from(colon_hex(&Sha1::digest(cert.der()))),
        name: ROOT_NAME.into(),
        serial_number: params.serial_number,
        signing_key_id: Str::from(colon_hex(&signing_key_id)),
        external_trust_domain: params.cluster_id.clone(),
        not_before,
        not_after,
        root_cert: Str::from(unix_lines(&cert.pem())),
        active: true,
        private_key_type: "ec".into(),
        private_key_bits: 256,
        ..CaRoot::default()
    };
    let state = CaProviderState {
        private_key_pem: Str::from(unix_lines(&key.serialize_pem())),
        root_pem: root.root_cert.clone(),
    };
    Ok(FirstCa { config, state, roots: vec![root] })
}

fn unix_lines(pem: &str) -> String {
    pem.replace("\r\n", "\n")
}

fn colon_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::*;

    #[test]
    fn the_root_is_a_spiffe_authority() {
        let key = KeyPair::generate().unwrap();
        let id = "6f6a0c1e-0000-4000-8000-000000000001";
        let params = RootParams {
            cluster_id: id.into(),
            name_id: "abc123".into(),
            serial_number: 9,
            now: 1_760_000_000,
        };
        let ca = first_ca(&key, &params, crate::default_config(id, None).unwrap()).unwrap();
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
