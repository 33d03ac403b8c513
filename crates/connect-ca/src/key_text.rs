//! Keys as the text that openssl and every agent read: `EC PRIVATE KEY` (SEC 1, RFC 5915) out, that and PKCS #8 in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};

/// Characters of a line of PEM.
const LINE: usize = 64;
/// Bytes of a P-256 scalar.
const SCALAR: usize = 32;
/// What stands before the scalar in the signature library's PKCS #8 form of a P-256 key.
const BEFORE_SCALAR: &[u8] = &[
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01,
    0x04, 0x20,
];
/// 1.2.840.10045.2.1, a key on an elliptic curve.
const EC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// Text of a P-256 key; `None` for any other kind.
pub fn write(key: &KeyPair) -> Option<String> {
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
        return None;
    }
    let rest = key.serialized_der().strip_prefix(BEFORE_SCALAR)?;
    let scalar = rest.get(..SCALAR)?;
    let mut public = vec![0];
    public.extend_from_slice(key.der_bytes());
    let body = [
        vec![0x02, 0x01, 0x01],
        tagged(0x04, scalar),
        tagged(0xa0, P256),
        tagged(0xa1, &tagged(0x03, &public)),
    ]
    .concat();
    Some(pem("EC PRIVATE KEY", &tagged(0x30, &body)))
}

/// A key for signing from PEM text: SEC 1 on P-256 or P-384, or PKCS #8 of any kind that the signature library knows.
pub(crate) fn read(text: &str) -> Option<KeyPair> {
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok()?;
    let PrivateKeyDer::Sec1(sec1) = &key else { return KeyPair::try_from(&key).ok() };
    [P256, P384].into_iter().find_map(|curve| {
        let algorithm = tagged(0x30, &[EC_KEY, curve].concat());
        let body = [vec![0x02, 0x01, 0x00], algorithm, tagged(0x04, sec1.secret_sec1_der())].concat();
        let pkcs8 = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(tagged(0x30, &body)));
        KeyPair::try_from(&pkcs8).ok()
    })
}

/// DER: tag, length, content (of less than 64 KiB).
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut out = match content.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    out.extend_from_slice(content);
    out
}

/// PEM text with plain line ends.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_being_text() {
        let key = KeyPair::generate().unwrap();
        let text = write(&key).unwrap();
        assert!(text.starts_with("-----BEGIN EC PRIVATE KEY-----\n") && text.ends_with("KEY-----\n"));
        assert_eq!(read(&text).unwrap().der_bytes(), key.der_bytes());
        assert_eq!(read(&key.serialize_pem()).unwrap().der_bytes(), key.der_bytes());
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert!(write(&other).is_none());
        assert!(read("nope").is_none());
        assert!(read("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n").is_none());
    }
}
