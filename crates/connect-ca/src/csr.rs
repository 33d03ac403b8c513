//! Requests for a certificate: made here, and read from others.

use crate::{
    issuer::name,
    key_text::pem,
    root::CaError,
    spiffe::{SpiffeError, SpiffeId},
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SanType, SignatureAlgorithm,
};
use rustls_pki_types::{CertificateSigningRequestDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use x509_parser::{
    certification_request::X509CertificationRequest,
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
    },
    prelude::{FromDer as _, GeneralName, ParsedExtension},
    x509::SubjectPublicKeyInfo,
};

/// Longest request that is looked at, bytes of PEM.
pub const CSR_BYTES_MAX: usize = 64 << 10;
/// Most names that a request may ask for.
const NAMES_MAX: usize = 128;

/// Why a request is not signed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CsrError {
    /// Not a request, or damaged.
    #[error("failed to parse CSR: {0}")]
    Parse(String),
    /// The one who asks does not have the key.
    #[error("CSR is not signed by its own key")]
    Signature,
    /// A kind of key that we do not certify.
    #[error("CSR has a key of a kind that is not supported: EC P-256 and P-384, RSA and Ed25519 are")]
    Key,
    /// None or several.
    #[error("CSR SAN contains an invalid number of URIs: {0}")]
    Uris(usize),
    /// Never allowed.
    #[error("CSR SAN does not allow specifying email addresses")]
    Email,
    /// More than anybody needs.
    #[error("CSR SAN has more than {NAMES_MAX} names")]
    Names,
    /// Not an identity of ours.
    #[error(transparent)]
    Spiffe(#[from] SpiffeError),
}

/// A public key that is to be certified.
#[derive(Clone, Debug)]
pub struct PublicKey {
    bits: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
    /// DER of the whole, whose digest names the key.
    info: Vec<u8>,
}

