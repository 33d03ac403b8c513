//! Authorities and what they sign, as others read it.

use crate::{
    CertFacts, Csr, FirstCa, KeyPair, RootParams, Settings, Signer, Signing, SpiffeId, default_config,
    first_ca, given_config, intermediate_csr, leaf_csr, needs_new_root, new_root, take_intermediate,
    verify_chain,
};
use std::time::Duration;
use types::Opaque;
use x509_parser::prelude::*;

const ID: &str = "6f6a0c1e-0000-4000-8000-000000000001";
const DOMAIN: &str = "6f6a0c1e-0000-4000-8000-000000000001.consul";
const NOW: i64 = 1_760_000_000;
const HOUR: i64 = 3600;

fn params() -> RootParams {
    RootParams { cluster_id: ID.into(), name_id: "abc123".into(), serial_number: 9, now: NOW }
}

fn ca() -> FirstCa {
    let (config, settings) = default_config(ID, None).unwrap();
    first_ca(&params(), config, &settings).unwrap()
}

fn signer(ca: &FirstCa) -> Signer {
    Signer::read(&ca.state.root_pem, &ca.state.private_key_pem).unwrap()
}

fn signing(serial: u64) -> Signing {
    Signing { serial, now: NOW, ttl: Duration::from_secs(72 * 3600) }
}

fn web() -> SpiffeId {
    SpiffeId::service(DOMAIN, "default", "dc1", "web")
}

fn leaf(by: &Signer, serial: u64) -> crate::Leaf {
    let key = KeyPair::generate().unwrap();
    let csr = Csr::parse(&leaf_csr(&key, &web(), &[], &[]).unwrap()).unwrap();
    by.leaf(&csr, &csr.id, signing(serial)).unwrap()
}

fn with(json: serde_json::Value) -> Settings {
    given_config(ID, "consul", &Opaque::from_json(&json)).unwrap().1
}

#[test]
fn a_leaf_has_the_whole_profile() {
    let ca = ca();
    let made = leaf(&signer(&ca), 0x01ab);
    assert_eq!(made.serial_number, "01:ab");
    assert_eq!((made.not_before, made.not_after), (NOW - 60, NOW - 60 + 72 * HOUR));
    let (_, pem) = parse_x509_pem(made.cert_pem.as_bytes()).unwrap();
    let cert = pem.parse_x509().unwrap();
    assert_eq!(cert.subject().to_string(), "");
    assert_eq!(cert.raw_serial_as_string(), "01:ab");
    let san = cert.subject_alternative_name().unwrap().unwrap();
    assert!(san.critical, "the subject is empty");
    assert_eq!(san.value.general_names, [GeneralName::URI(&web().to_string())]);
    let basic = cert.basic_constraints().unwrap().unwrap();
    assert!(!basic.value.ca);
    let usage = cert.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.key_encipherment() && usage.data_encipherment());
    assert!(usage.key_agreement() && !usage.key_cert_sign());
    let extended = cert.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.client_auth && extended.server_auth);
    let id = |want: fn(&ParsedExtension<'_>) -> Option<Vec<u8>>| {
        cert.iter_extensions().find_map(|e| want(e.parsed_extension())).unwrap()
    };
    let own =
        id(|e| if let ParsedExtension::SubjectKeyIdentifier(k) = e { Some(k.0.to_vec()) } else { None });
    assert_eq!(own, crate::csr::key_id(cert.public_key().raw));
    let by = id(|e| match e {
        ParsedExtension::AuthorityKeyIdentifier(a) => a.key_identifier.as_ref().map(|k| k.0.to_vec()),
        _ => None,
    });
    assert_eq!(crate::root::colon_hex(&by), ca.roots[0].signing_key_id);
    assert_eq!(by.len(), 32);
    verify_chain(&made.cert_pem, [ca.roots[0].root_cert.as_str()], NOW).unwrap();
    assert!(verify_chain(&made.cert_pem, [ca.roots[0].root_cert.as_str()], NOW + 73 * HOUR).is_err());
    assert!(verify_chain(&made.cert_pem, [super::tests::ca().roots[0].root_cert.as_str()], NOW).is_err());
}

#[test]
fn nothing_outlives_its_authority() {
    let ca = ca();
    let by = signer(&ca);
    let late = Signing { now: by.not_after() - HOUR, ..signing(1) };
    let key = KeyPair::generate().unwrap();
    let csr = Csr::parse(&leaf_csr(&key, &web(), &[], &[]).unwrap()).unwrap();
    assert_eq!(by.leaf(&csr, &web(), late).unwrap().not_after, by.not_after());
}

