//! The gossip key of `encrypt`: standard base64 of 16, 24 or 32 bytes.

/// Where a text stops being base64.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotBase64(pub usize);

/// Why a key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not base64.
    #[error("encrypt has invalid key: illegal base64 data at input byte {0}")]
    Base64(usize),
    /// Wrong length; said when the keyring is set up, not by `validate`.
    #[error("Failed to configure keyring: Invalid key: key size must be 16, 24 or 32 bytes")]
    Length,
}

/// The bytes of a key; an empty text is no key.
///
/// # Errors
/// [`KeyError`].
pub fn key(text: &str) -> Result<Option<Vec<u8>>, KeyError> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = decode(text).map_err(|e| KeyError::Base64(e.0))?;
    if matches!(bytes.len(), 16 | 24 | 32) { Ok(Some(bytes)) } else { Err(KeyError::Length) }
}

fn value(b: u8) -> Option<u32> {
    Some(u32::from(match b {
        b'A'..=b'Z' => b - b'A',
        b'a'..=b'z' => b - b'a' + 26,
        b'0'..=b'9' => b - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

/// Decodes standard padded base64; line ends are skipped. The position in the error is part of the message that
/// users know, which is why a library's decoder does not serve.
///
/// # Errors
/// The byte at which it stops being base64.
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    let src: Vec<(usize, u8)> =
        text.bytes().enumerate().filter(|(_, b)| !matches!(b, b'\n' | b'\r')).collect();
    let mut out = Vec::with_capacity(src.len() / 4 * 3);
    let mut i = 0;
    while i < src.len() {
        let mut group = 0u32;
        let mut digits = 0;
        while digits < 4 {
            let Some(&(at, b)) = src.get(i) else { return Err(NotBase64(text.len() - digits)) };
            i += 1;
            if let Some(v) = value(b) {
                group = group << 6 | v;
                digits += 1;
                continue;
            }
            if b != b'=' || digits < 2 {
                return Err(NotBase64(at));
            }
            if digits == 2 {
                match src.get(i) {
                    None => return Err(NotBase64(text.len())),
                    Some((_, b'=')) => i += 1,
                    Some(_) => return Err(NotBase64(at)),
                }
            }
            if let Some((rest, _)) = src.get(i) {
                return Err(NotBase64(*rest));
            }
            break;
        }
        let bytes = (group << (6 * (4 - digits))).to_be_bytes();
        // Two digits make one byte, three make two, four make three.
        out.extend_from_slice(&bytes[1..digits]);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use proptest::prelude::*;

    #[test]
    fn errors_name_the_byte() {
        for (text, at) in
            [("not base64!", 3), ("AAECAwQFBgcICQoLDA0ODw", 20), ("__79__79", 0), ("AA=A", 2), ("AA==A", 4)]
        {
            assert_eq!(decode(text), Err(NotBase64(at)), "{text}");
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(key("").unwrap(), None);
        assert_eq!(key("AAECAwQFBgcICQoLDA0ODw==").unwrap().unwrap().len(), 16);
        assert_eq!(key("AAECAwQFBgc=").unwrap_err(), KeyError::Length);
    }

    proptest! {
        #[test]
        fn agrees_with_the_library(bytes in proptest::collection::vec(any::<u8>(), 0..70), text in "[A-Za-z0-9+/=]{0,12}") {
            let standard = base64::engine::general_purpose::STANDARD;
            prop_assert_eq!(decode(&standard.encode(&bytes)).unwrap(), bytes);
            // The library also refuses set bits after the last byte.
            if let Ok(read) = standard.decode(&text) {
                prop_assert_eq!(decode(&text).unwrap(), read);
            }
        }
    }
}