impl PublicKey {
    pub(crate) fn read(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let kind = &info.algorithm.algorithm;
        let algorithm = if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?;
            if curve == OID_EC_P256 {
                &PKCS_ECDSA_P256_SHA256
            } else if curve == OID_NIST_EC_P384 {
                &PKCS_ECDSA_P384_SHA384
            } else {
                return None;
            }
        } else if *kind == OID_PKCS1_RSAENCRYPTION {
            &PKCS_RSA_SHA256
        } else if *kind == OID_SIG_ED25519 {
            &PKCS_ED25519
        } else {
            return None;
        };
        Some(Self { bits: info.subject_public_key.data.to_vec(), algorithm, info: info.raw.to_vec() })
    }

    /// Its key id: SHA-256 of its DER.
    pub(crate) fn id(&self) -> Vec<u8> {
        key_id(&self.info)
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// Key id of the DER of a public key.
pub(crate) fn key_id(info: &[u8]) -> Vec<u8> {
    Sha256::digest(info).to_vec()
}

/// A request that was read: its signature fits, and it asks for one identity.
#[derive(Clone, Debug)]
pub struct Csr {
    /// The identity.
    pub id: SpiffeId,
    /// DNS names without ports, each once.
    pub dns_names: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    pub(crate) key: PublicKey,
    pub(crate) subject: DistinguishedName,
}

impl Csr {
    /// Reads a request. Hostile bytes do not panic.
    ///
    /// # Errors
    /// [`CsrError`]; the text is for the one who asks.
    pub fn parse(text: &str) -> Result<Self, CsrError> {
        let bad = |what: &str| CsrError::Parse(what.to_owned());
        if text.len() > CSR_BYTES_MAX {
            return Err(bad("it is too long"));
        }
        let der = CertificateSigningRequestDer::from_pem_slice(text.as_bytes())
            .map_err(|_pem| bad("no PEM-encoded data found"))?;
        let (rest, csr) =
            X509CertificationRequest::from_der(&der).map_err(|_der| bad("malformed request"))?;
        if !rest.is_empty() {
            return Err(bad("there are bytes after its end"));
        }
        let info = &csr.certification_request_info;
        let key = PublicKey::read(&info.subject_pki).ok_or(CsrError::Key)?;
        csr.verify_signature().map_err(|_signature| CsrError::Signature)?;
        let subject = name(&info.subject).map_err(|_name| bad("its subject has parts of an odd kind"))?;
        let (mut uris, mut dns_names, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        for extension in csr.requested_extensions().into_iter().flatten() {
            let ParsedExtension::SubjectAlternativeName(names) = extension else { continue };
            for name in &names.general_names {
                count += 1;
                if count > NAMES_MAX {
                    return Err(CsrError::Names);
                }
                match name {
                    GeneralName::URI(uri) => uris.push((*uri).to_owned()),
                    GeneralName::RFC822Name(_) => return Err(CsrError::Email),
                    GeneralName::DNSName(name) => {
                        let name = name.split(':').next().unwrap_or_default().to_owned();
                        if !name.is_empty() && !dns_names.contains(&name) {
                            dns_names.push(name);
                        }
                    }
                    GeneralName::IPAddress(bytes) => addresses.extend(crate::facts::address(bytes)),
                    _ => {}
                }
            }
        }
        let [uri] = uris.as_slice() else { return Err(CsrError::Uris(uris.len())) };
        Ok(Self { id: SpiffeId::parse(uri)?, dns_names, addresses, key, subject })
    }
}

/// A request for a leaf, in PEM.
///
/// # Errors
/// [`CaError`] for a name that cannot stand in a certificate.
pub fn leaf_csr(
    key: &KeyPair,
    id: &SpiffeId,
    dns_names: &[String],
    addresses: &[IpAddr],
) -> Result<String, CaError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names.push(SanType::URI(id.to_string().try_into()?));
    for name in dns_names {
        params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
    }
    params.subject_alt_names.extend(addresses.iter().map(|ip| SanType::IpAddress(*ip)));
    Ok(pem("CERTIFICATE REQUEST", params.serialize_request(key)?.der()))
}

/// A request for an intermediate authority of a trust domain, in PEM; `name_id` tells authorities apart.
///
/// # Errors
/// [`CaError`] for a defect of the key.
pub fn intermediate_csr(key: &KeyPair, cluster_id: &str, name_id: &str) -> Result<String, CaError> {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, crate::root::common_name("sec", name_id, cluster_id));
    params.distinguished_name = name;
    let id = SpiffeId::signing(&crate::trust_domain(cluster_id));
    params.subject_alt_names.push(SanType::URI(id.to_string().try_into()?));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = crate::sign::CA_USAGES.to_vec();
    Ok(pem("CERTIFICATE REQUEST", params.serialize_request(key)?.der()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> SpiffeId {
        SpiffeId::service("c1.consul", "default", "dc1", "web")
    }

    #[test]
    fn what_is_made_is_read() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let names = ["a.example".to_owned(), "a.example".to_owned()];
            let text = leaf_csr(&key, &id(), &names, &[IpAddr::from([127, 0, 0, 1])]).unwrap();
            let csr = Csr::parse(&text).unwrap();
            assert_eq!(csr.id, id());
            assert_eq!(csr.dns_names, ["a.example"]);
            assert_eq!(csr.addresses.len(), 1);
            assert_eq!(csr.key.der_bytes(), key.der_bytes());
            assert!(csr.subject.iter().next().is_none());
        }
    }

    fn refused(sans: Vec<SanType>) -> CsrError {
        let mut params = CertificateParams::default();
        params.subject_alt_names = sans;
        let key = KeyPair::generate().unwrap();
        let der = params.serialize_request(&key).unwrap();
        Csr::parse(&pem("CERTIFICATE REQUEST", der.der())).unwrap_err()
    }

    #[test]
    fn requests_that_ask_for_the_wrong_names_are_refused() {
        let uri = |s: &str| SanType::URI(s.try_into().unwrap());
        let own = uri(&id().to_string());
        assert_eq!(refused(vec![]), CsrError::Uris(0));
        assert_eq!(refused(vec![own.clone(), own.clone()]), CsrError::Uris(2));
        let mail = SanType::Rfc822Name("a@b.c".try_into().unwrap());
        assert_eq!(refused(vec![own, mail]), CsrError::Email);
        assert_eq!(refused(vec![uri("https://x")]), CsrError::Spiffe(SpiffeError::Scheme));
        let many = (0..200).map(|n| SanType::DnsName(format!("n{n}").try_into().unwrap())).collect();
        assert_eq!(refused(many), CsrError::Names);
    }

    #[test]
    fn a_changed_request_does_not_fit_its_signature() {
        let key = KeyPair::generate().unwrap();
        let text = leaf_csr(&key, &id(), &[], &[]).unwrap();
        let mut der = CertificateSigningRequestDer::from_pem_slice(text.as_bytes()).unwrap().to_vec();
        let at = der.windows(3).position(|w| w == b"web").unwrap();
        der[at] = b'f';
        assert_eq!(Csr::parse(&pem("CERTIFICATE REQUEST", &der)).unwrap_err(), CsrError::Signature);
        for n in 0..der.len() {
            let _ = Csr::parse(&pem("CERTIFICATE REQUEST", &der[..n])).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_safe(
            at in 0usize..400,
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            text in ".{0,200}",
        ) {
            let key = KeyPair::generate().unwrap();
            let good = leaf_csr(&key, &id(), &[], &[]).unwrap();
            let mut der = CertificateSigningRequestDer::from_pem_slice(good.as_bytes()).unwrap().to_vec();
            let at = at.min(der.len());
            let end = (at + bytes.len()).min(der.len());
            der.splice(at..end, bytes.iter().copied());
            let _ = Csr::parse(&pem("CERTIFICATE REQUEST", &der));
            let _ = Csr::parse(&pem("CERTIFICATE REQUEST", &bytes));
            let _ = Csr::parse(&text);
        }
    }
}