#[test]
fn an_intermediate_signs_for_its_own_datacenter() {
    let ca = ca();
    let by = signer(&ca);
    let key = KeyPair::generate().unwrap();
    let csr = Csr::parse(&intermediate_csr(&key, ID, "xyz").unwrap()).unwrap();
    let year = Signing { ttl: Duration::from_secs(8760 * 3600), ..signing(2) };
    let cert_pem = by.intermediate(&csr, year).unwrap();
    let root = ca.roots[0].root_cert.as_str();
    let (below, state) = take_intermediate(&cert_pem, &key, DOMAIN, root, NOW).unwrap();
    assert!(!format!("{below:?}{state:?}").contains("PRIVATE"));
    assert!(!below.is_past_half(NOW + 4000 * HOUR) && below.is_past_half(NOW + 4400 * HOUR));
    let bytes = crate::sign::der(&cert_pem).unwrap();
    let (_, cert) = X509Certificate::from_der(&bytes).unwrap();
    assert_eq!(cert.subject().to_string(), "CN=sec-xyz.consul.ca.6f6a0c1e.consul");
    let basic = cert.basic_constraints().unwrap().unwrap().value;
    assert_eq!((basic.ca, basic.path_len_constraint), (true, Some(0)));
    let made = leaf(&below, 3);
    verify_chain(&format!("{}{cert_pem}", made.cert_pem), [root], NOW).unwrap();
    assert!(verify_chain(&made.cert_pem, [root], NOW).is_err(), "the middle is missing");

    let other = KeyPair::generate().unwrap();
    assert!(take_intermediate(&cert_pem, &other, DOMAIN, root, NOW).is_err());
    assert!(take_intermediate(&cert_pem, &key, "other.consul", root, NOW).is_err());
    let foreign = super::tests::ca();
    assert!(take_intermediate(&cert_pem, &key, DOMAIN, &foreign.roots[0].root_cert, NOW).is_err());
    let foreign = Csr::parse(&intermediate_csr(&key, "other", "xyz").unwrap()).unwrap();
    assert!(by.intermediate(&foreign, year).unwrap_err().to_string().contains("must be of the trust domain"));
    let no_authority = Csr::parse(&leaf_csr(&key, &web(), &[], &[]).unwrap()).unwrap();
    assert!(by.intermediate(&no_authority, year).is_err());
}

#[test]
fn a_cross_signed_root_makes_new_leaves_good_for_old_trust() {
    let (old, new) = (ca(), ca());
    let cross = signer(&old).cross_sign(&new.roots[0].root_cert, 7, NOW).unwrap();
    let facts = CertFacts::read(&crate::sign::der(&cross).unwrap()).unwrap();
    assert_eq!((facts.not_before, facts.not_after), (NOW - 60, NOW - 60 + 7 * 24 * HOUR));
    assert_eq!(facts.uris, [format!("spiffe://{DOMAIN}")]);
    let made = leaf(&signer(&new), 8);
    let bundle = format!("{}{cross}", made.cert_pem);
    verify_chain(&bundle, [old.roots[0].root_cert.as_str()], NOW).unwrap();
    verify_chain(&bundle, [new.roots[0].root_cert.as_str()], NOW).unwrap();
    assert!(signer(&old).cross_sign("x", 7, NOW).is_err());
    assert!(signer(&old).cross_sign(&new.roots[0].root_cert, 7, i64::MAX).is_err());
}

#[test]
fn settings_say_whether_the_root_changes() {
    let ca = ca();
    let (root, state) = (&ca.roots[0], &ca.state);
    let needs = |json| needs_new_root(&with(json), root, state);
    assert!(!needs(serde_json::json!({"LeafCertTTL": "48h"})).unwrap());
    assert!(needs(serde_json::json!({"PrivateKeyBits": 384})).unwrap());
    let key = state.private_key_pem.as_str();
    assert!(!needs(serde_json::json!({"PrivateKey": key})).unwrap());
    assert!(!needs(serde_json::json!({"PrivateKey": key, "RootCert": root.root_cert})).unwrap());
    assert!(!needs(serde_json::json!({"RootCert": root.root_cert})).unwrap());
    let other = super::tests::ca();
    let given = serde_json::json!({
        "PrivateKey": other.state.private_key_pem, "RootCert": other.roots[0].root_cert,
    });
    assert!(needs(given.clone()).unwrap());
    let (taken, taken_state) = new_root(&params(), &with(given)).unwrap();
    assert_eq!((taken.id, taken_state), (other.roots[0].id.clone(), other.state.clone()));
    let words = |json| needs(json).unwrap_err().to_string();
    assert!(
        words(serde_json::json!({"RootCert": other.roots[0].root_cert}))
            .contains("must provide a private key")
    );
    let bad = words(serde_json::json!({"PrivateKey": "SECRET"}));
    assert!(bad.contains("PrivateKey must be") && !bad.contains("SECRET"), "{bad}");

    let make = |json| new_root(&params(), &with(json));
    let large = make(serde_json::json!({"PrivateKeyBits": 384})).unwrap().0;
    assert_eq!((large.private_key_type.as_str(), large.private_key_bits), ("ec", 384));
    let foreign = serde_json::json!({"PrivateKey": key, "RootCert": other.roots[0].root_cert});
    assert!(make(foreign).unwrap_err().to_string().contains("another than PrivateKey"));
    let words = make(serde_json::json!({"PrivateKeyType": "rsa"})).unwrap_err().to_string();
    assert!(words.contains("not built yet") && words.contains("2048"), "{words}");
}
