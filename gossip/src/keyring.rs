//! The symmetric keys of a pool.

use base64::{Engine as _, alphabet, engine};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use std::fmt;
use zeroize::Zeroizing;

/// Most keys that one ring holds.
pub const KEYS_MAX: usize = 64;

/// Standard padded base64, and nothing else: a key that other agents would refuse must not work here.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new().with_decode_padding_mode(engine::DecodePaddingMode::RequireCanonical),
);

/// Why a keyring operation was refused. The ring is unchanged. The texts are part of the public API.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not base64; the caller's mistake.
    #[error("illegal base64 data at input byte {0}")]
    NotBase64(usize),
    /// Wrong length; the caller's mistake.
    #[error("key size must be 16, 24 or 32 bytes")]
    Size,
    /// The primary key cannot be removed; use another first.
    #[error("Removing the primary key is not allowed")]
    RemovesPrimary,
    /// Install it first.
    #[error("Requested key is not in the keyring")]
    NotInstalled,
    /// A ring holds [`KEYS_MAX`] keys.
    #[error("keyring is full: {KEYS_MAX} keys are installed")]
    Full,
    /// A key file without keys.
    #[error("no keys present in keyring")]
    Empty,
    /// A key file that is not a JSON list of texts.
    #[error("keyring is not a JSON list of base64 keys: {0}")]
    Json(String),
}

/// One key: what the user gave, and the cipher made of it.
#[derive(Clone)]
pub struct Key {
    raw: Zeroizing<Vec<u8>>,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}
impl Eq for Key {}

impl Key {
    /// A key of 16, 24 or 32 bytes. The shorter ones are stretched to 32 by HKDF-SHA256.
    ///
    /// # Errors
    /// [`KeyError::Size`].
    pub fn from_bytes(raw: &[u8]) -> Result<Self, KeyError> {
        let mut wide = Zeroizing::new([0_u8; 32]);
        match raw.len() {
            32 => wide.copy_from_slice(raw),
            16 | 24 => {
                let kdf = hkdf::Hkdf::<sha2::Sha256>::new(None, raw);
                if kdf.expand(b"praetor gossip key", &mut *wide).is_err() {
                    return Err(KeyError::Size);
                }
            }
            _ => return Err(KeyError::Size),
        }
        Ok(Self { raw: Zeroizing::new(raw.to_vec()), cipher: XChaCha20Poly1305::new((&*wide).into()) })
    }

    /// A key as configuration and commands write it.
    ///
    /// # Errors
    /// [`KeyError::NotBase64`], [`KeyError::Size`].
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let raw = Zeroizing::new(BASE64.decode(text).map_err(|e| KeyError::NotBase64(bad_offset(text, &e)))?);
        Self::from_bytes(&raw)
    }

    /// As configuration writes it. Secret: for key files and the keyring commands only.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&*self.raw)
    }

    pub(crate) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }
}

/// Offset of the first byte that is wrong, as the reference implementation counts it.
fn bad_offset(text: &str, e: &base64::DecodeError) -> usize {
    match e {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => *at,
        // A text that ends inside a group of four is wrong at the start of that group.
        base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
            text.trim_end_matches('=').len() / 4 * 4
        }
    }
}

/// Several keys; the first one encrypts, all of them decrypt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keyring {
    keys: Vec<Key>,
}

impl Keyring {
    /// A ring with one key.
    pub fn new(primary: Key) -> Self {
        Self { keys: vec![primary] }
    }

