//! Certificates with their keys: whether both can be read and belong together. Keys never appear in messages.

use crate::{
    Refusal,
    rules::{Checked, ensure, quote},
};
use x509_parser::{
    certificate::X509Certificate,
    der_parser::ber::{BerObject, BerObjectContent},
    der_parser::der::parse_der,
    extensions::GeneralName,
    pem::parse_x509_pem,
    prelude::FromDer as _,
    public_key::PublicKey,
};

const RSA_BITS_MIN: usize = 2048;

const MISMATCH: &str = "tls: private key does not match public key";

/// A private key, as far as it is looked at.
enum Key {
    /// RSA: modulus without leading zeros.
    Rsa(Vec<u8>),
    /// Elliptic curve: the public point, when the key carries it.
    Curve(Option<Vec<u8>>),
    /// Something else, of which the public half cannot be told without computing.
    Other,
}

/// Looks at a certificate and its private key.
pub(crate) fn check_pair(certificate: &str, private_key: &str) -> Checked {
    let (_, key) = parse_x509_pem(private_key.as_bytes())
        .map_err(|_e| Refusal::from("failed to parse private key PEM"))?;
    let key = read_key(&key.label, &key.contents)?;
    if let Key::Rsa(modulus) = &key {
        ensure(modulus.len() * 8 >= RSA_BITS_MIN, || {
            format!("key length must be at least {RSA_BITS_MIN} bits")
        })?;
    }
    let (_, pem) = parse_x509_pem(certificate.as_bytes())
        .map_err(|_e| Refusal::from("failed to parse certificate PEM"))?;
    let (_, cert) = X509Certificate::from_der(&pem.contents)
        .map_err(|e| Refusal::from(format!("failed to parse certificate: {e}")))?;
    check_hosts(&cert)?;
    check_match(&cert, &key)
}

fn read_key(label: &str, der: &[u8]) -> Result<Key, Refusal> {
    let damaged = || Refusal::from("failed to parse private key: not a private key that can be read");
    let (_, object) = parse_der(der).map_err(|_e| damaged())?;
    let fields = object.as_sequence().map_err(|_e| damaged())?;
    match label {
        "RSA PRIVATE KEY" => rsa(fields).ok_or_else(damaged),
        "EC PRIVATE KEY" => Ok(curve(fields)),
        // PKCS #8: version, algorithm, the key as octets.
        "PRIVATE KEY" => {
            let inner = fields.get(2).and_then(|o| o.as_slice().ok()).ok_or_else(damaged)?;
            Ok(match parse_der(inner) {
                Ok((_, o)) => match o.as_sequence() {
                    Ok(f) if f.len() >= 9 => rsa(f).ok_or_else(damaged)?,
                    Ok(f) => curve(f),
                    Err(_) => Key::Other,
                },
                Err(_) => Key::Other,
            })
        }
        _ => Err(damaged()),
    }
}

/// PKCS #1: version, modulus, exponents and primes.
fn rsa(fields: &[BerObject<'_>]) -> Option<Key> {
    let modulus = fields.get(1)?.as_slice().ok()?;
    Some(Key::Rsa(without_zeros(modulus).to_vec()))
}

/// SEC 1: version, the key, parameters as `[0]`, the public point as `[1]`.
fn curve(fields: &[BerObject<'_>]) -> Key {
    let point = fields.iter().skip(2).find(|o| o.header.tag().0 == 1).and_then(|o| match &o.content {
        BerObjectContent::Unknown(any) => match parse_der(any.data) {
            Ok((_, o)) => match o.content {
                BerObjectContent::BitString(_, bits) => Some(bits.data.to_vec()),
                _ => None,
            },
            Err(_) => None,
        },
        _ => None,
    });
    Key::Curve(point)
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    &bytes[zeros..]
}

fn check_match(cert: &X509Certificate<'_>, key: &Key) -> Checked {
    let public = cert.public_key();
    let same = match (public.parsed(), key) {
        (Ok(PublicKey::RSA(rsa)), Key::Rsa(modulus)) => without_zeros(rsa.modulus) == modulus.as_slice(),
        (Ok(PublicKey::EC(point)), Key::Curve(Some(own))) => point.data() == own.as_slice(),
        (Ok(PublicKey::EC(_)), Key::Curve(None)) => true,
        (Ok(PublicKey::RSA(_) | PublicKey::EC(_)), _) | (_, Key::Rsa(_) | Key::Curve(_)) => false,
        _ => true,
    };
    ensure(same, || MISMATCH.to_owned())
}

/// Names must be such that clients can ask for them.
fn check_hosts(cert: &X509Certificate<'_>) -> Checked {
    let common = cert.subject().iter_common_name().filter_map(|n| n.as_str().ok());
    let names = cert.subject_alternative_name().ok().flatten();
    let alternative = names.iter().flat_map(|s| &s.value.general_names).filter_map(|n| match n {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    for host in common.chain(alternative).filter(|h| !h.is_empty()) {
        let rest = host.strip_prefix("*.").unwrap_or(host);
        ensure(crate::rules::is_hostname(rest) || rest.parse::<std::net::IpAddr>().is_ok(), || {
            format!("host {} must be a valid DNS hostname", quote(host))
        })?;
    }
    Ok(())
}
