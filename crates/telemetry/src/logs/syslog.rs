//! The local syslog socket.

use super::{Level, LogError};
use std::{io, os::unix::net::UnixDatagram, str::FromStr, thread, time::Duration};
use thiserror::Error;

const SOCKETS: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];
const ATTEMPTS: u32 = 12;
const PAUSE: Duration = Duration::from_secs(5);

/// Not a facility.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("invalid syslog facility: {0}")]
pub struct UnknownFacility(pub String);

/// A syslog facility (`syslog_facility`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facility(u8);

const FACILITIES: [(&str, u8); 20] = [
    ("KERN", 0),
    ("USER", 1),
    ("MAIL", 2),
    ("DAEMON", 3),
    ("AUTH", 4),
    ("SYSLOG", 5),
    ("LPR", 6),
    ("NEWS", 7),
    ("UUCP", 8),
    ("CRON", 9),
    ("AUTHPRIV", 10),
    ("FTP", 11),
    ("LOCAL0", 16),
    ("LOCAL1", 17),
    ("LOCAL2", 18),
    ("LOCAL3", 19),
    ("LOCAL4", 20),
    ("LOCAL5", 21),
    ("LOCAL6", 22),
    ("LOCAL7", 23),
];

impl FromStr for Facility {
    type Err = UnknownFacility;
    fn from_str(text: &str) -> Result<Self, UnknownFacility> {
        let upper = text.to_ascii_uppercase();
        let found = FACILITIES.iter().find(|(name, _)| *name == upper);
        found.map(|(_, code)| Self(*code)).ok_or_else(|| UnknownFacility(text.to_owned()))
    }
}

/// A connection to the local daemon.
#[derive(Debug)]
pub(super) struct Syslog {
    socket: UnixDatagram,
    facility: Facility,
}

impl Syslog {
    /// Connects, trying for a minute: at boot the daemon may come up after us.
    pub(super) fn connect(facility: Facility) -> Result<Self, LogError> {
        let mut attempt = 1;
        loop {
            match open() {
                Ok(socket) => return Ok(Self { socket, facility }),
                Err(e) if attempt >= ATTEMPTS => return Err(LogError::Syslog(e)),
                Err(_) => thread::sleep(PAUSE),
            }
            attempt += 1;
        }
    }

    pub(super) fn send(&mut self, level: Level, message: &str) {
        let packet = packet(self.facility, level, message);
        // The daemon may have been restarted: connect once more, and otherwise lose the line.
        if self.socket.send(packet.as_bytes()).is_err()
            && let Ok(socket) = open()
        {
            self.socket = socket;
            let _ = self.socket.send(packet.as_bytes());
        }
    }
}

/// The daemon stamps the time; the priority is facility and severity.
fn packet(facility: Facility, level: Level, message: &str) -> String {
    let severity = match level {
        Level::Trace | Level::Debug => 7,
        Level::Info => 6,
        Level::Warn => 4,
        Level::Error => 3,
    };
    let priority = facility.0 * 8 + severity;
    format!("<{priority}>consul[{}]: {} {message}", std::process::id(), level.bracketed())
}

fn open() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for path in SOCKETS {
        match socket.connect(path) {
            Ok(()) => return Ok(socket),
            Err(e) => last = e,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_carry_facility_and_severity() {
        let local0: Facility = "local0".parse().unwrap();
        let text = packet(local0, Level::Warn, "agent: x");
        assert!(text.starts_with("<132>consul[") && text.ends_with("]: [WARN]  agent: x"), "{text}");
        assert_eq!("LOCAL9".parse::<Facility>(), Err(UnknownFacility("LOCAL9".into())));
    }
}