    /// A ring from the text of a key file: a JSON list of base64 keys, primary first.
    ///
    /// # Errors
    /// [`KeyError::Json`], [`KeyError::Empty`], or what is wrong with a key.
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        let list: Vec<Zeroizing<String>> = serde_json::from_str::<Vec<String>>(text)
            .map_err(|e| KeyError::Json(format!("line {} column {}", e.line(), e.column())))?
            .into_iter()
            .map(Zeroizing::new)
            .collect();
        let mut keys = Vec::with_capacity(list.len().min(KEYS_MAX));
        for text in &list {
            let key = Key::from_base64(text)?;
            if !keys.contains(&key) {
                keys.push(key);
            }
            if keys.len() > KEYS_MAX {
                return Err(KeyError::Full);
            }
        }
        if keys.is_empty() { Err(KeyError::Empty) } else { Ok(Self { keys }) }
    }

    /// Text of a key file.
    pub fn to_json(&self) -> Zeroizing<String> {
        // Base64 needs no escaping, so the list can be written by hand and no copy of a key stays behind.
        let mut out = Zeroizing::new(String::with_capacity(4 + self.keys.len() * 52));
        out.push_str("[\n");
        for (i, key) in self.keys.iter().enumerate() {
            out.push_str("  \"");
            out.push_str(&Zeroizing::new(key.to_base64()));
            out.push_str(if i + 1 < self.keys.len() { "\",\n" } else { "\"\n" });
        }
        out.push_str("]\n");
        out
    }

    /// The key that encrypts.
    pub fn primary(&self) -> &Key {
        &self.keys[0]
    }

    /// All keys, primary first.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Adds a key for decryption. Installing it twice is no error.
    ///
    /// # Errors
    /// [`KeyError::Full`].
    pub fn install(&mut self, key: Key) -> Result<(), KeyError> {
        if self.keys.contains(&key) {
            return Ok(());
        }
        if self.keys.len() >= KEYS_MAX {
            return Err(KeyError::Full);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Makes an installed key the primary one.
    ///
    /// # Errors
    /// [`KeyError::NotInstalled`].
    pub fn use_key(&mut self, key: &Key) -> Result<(), KeyError> {
        let at = self.keys.iter().position(|k| k == key).ok_or(KeyError::NotInstalled)?;
        self.keys[..=at].rotate_right(1);
        Ok(())
    }

    /// Removes a key. Removing one that is not there is no error.
    ///
    /// # Errors
    /// [`KeyError::RemovesPrimary`].
    pub fn remove(&mut self, key: &Key) -> Result<(), KeyError> {
        if self.primary() == key {
            return Err(KeyError::RemovesPrimary);
        }
        self.keys.retain(|k| k != key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key::from_bytes(&[n; 32]).unwrap()
    }

    #[test]
    fn sizes_and_spellings() {
        for n in [16, 24, 32] {
            let k = Key::from_bytes(&vec![7; n]).unwrap();
            assert_eq!(Key::from_base64(&k.to_base64()).unwrap(), k);
        }
        assert_eq!(Key::from_bytes(&[0; 17]), Err(KeyError::Size));
        assert_eq!(Key::from_base64("AAEC"), Err(KeyError::Size));
        assert_eq!(Key::from_base64("bad"), Err(KeyError::NotBase64(0)));
        assert!(
            matches!(Key::from_base64("AAECAwQFBgcICQoLDA0ODw"), Err(KeyError::NotBase64(_))),
            "unpadded"
        );
        assert!(
            matches!(Key::from_base64("__________________8="), Err(KeyError::NotBase64(0))),
            "URL alphabet"
        );
        assert_eq!(format!("{:?}", key(9)), "Key(…)");
    }

    #[test]
    fn rotation_keeps_the_rules() {
        let mut ring = Keyring::new(key(1));
        assert_eq!(ring.use_key(&key(2)), Err(KeyError::NotInstalled));
        ring.install(key(2)).unwrap();
        ring.install(key(2)).unwrap();
        ring.install(key(3)).unwrap();
        ring.use_key(&key(3)).unwrap();
        assert_eq!(ring.keys(), &[key(3), key(1), key(2)]);
        assert_eq!(ring.remove(&key(3)), Err(KeyError::RemovesPrimary));
        ring.remove(&key(1)).unwrap();
        ring.remove(&key(1)).unwrap();
        assert_eq!(ring.keys().len(), 2);
    }

    #[test]
    fn files_round_trip_and_bad_ones_are_refused() {
        let mut ring = Keyring::new(key(1));
        ring.install(key(2)).unwrap();
        assert_eq!(Keyring::from_json(&ring.to_json()).unwrap(), ring);
        assert_eq!(Keyring::from_json("[]"), Err(KeyError::Empty));
        assert!(matches!(Keyring::from_json("{"), Err(KeyError::Json(_))));
        assert_eq!(Keyring::from_json("[\"AAEC\"]"), Err(KeyError::Size));
    }
}
