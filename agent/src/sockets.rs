//! Listeners of the APIs, opened before anything runs.

use crate::start::StartError;
use config::{RuntimeConfig, settings::ListenAddr};
use http_api::HttpListener;
use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(crate) struct HttpBound {
    pub(crate) listeners: Vec<HttpListener>,
    pub(crate) sockets: Vec<PathBuf>,
}

/// One UDP loop for each core that the process may use.
pub(crate) fn dns_loops() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

pub(crate) async fn bind_http(config: &RuntimeConfig, tls: &Arc<tls::Tls>) -> Result<HttpBound, StartError> {
    let mut out = HttpBound { listeners: Vec::new(), sockets: Vec::new() };
    for addr in &config.net.http {
        let listener = bind_one("HTTP", addr, config, &mut out.sockets).await?;
        out.listeners.push(listener);
    }
    for addr in &config.net.https {
        let listener = bind_one("HTTPS", addr, config, &mut out.sockets).await?;
        out.listeners.push(HttpListener::Secure(Box::new(listener), tls.clone()));
    }
    if !config.net.https.is_empty() && !tls.has_https() {
        tracing::warn!(
            "ports.https is set, but tls.https has no cert_file and key_file: every HTTPS connection will be refused"
        );
    }
    Ok(out)
}

async fn bind_one(
    what: &'static str,
    addr: &ListenAddr,
    config: &RuntimeConfig,
    sockets: &mut Vec<PathBuf>,
) -> Result<HttpListener, StartError> {
    let fail = |source| StartError::Listen { what, addr: addr.to_string(), source };
    match addr {
        ListenAddr::Tcp(addr) => {
            Ok(HttpListener::Tcp(tokio::net::TcpListener::bind(addr).await.map_err(fail)?))
        }
        ListenAddr::Unix(path) => {
            // A socket file that nobody answers on is left over from a crash.
            if std::os::unix::net::UnixStream::connect(path).is_err() {
                let _ = std::fs::remove_file(path);
            }
            let listener = tokio::net::UnixListener::bind(path).map_err(fail)?;
            own_socket(path, &config.net.unix_sockets).map_err(fail)?;
            sockets.push(path.clone());
            Ok(HttpListener::Unix(listener))
        }
    }
}

fn own_socket(path: &Path, settings: &config::settings::UnixSocketSettings) -> io::Result<()> {
    let bad = |what: &str, text: &str| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("unix_sockets.{what}: {text:?} is not known"))
    };
    if !settings.mode.is_empty() {
        let mode = u32::from_str_radix(&settings.mode, 8).map_err(|_e| bad("mode", &settings.mode))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    let id = |text: &str, file: &str, what: &str| -> io::Result<Option<u32>> {
        if text.is_empty() {
            return Ok(None);
        }
        if let Ok(n) = text.parse() {
            return Ok(Some(n));
        }
        let table = std::fs::read_to_string(file)?;
        let mut found = table.lines().filter_map(|l| {
            let mut fields = l.split(':');
            (fields.next() == Some(text)).then(|| fields.nth(1)?.parse().ok()).flatten()
        });
        found.next_back().map(Some).ok_or_else(|| bad(what, text))
    };
    let (user, group) =
        (id(&settings.user, "/etc/passwd", "user")?, id(&settings.group, "/etc/group", "group")?);
    if user.is_some() || group.is_some() {
        std::os::unix::fs::chown(path, user, group)?;
    }
    Ok(())
}
