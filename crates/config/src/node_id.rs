//! Rules for the node id; making and storing one is the agent's work.

use types::Str;

/// Why an id is refused. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NodeIdError {
    /// From the configuration.
    #[error("failed to setup node ID: specified NodeID is invalid: {0}")]
    Configured(&'static str),
    /// From the data directory.
    #[error("failed to setup node ID: NodeID in {path} is invalid: {why}")]
    Stored {
        /// The file.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// Checks the form of a UUID and lower-cases it.
fn uuid(text: &str) -> Result<Str, &'static str> {
    if text.len() != 36 {
        return Err("uuid string is wrong length");
    }
    let fits = text
        .bytes()
        .enumerate()
        .all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() });
    if fits { Ok(Str::from(text.to_ascii_lowercase())) } else { Err("uuid is improperly formatted") }
}

/// The id of the setting `node_id`; `None` if it is not set.
///
/// # Errors
/// [`NodeIdError::Configured`].
pub fn configured(text: &str) -> Result<Option<Str>, NodeIdError> {
    if text.is_empty() {
        return Ok(None);
    }
    uuid(&text.to_lowercase()).map(Some).map_err(NodeIdError::Configured)
}

/// The id stored in the file at `path`.
///
/// # Errors
/// [`NodeIdError::Stored`].
pub fn stored(path: &str, content: &str) -> Result<Str, NodeIdError> {
    uuid(content.trim()).map_err(|why| NodeIdError::Stored { path: path.to_owned(), why })
}

/// The id derived from 64 bytes of SHA-512 over the lower-cased host id: the first 16 as a UUID.
pub fn from_host_digest(digest: &[u8; 64]) -> Str {
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    Str::from(uuid::Uuid::from_bytes(id).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert_eq!(
            configured("AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE").unwrap().unwrap(),
            "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
        );
        assert_eq!(configured("").unwrap(), None);
        assert_eq!(
            configured("x").unwrap_err().to_string(),
            "failed to setup node ID: specified NodeID is invalid: uuid string is wrong length"
        );
        assert!(stored("/d/node-id", "zzzzzzzz-bbbb-cccc-dddd-eeeeeeeeeeee\n").is_err());
        assert_eq!(from_host_digest(&[0xab; 64]), "abababab-abab-abab-abab-abababababab");
    }
}
