//! The certificate authority: roots, settings, leaves.

use super::{
    strings,
    writer::{Array, Object, key},
};
use crate::time::rfc3339;
use types::ca::{CaConfig, CaRoots, ServiceLeaf};

/// `/v1/connect/ca/roots`.
pub fn ca_roots(out: &mut Vec<u8>, roots: &CaRoots) {
    let mut o = Object::open(out);
    o.str(key!("ActiveRootID"), &roots.active_root_id);
    o.str(key!("TrustDomain"), &roots.trust_domain);
    let mut a = Array::open(o.value(key!("Roots")));
    for r in &roots.roots {
        let mut x = Object::open(a.item());
        x.str(key!("ID"), &r.id);
        x.str(key!("Name"), &r.name);
        x.u64(key!("SerialNumber"), r.serial_number);
        x.str(key!("SigningKeyID"), &r.signing_key_id);
        x.str(key!("ExternalTrustDomain"), &r.external_trust_domain);
        x.str(key!("NotBefore"), &rfc3339(r.not_before.saturating_mul(1000)));
        x.str(key!("NotAfter"), &rfc3339(r.not_after.saturating_mul(1000)));
        x.str(key!("RootCert"), &r.root_cert);
        if r.intermediate_certs.is_empty() {
            x.value(key!("IntermediateCerts")).extend_from_slice(b"null");
        } else {
            strings(x.value(key!("IntermediateCerts")), &r.intermediate_certs);
        }
        x.bool(key!("Active"), r.active);
        x.str(key!("PrivateKeyType"), &r.private_key_type);
        x.u64(key!("PrivateKeyBits"), u64::from(r.private_key_bits));
        x.index(r.index);
        x.close();
    }
    a.close();
    o.close();
}

/// All certificates one after another.
pub fn ca_pem(out: &mut Vec<u8>, roots: &CaRoots) {
    for r in &roots.roots {
        for pem in std::iter::once(&r.root_cert).chain(&r.intermediate_certs) {
            out.extend_from_slice(pem.as_bytes());
            if !pem.ends_with('\n') {
                out.push(b'\n');
            }
        }
    }
}

/// `/v1/connect/ca/configuration`. Private keys are not part of it.
pub fn ca_config(out: &mut Vec<u8>, config: &CaConfig) {
    let mut o = Object::open(out);
    o.str(key!("Provider"), &config.provider);
    let text = config.config.as_ref().map_or("{}", |c| c.as_json_text());
    o.value(key!("Config")).extend_from_slice(text.as_bytes());
    let state = config.state().map_or_else(|| "null".to_owned(), |s| s.to_string());
    o.value(key!("State")).extend_from_slice(state.as_bytes());
    o.bool(key!("ForceWithoutCrossSigning"), false);
    o.index(config.index);
    o.close();
}

/// `/v1/agent/connect/ca/leaf/:service`.
pub fn service_leaf(out: &mut Vec<u8>, leaf: &ServiceLeaf) {
    let cert = &leaf.cert;
    let mut o = Object::open(out);
    o.str(key!("SerialNumber"), &cert.serial_number);
    o.str(key!("CertPEM"), &cert.cert_pem);
    o.str(key!("PrivateKeyPEM"), leaf.private_key_pem.expose());
    o.str(key!("Service"), &leaf.service);
    o.str(key!("ServiceURI"), &cert.uri);
    o.str(key!("ValidAfter"), &rfc3339(cert.valid_after.saturating_mul(1000)));
    o.str(key!("ValidBefore"), &rfc3339(cert.valid_before.saturating_mul(1000)));
    o.u64(key!("CreateIndex"), cert.index);
    o.u64(key!("ModifyIndex"), cert.index);
    o.close();
}

/// `/v1/agent/connect/authorize`.
pub fn authorization(out: &mut Vec<u8>, authorized: bool, reason: &str) {
    let mut o = Object::open(out);
    o.bool(key!("Authorized"), authorized);
    o.str(key!("Reason"), reason);
    o.close();
}
