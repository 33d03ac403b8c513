//! Rules of configuration entries that concern one entry alone, and the defaults that make it normal.
//!
//! [`prepare`] is called once, before an entry is proposed; what depends on other entries is looked at by the state machine
//! when it applies the command. Pure: no clock, no files, no other entries. The texts of refusals are part of the public API.
//!
//! Start with [`prepare`]; each kind has its rules in `rules`. [`decide`] is what stored intentions say about a connection.

mod decide;
mod pem;
mod rules;

pub use decide::{Decision, decide};

use types::entry::ConfigEntry;

/// Why an entry cannot be stored as it is. Nothing was changed that outlives the call. `Display` is the outward text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    /// Whether nobody may write such an entry, whatever it says.
    pub fn is_permission(&self) -> bool {
        self.0.starts_with("Permission denied")
    }
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Self(text)
    }
}
impl From<&str> for Refusal {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Makes an entry normal (names, cases, defaults, order), checks it, and sets its hash.
///
/// # Errors
/// [`Refusal`], in the words that clients know.
pub fn prepare(entry: &mut ConfigEntry) -> Result<(), Refusal> {
    rules::normalize(entry);
    rules::check(entry)?;
    entry.hash = api::entry::content_hash(entry);
    Ok(())
}

/// Reads and prepares an entry.
///
/// # Errors
/// The text of what is wrong with it.
pub fn read(value: &serde_json::Value) -> Result<ConfigEntry, Refusal> {
    let mut entry = api::entry::decode(value).map_err(|e| Refusal(e.to_string()))?;
    prepare(&mut entry)?;
    Ok(entry)
}

#[cfg(test)]
mod tests;
