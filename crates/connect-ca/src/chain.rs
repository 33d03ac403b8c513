//! Whether a certificate leads to a root that is trusted.

use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Longest way from a leaf to a root.
const DEPTH_MAX: usize = 8;
/// Certificates that are looked at.
const CERTS_MAX: usize = 64;

/// Why a certificate is not trusted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChainError {
    /// The bundle does not begin with a certificate.
    #[error("no certificate in PEM form")]
    Pem,
    /// More than anybody needs.
    #[error("more than {CERTS_MAX} certificates")]
    Many,
    /// No way to a root at this time.
    #[error("the certificate {0} leads to none of the trusted roots")]
    Untrusted(String),
}

/// Checks that the first certificate of `bundle` leads over the others to one of `roots` at `now` (Unix seconds). All texts are
/// PEM and may hold several certificates. Names of leaves are not looked at.
///
/// # Errors
/// [`ChainError`].
pub fn verify_chain<'a>(
    bundle: &str,
    roots: impl IntoIterator<Item = &'a str>,
    now: i64,
) -> Result<(), ChainError> {
    let given = read(bundle);
    let roots: Vec<_> = roots.into_iter().flat_map(read).collect();
    if given.len() + roots.len() > CERTS_MAX {
        return Err(ChainError::Many);
    }
    let given: Vec<_> =
        given.iter().filter_map(|d| X509Certificate::from_der(d).ok()).map(|(_, c)| c).collect();
    let roots: Vec<_> =
        roots.iter().filter_map(|d| X509Certificate::from_der(d).ok()).map(|(_, c)| c).collect();
    let Some((first, others)) = given.split_first() else { return Err(ChainError::Pem) };
    if leads(first, others, &roots, now, DEPTH_MAX) {
        Ok(())
    } else {
        Err(ChainError::Untrusted(first.tbs_certificate.raw_serial_as_string()))
    }
}

fn read(text: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(text.as_bytes()).map_while(Result::ok).take(CERTS_MAX + 1).collect()
}

fn lives(cert: &X509Certificate<'_>, now: i64) -> bool {
    let life = cert.validity();
    (life.not_before.timestamp()..=life.not_after.timestamp()).contains(&now)
}

fn leads(
    cert: &X509Certificate<'_>,
    others: &[X509Certificate<'_>],
    roots: &[X509Certificate<'_>],
    now: i64,
    depth: usize,
) -> bool {
    if !lives(cert, now) || depth == 0 {
        return false;
    }
    let signs = |by: &X509Certificate<'_>| {
        by.is_ca()
            && lives(by, now)
            && by.subject().as_raw() == cert.issuer().as_raw()
            && cert.verify_signature(Some(by.public_key())).is_ok()
    };
    roots.iter().any(signs)
        || others.iter().enumerate().any(|(at, by)| {
            // Each is used once, so a ring of them ends.
            signs(by) && {
                let rest: Vec<_> =
                    others.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, c)| c.clone()).collect();
                leads(by, &rest, roots, now, depth - 1)
            }
        })
}
