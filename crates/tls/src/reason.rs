//! Errors of handshakes in the words of operators.

use connect_ca::CertFacts;
use rustls::{AlertDescription, CertificateError, Error};
use std::io;

/// Why a handshake failed, or why the other side ended the connection, when TLS is the reason; `None` for anything else.
pub fn refusal(e: &io::Error) -> Option<String> {
    of_tls(e).map(text)
}

fn of_tls(e: &io::Error) -> Option<&Error> {
    let inner = e.get_ref()?;
    inner.downcast_ref::<Error>().or_else(|| inner.source()?.downcast_ref())
}

/// Why a gateway does not lead on, when that is who ended the handshake: servers send other alerts.
pub(crate) fn no_way_on(e: &io::Error) -> Option<&'static str> {
    match of_tls(e) {
        Some(Error::AlertReceived(AlertDescription::UnrecognisedName)) => {
            Some("it knows no way to that name")
        }
        Some(Error::AlertReceived(AlertDescription::InternalError)) => {
            Some("it cannot reach what is behind it")
        }
        _ => None,
    }
}

fn text(e: &Error) -> String {
    match e {
        Error::InvalidCertificate(e) => format!("its certificate is refused: {}", certificate(e)),
        Error::NoCertificatesPresented => {
            "it shows no certificate, and verify_incoming demands one".to_owned()
        }
        Error::AlertReceived(alert) => format!("it refuses our certificate: {}", alert_text(*alert)),
        Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        Error::PeerIncompatible(what) => format!("no common version or cipher suite ({what:?})"),
        other => format!("the handshake failed: {other}"),
    }
}

fn certificate(e: &CertificateError) -> String {
    match e {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet (or a clock is wrong)".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "it is not signed by an authority of ca_file or ca_path".to_owned()
        }
        CertificateError::BadSignature => "its signature does not come from our authority".to_owned(),
        CertificateError::NotValidForName => "it does not carry the name that was asked for".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "it carries {}, not {}",
            if presented.is_empty() { "no name".to_owned() } else { bare(presented) },
            expected.to_str()
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its extended key usage does not allow this role".to_owned()
        }
        other => other.to_string(),
    }
}

/// Names without the kinds that the library writes around them.
fn bare(presented: &[String]) -> String {
    let names = presented.iter().map(|p| {
        p.split_once('(').map_or(p.as_str(), |(_, name)| name.trim_end_matches(')').trim_matches('"'))
    });
    names.collect::<Vec<_>>().join(", ")
}

fn alert_text(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA => {
            "it is not signed by an authority that the other side knows".to_owned()
        }
        AlertDescription::CertificateExpired => "it has expired, or is not valid yet".to_owned(),
        AlertDescription::CertificateRequired => "we show none, and it demands one".to_owned(),
        AlertDescription::BadCertificate => {
            "it does not carry the name or the role that is needed".to_owned()
        }
        AlertDescription::DecryptError => {
            "it was not signed by the authority of that name which the other side knows".to_owned()
        }
        AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion => {
            "no common version or cipher suite".to_owned()
        }
        other => format!("{other:?}"),
    }
}

/// What a client lacks that wants to act as a server.
pub(crate) fn not_a_server(shown: Option<&CertFacts>, wanted: &str) -> String {
    match shown {
        Some(facts) => format!("its certificate is for {}, not for {wanted}", facts.shown()),
        None => format!("it shows no certificate for {wanted}"),
    }
}
