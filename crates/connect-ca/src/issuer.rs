//! An authority from its files, ready to sign.

use crate::{agent::AgentCertError, key_text};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, DnValue, Issuer, KeyIdMethod, KeyPair, PublicKeyData as _,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{
    asn1_rs::Tag,
    prelude::{FromDer as _, ParsedExtension, X509Certificate, X509Name},
};

/// The authority's name as it stands in its certificate, and its key.
pub(crate) struct Authority {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    /// DER of its name, which every certificate that it signs must repeat.
    subject: Vec<u8>,
}

impl Authority {
    pub(crate) fn read(cert_pem: &str, key_pem: &str) -> Result<Self, AgentCertError> {
        let key = key_text::read(key_pem).ok_or(AgentCertError::Key)?;
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).map_err(|_pem| AgentCertError::Ca)?;
        let (_, cert) = X509Certificate::from_der(&der).map_err(|_der| AgentCertError::Ca)?;
        if cert.public_key().raw != key.subject_public_key_info() {
            return Err(AgentCertError::Pair);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = name(cert.subject())?;
        let key_id = cert.extensions().iter().find_map(|e| match e.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
            _ => None,
        });
        if let Some(id) = key_id {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        Ok(Self { subject: cert.subject().as_raw().to_vec(), issuer: Issuer::new(params, key) })
    }

    /// Whether `der` names this authority as its issuer, to the byte.
    pub(crate) fn is_named_by(&self, der: &[u8]) -> bool {
        X509Certificate::from_der(der).is_ok_and(|(_, cert)| cert.issuer().as_raw() == self.subject)
    }
}

/// The name in the signature library's words. It must come out as the same bytes, so each text keeps its kind.
pub(crate) fn name(given: &X509Name<'_>) -> Result<DistinguishedName, AgentCertError> {
    let mut out = DistinguishedName::new();
    for attribute in given.iter_attributes() {
        let oid: Vec<u64> = attribute.attr_type().iter().ok_or(AgentCertError::CaName)?.collect();
        let text = attribute.as_str().map_err(|_kind| AgentCertError::CaName)?;
        let odd = |_e| AgentCertError::CaName;
        let value = match attribute.attr_value().tag() {
            Tag::PrintableString => DnValue::PrintableString(text.try_into().map_err(odd)?),
            Tag::Ia5String => DnValue::Ia5String(text.try_into().map_err(odd)?),
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            _ => return Err(AgentCertError::CaName),
        };
        out.push(DnType::from_oid(&oid), value);
    }
    Ok(out)
}
