//! Authorities and certificates as others read them.

use super::*;
use crate::CertFacts;
use x509_parser::prelude::*;

const NOW: i64 = 1_760_000_000;

fn ca() -> (KeyPair, Issued) {
    let key = KeyPair::generate().unwrap();
    let ca = AgentCa {
        domain: "consul",
        common_name: "",
        cluster_id: "",
        name_constraints: None,
        days: 1825,
        serial: u128::MAX,
        now: NOW,
    };
    let made = agent_ca(&key, &ca).unwrap();
    (key, made)
}

fn cert(role: Role) -> AgentCert<'static> {
    AgentCert {
        role,
        datacenter: "dc1",
        domain: "consul",
        node: "",
        dns_names: &[],
        addresses: &[],
        days: 365,
        serial: 7,
        now: NOW,
    }
}

fn der(pem: &str) -> Vec<u8> {
    parse_x509_pem(pem.as_bytes()).unwrap().1.contents
}

#[test]
fn an_authority_signs_what_it_made_for_each_role() {
    let (_, ca) = ca();
    let ca_der = der(&ca.cert_pem);
    let (_, authority) = X509Certificate::from_der(&ca_der).unwrap();
    authority.verify_signature(None).unwrap();
    assert!(authority.is_ca());
    assert!(authority.subject().to_string().ends_with(&format!("CN=Consul Agent CA {}", u128::MAX)));
    assert!(!format!("{ca:?}").contains("PRIVATE"));
    for (role, name, addresses) in [
        (Role::Server, "server.dc1.consul", 1),
        (Role::Client, "client.dc1.consul", 1),
        (Role::Cli, "cli.dc1.consul", 0),
    ] {
        let key = KeyPair::generate().unwrap();
        let made = agent_cert(&key, &ca.cert_pem, ca.key_pem.expose(), &cert(role)).unwrap();
        let made = der(&made.cert_pem);
        let facts = CertFacts::read(&made).unwrap();
        assert_eq!(facts.subject, format!("CN={name}"));
        assert_eq!(facts.dns_names, [name, "localhost"]);
        assert_eq!(facts.addresses.len(), addresses);
        assert_eq!((facts.not_before, facts.not_after), (NOW, NOW + 365 * DAY_S));
        assert!(facts.carries(&name.to_uppercase()) && !facts.is_ca);
        let (_, parsed) = X509Certificate::from_der(&made).unwrap();
        parsed.verify_signature(Some(authority.public_key())).unwrap();
        assert_eq!(parsed.issuer(), authority.subject());
        assert_eq!(parsed.extended_key_usage().unwrap().is_some(), role != Role::Cli);
    }
}

#[test]
fn further_names_come_first_and_the_node_before_the_role() {
    let (_, ca) = ca();
    let key = KeyPair::generate().unwrap();
    let (names, addresses) = (["a.example".to_owned()], ["10.0.0.9".to_owned(), "::1".to_owned()]);
    let wanted = AgentCert { node: "n9", dns_names: &names, addresses: &addresses, ..cert(Role::Server) };
    let made = agent_cert(&key, &ca.cert_pem, ca.key_pem.expose(), &wanted).unwrap();
    let facts = CertFacts::read(&der(&made.cert_pem)).unwrap();
    assert_eq!(facts.dns_names, ["a.example", "n9.server.dc1.consul", "server.dc1.consul", "localhost"]);
    assert_eq!(facts.addresses.last().unwrap().to_string(), "127.0.0.1");
    assert_eq!(facts.addresses.len(), 3);
    let wanted = AgentCert { role: Role::Cli, ..wanted };
    let made = agent_cert(&key, &ca.cert_pem, ca.key_pem.expose(), &wanted).unwrap();
    let facts = CertFacts::read(&der(&made.cert_pem)).unwrap();
    assert_eq!(facts.dns_names, ["cli.dc1.consul", "localhost"]);
}

#[test]
fn constraints_and_cluster_are_written() {
    let key = KeyPair::generate().unwrap();
    let more = ["example.com".to_owned()];
    let wanted = AgentCa {
        domain: "test",
        common_name: "mine",
        cluster_id: "c1",
        name_constraints: Some(&more),
        days: 1,
        serial: 3,
        now: NOW,
    };
    let made = der(&agent_ca(&key, &wanted).unwrap().cert_pem);
    let (_, cert) = X509Certificate::from_der(&made).unwrap();
    assert!(cert.subject().to_string().ends_with("CN=mine"));
    let constraints = cert.name_constraints().unwrap().unwrap();
    assert!(constraints.critical);
    let permitted: Vec<_> =
        constraints.value.permitted_subtrees.as_ref().unwrap().iter().map(|s| s.base.to_string()).collect();
    assert_eq!(permitted.len(), 3);
    assert!(permitted[0].contains("example.com") && permitted[1].contains("test"));
    let san = cert.subject_alternative_name().unwrap().unwrap().value;
    assert_eq!(san.general_names, [GeneralName::URI("spiffe://c1.test")]);
}

#[test]
fn mistakes_have_words() {
    let ((_, ca), (_, other)) = (ca(), ca());
    let key = KeyPair::generate().unwrap();
    let make = |ca_pem: &str, key_pem: &str, wanted: &AgentCert<'_>| {
        agent_cert(&key, ca_pem, key_pem, wanted).unwrap_err().to_string()
    };
    let key_pem = ca.key_pem.expose();
    assert!(make(&ca.cert_pem, other.key_pem.expose(), &cert(Role::Client)).contains("another key"));
    assert!(make(&ca.cert_pem, "x", &cert(Role::Client)).contains("CA key"));
    assert!(make("x", key_pem, &cert(Role::Client)).contains("parse the CA:"));
    let addresses = ["x".to_owned()];
    let wanted = AgentCert { addresses: &addresses, ..cert(Role::Client) };
    assert!(make(&ca.cert_pem, key_pem, &wanted).starts_with("failed to parse certificate"));
    let wanted = AgentCert { days: i64::MAX, ..cert(Role::Client) };
    assert!(make(&ca.cert_pem, key_pem, &wanted).contains("out of range"));
}
