//! Certificates for talking to an agent over HTTPS.

use super::settings::Settings;
use crate::text::os_error;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::path::Path;

/// Where systems keep the certificates they trust.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

pub(super) fn client_config(settings: &Settings) -> Result<ClientConfig, String> {
    // CONSUL_HTTP_SSL_VERIFY=false: the user asked not to check who answers.
    let roots = settings.verify.then(|| roots(settings)).transpose()?;
    let own = match (&settings.client_cert, &settings.client_key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert).map_err(|e| format!("Error loading client certificate: {e}"))?;
            let key_text = read(key).map_err(|e| format!("Error loading client key: {e}"))?;
            let key = PrivateKeyDer::from_pem_slice(&key_text)
                .map_err(|e| format!("Error loading client key: {}: {e}", key.display()))?;
            Some((chain, key))
        }
        (None, None) => None,
        _ => return Err("Both client cert and client key must be provided".to_owned()),
    };
    let what = if own.is_some() { "Error loading client certificate" } else { "TLS cannot be set up" };
    ::tls::plain_client(roots, own).map_err(|e| format!("{what}: {e}"))
}

fn roots(settings: &Settings) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    if let Some(file) = &settings.ca_file {
        let found = certificates(file).map_err(|e| format!("Error loading CA File: {e}"))?;
        add(&mut store, found).map_err(|e| format!("Error loading CA File: {}: {e}", file.display()))?;
    } else if let Some(dir) = &settings.ca_path {
        let wrap = |e: String| format!("Error loading CA Path: {e}");
        let entries =
            std::fs::read_dir(dir).map_err(|e| wrap(os_error(&format!("open {}", dir.display()), &e)))?;
        for entry in entries {
            let path = entry.map_err(|e| wrap(e.to_string()))?.path();
            if path.is_file() {
                add(&mut store, certificates(&path).map_err(wrap)?).map_err(wrap)?;
            }
        }
    } else {
        let bundle = SYSTEM_BUNDLES.iter().find_map(|path| certificates(Path::new(path)).ok());
        match bundle {
            // Bundles hold certificates that only other software can use; those are left out.
            Some(all) => {
                store.add_parsable_certificates(all);
            }
            None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
    }
    Ok(store)
}

fn add(store: &mut RootCertStore, found: Vec<CertificateDer<'static>>) -> Result<(), String> {
    for cert in found {
        store.add(cert).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(list) if list.is_empty() => Err(format!("{} holds no PEM certificate", path.display())),
        Ok(list) => Ok(list),
        Err(e) => Err(format!("{}: {e}", path.display())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| os_error(&format!("open {}", path.display()), &e))
}
