//! The server name of a TLS connection, read from its first bytes as they arrive.
//!
//! Only what is needed to find the name is looked at (RFC 8446 section 4.1.2, RFC 6066 section 3), so that a client which our
//! own TLS library would not serve is still passed on: rustls' `Acceptor` refuses such clients while it reads, and it consumes
//! bytes that have to go on to the backend unchanged.
//!
//! A hello may come in any number of segments, and may be spread over any number of records.

/// Most bytes that a client may send before its hello is complete, bytes on the wire.
pub const HELLO_BYTES_MAX: usize = 16 << 10;
/// Longest name (RFC 1035 section 2.3.4).
pub const NAME_BYTES_MAX: usize = 255;

const RECORD_HEAD: usize = 5;
const HANDSHAKE_HEAD: usize = 4;
const RECORD_BYTES_MAX: usize = 16 << 10;

/// Why the first bytes are not a TLS client's hello. Nothing can be done but to close.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HelloError {
    /// The first record is no handshake: plain HTTP, say, or another protocol.
    #[error("the connection does not begin with TLS")]
    NotTls,
    /// It began as TLS and went on as something else.
    #[error("the TLS hello is malformed: {0}")]
    Malformed(&'static str),
    /// [`HELLO_BYTES_MAX`] bytes, and not complete.
    #[error("the TLS hello is larger than {HELLO_BYTES_MAX} bytes")]
    TooLarge,
}

/// A complete hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The name that the client asks for, in lower case; `None` if it names none.
    pub server_name: Option<String>,
}

/// Collects the bytes of one connection until its hello is complete. The cost is linear in the bytes, however they are cut.
#[derive(Default, Debug)]
pub struct Peek {
    /// What arrived, to be sent on.
    wire: Vec<u8>,
    /// Up to where `wire` was looked at.
    seen: usize,
    /// Bytes of the current record that are still to come.
    record_left: usize,
    /// The handshake message, without the heads of records.
    message: Vec<u8>,
}

impl Peek {
    /// Nothing has arrived.
    pub fn new() -> Self {
        Self::default()
    }

    /// All bytes so far, as they came.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// How many more bytes may be pushed.
    pub fn room(&self) -> usize {
        HELLO_BYTES_MAX.saturating_sub(self.wire.len())
    }

    /// The bytes so far, whole.
    pub fn into_wire(self) -> Vec<u8> {
        self.wire
    }

    /// Takes bytes that arrived; answers the hello once it is complete, `None` while it is not.
    ///
    /// # Errors
    /// [`HelloError`]: the connection should be closed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Hello>, HelloError> {
        self.wire.extend_from_slice(bytes);
        while let Some(rest) = self.wire.get(self.seen..).filter(|r| !r.is_empty()) {
            if self.record_left == 0 {
                let Some(head) = rest.get(..RECORD_HEAD) else {
                    // The first two bytes tell what it is; others need not send more to be told.
                    check_record_start(rest, self.message.is_empty())?;
                    break;
                };
                check_record_start(head, self.message.is_empty())?;
                let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
                if length == 0 || length > RECORD_BYTES_MAX {
                    return Err(HelloError::Malformed("length of a record"));
                }
                (self.record_left, self.seen) = (length, self.seen + RECORD_HEAD);
                continue;
            }
            let take = rest.len().min(self.record_left);
            self.message.extend_from_slice(&rest[..take]);
            (self.record_left, self.seen) = (self.record_left - take, self.seen + take);
            if let Some(hello) = complete(&self.message)? {
                return Ok(Some(hello));
            }
        }
        if self.wire.len() >= HELLO_BYTES_MAX { Err(HelloError::TooLarge) } else { Ok(None) }
    }
}

fn check_record_start(head: &[u8], first: bool) -> Result<(), HelloError> {
    let wrong =
        if first { HelloError::NotTls } else { HelloError::Malformed("a record that is no handshake") };
    match head {
        [22] | [22, 3, ..] => Ok(()),
        _ => Err(wrong),
    }
}

/// The hello if all of it is there.
fn complete(message: &[u8]) -> Result<Option<Hello>, HelloError> {
    if message.first().is_some_and(|kind| *kind != 1) {
        return Err(HelloError::Malformed("the first message is no client hello"));
    }
    let Some((head, body)) = message.split_at_checked(HANDSHAKE_HEAD) else { return Ok(None) };
    let length = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
    if length > HELLO_BYTES_MAX {
        return Err(HelloError::TooLarge);
    }
    match body.get(..length) {
        None => Ok(None),
        Some(body) => {
            Ok(Some(Hello { server_name: server_name(body).ok_or(HelloError::Malformed("fields"))?? }))
        }
    }
}

/// A cursor over bytes; every step answers `None` beyond the end.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
    fn u8(&mut self) -> Option<usize> {
        self.take(1).map(|b| usize::from(b[0]))
    }
    fn u16(&mut self) -> Option<usize> {
        self.take(2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])))
    }
    fn list8(&mut self) -> Option<&'a [u8]> {
        let n = self.u8()?;
        self.take(n)
    }
    fn list16(&mut self) -> Option<&'a [u8]> {
        let n = self.u16()?;
        self.take(n)
    }
}

/// The name in a client hello's body; the outer `None` when the body breaks off.
fn server_name(body: &[u8]) -> Option<Result<Option<String>, HelloError>> {
    let mut c = Cursor(body);
    let (_version, _random) = (c.take(2)?, c.take(32)?);
    let (_session, _suites, _compression) = (c.list8()?, c.list16()?, c.list8()?);
    if c.0.is_empty() {
        return Some(Ok(None));
    }
    let mut extensions = Cursor(c.list16()?);
    if !c.0.is_empty() {
        return None;
    }
    let mut found = None;
    while !extensions.0.is_empty() {
        let (kind, data) = (extensions.u16()?, extensions.list16()?);
        if kind != 0 {
            continue;
        }
        if found.is_some() {
            return Some(Err(HelloError::Malformed("two lists of server names")));
        }
        found = Some(host_name(data)?);
    }
    Some(found.unwrap_or(Ok(None)))
}

fn host_name(data: &[u8]) -> Option<Result<Option<String>, HelloError>> {
    let mut outer = Cursor(data);
    let mut names = Cursor(outer.list16()?);
    if !outer.0.is_empty() {
        return None;
    }
    while !names.0.is_empty() {
        let (kind, name) = (names.u8()?, names.list16()?);
        if kind != 0 {
            continue;
        }
        let good = !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.iter().all(u8::is_ascii_graphic);
        return Some(match std::str::from_utf8(name) {
            Ok(name) if good => Ok(Some(name.to_ascii_lowercase())),
            _ => Err(HelloError::Malformed("the server name")),
        });
    }
    Some(Ok(None))
}

/// A plain-text alert record of level fatal, for a client whose hello was understood and refused (RFC 8446 section 6).
pub fn fatal_alert(description: u8) -> [u8; 7] {
    [21, 3, 1, 0, 2, 2, description]
}

#[cfg(test)]
mod tests;
