//! Files to authorities, chains and keys.

use crate::settings::{LoadError, Part};
use connect_ca::CertFacts;
use rustls::{RootCertStore, crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use types::Str;

/// Largest file that is taken for PEM, bytes.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Files of a `ca_path`.
const CA_FILES_MAX: usize = 4096;
const NO_PEM: &str = "tls: failed to find any PEM data in certificate input";

/// Error maker for one part.
pub(crate) struct Fault(pub(crate) &'static str);

impl Fault {
    pub(crate) fn plain(&self, what: impl Into<String>) -> LoadError {
        LoadError { what: what.into(), part: self.0, file: None }
    }
    fn of(&self, what: impl Into<String>, setting: &str, path: &Path) -> LoadError {
        LoadError { what: what.into(), part: self.0, file: Some(format!("{setting} {}", path.display())) }
    }
}

/// The words of the system as scripts know them.
fn words(e: &io::Error) -> String {
    let text = e.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let fail = |e: &io::Error| format!("open {}: {}", path.display(), words(e));
    let facts = fs::metadata(path).map_err(|e| fail(&e))?;
    if facts.len() > FILE_BYTES_MAX {
        return Err(format!("{} is larger than {FILE_BYTES_MAX} bytes", path.display()));
    }
    fs::read(path).map_err(|e| fail(&e))
}

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())
}

/// The authorities of a part; `None` when it names none.
pub(crate) fn authorities(part: &Part) -> Result<Option<RootCertStore>, LoadError> {
    let fault = Fault(part.name);
    let mut store = RootCertStore::empty();
    if let Some(file) = &part.ca_file {
        read(file)
            .and_then(|pem| add(&mut store, file, &pem))
            .map_err(|e| fault.of(format!("Error loading from {}: {e}", file.display()), "ca_file", file))?;
        return Ok(Some(store));
    }
    let Some(dir) = &part.ca_path else { return Ok(None) };
    let fail = |e: String| fault.of(format!("Error loading from CAPath: {e}"), "ca_path", dir);
    let mut files = Vec::new();
    walk(dir, &mut files).map_err(fail)?;
    if files.is_empty() {
        return Err(fail("no CAs found".into()));
    }
    for file in files {
        add(&mut store, &file, &read(&file).map_err(fail)?).map_err(fail)?;
    }
    Ok(Some(store))
}

pub(crate) fn add(store: &mut RootCertStore, file: &Path, pem: &[u8]) -> Result<(), String> {
    let found = certificates(pem).map_err(|e| format!("failed to parse PEM {}: {e}", file.display()))?;
    if found.is_empty() {
        return Err(format!("failed to parse PEM {}", file.display()));
    }
    for cert in found {
        store.add(cert).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

/// The authorities of a part as text.
pub(crate) fn authority_texts(part: &Part) -> Vec<Str> {
    let files = match (&part.ca_file, &part.ca_path) {
        (Some(file), _) => vec![file.clone()],
        (None, Some(dir)) => {
            let mut files = Vec::new();
            // Whoever reads the same for use says what is wrong with it.
            let _unreadable = walk(dir, &mut files);
            files
        }
        (None, None) => Vec::new(),
    };
    files.iter().filter_map(|f| String::from_utf8(read(f).ok()?).ok()).map(Str::from).collect()
}

/// All files below `dir`, sorted.
fn walk(dir: &Path, out: &mut Vec<PathBuf>) -> Result<(), String> {
    let fail = |e: &io::Error| format!("open {}: {}", dir.display(), words(e));
    let mut entries: Vec<_> = fs::read_dir(dir)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>())
        .map_err(|e| fail(&e))?;
    entries.sort();
    for path in entries {
        if out.len() >= CA_FILES_MAX {
            return Err(format!("more than {CA_FILES_MAX} files below {}", dir.display()));
        }
        // A link to a directory is not followed, so that there is no way around in circles.
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_dir() => walk(&path, out)?,
            _ => out.push(path),
        }
    }
    Ok(())
}

/// A part's own certificate.
pub(crate) struct Own {
    pub(crate) key: CertifiedKey,
    pub(crate) facts: CertFacts,
    pub(crate) file: PathBuf,
}

/// The certificate and key of a part; `None` unless both are named.
pub(crate) fn own(part: &Part, provider: &CryptoProvider) -> Result<Option<Own>, LoadError> {
    let (Some(cert_file), Some(key_file)) = (&part.cert_file, &part.key_file) else { return Ok(None) };
    let fault = Fault(part.name);
    let fail = |e: &str, setting: &str, path: &Path| {
        fault.of(format!("Failed to load cert/key pair: {e}"), setting, path)
    };
    let in_cert = |e: &str| fail(e, "cert_file", cert_file);
    let in_key = |e: &str| fail(e, "key_file", key_file);
    let chain = certificates(&read(cert_file).map_err(|e| in_cert(&e))?).map_err(|e| in_cert(&e))?;
    let facts = match chain.first() {
        Some(first) => CertFacts::read(first).map_err(|e| in_cert(&e.to_string()))?,
        None => return Err(in_cert(NO_PEM)),
    };
    let key = PrivateKeyDer::from_pem_slice(&read(key_file).map_err(|e| in_key(&e))?)
        .map_err(|_e| in_key("tls: failed to find a private key in PEM form in key input"))?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|_e| in_key("tls: failed to parse private key"))?;
    let key = CertifiedKey::new(chain, key);
    key.keys_match().map_err(|_e| in_key("tls: private key does not match public key"))?;
    Ok(Some(Own { key, facts, file: cert_file.clone() }))
}

/// The files that settings name, for a look at whether they changed; directories with what is in them.
pub(crate) fn files(part: &Part) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> =
        [&part.ca_file, &part.cert_file, &part.key_file].into_iter().flatten().cloned().collect();
    if let (None, Some(dir)) = (&part.ca_file, &part.ca_path) {
        // What cannot be read now is noticed when it can.
        let _unreadable = walk(dir, &mut out);
    }
    out
}
