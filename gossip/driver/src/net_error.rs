//! Words for what the network said.

use std::io;

/// Without the number that the standard library appends.
pub(crate) fn plain(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::AddrInUse => "address already in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset by peer".to_owned(),
        io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        io::ErrorKind::HostUnreachable => "no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "network is unreachable".to_owned(),
        _ => e.to_string(),
    }
}

/// Why a connection did not come about.
pub(crate) fn dial(to: std::net::SocketAddr, e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::TimedOut => format!("dial tcp {to}: i/o timeout"),
        // Its text says all: what was tried on the way and why it failed.
        io::ErrorKind::Other => e.to_string(),
        _ => format!("dial tcp {to}: connect: {}", plain(e)),
    }
}
