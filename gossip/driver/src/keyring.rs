//! Keyring operations over the whole pool.

use gossip::KeyError;
use std::collections::BTreeMap;
use types::Str;

/// What to do with the keys of every member.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyringOp {
    /// Which keys are installed where.
    List,
    /// Add a key for decryption.
    Install(String),
    /// Make an installed key the one that encrypts.
    Use(String),
    /// Remove a key that is not primary.
    Remove(String),
}

impl std::fmt::Debug for KeyringOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::List => "List",
            Self::Install(_) => "Install(…)",
            Self::Use(_) => "Use(…)",
            Self::Remove(_) => "Remove(…)",
        })
    }
}

/// Answers of all members that were asked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyringResponse {
    /// Members asked: the living ones, this one included.
    pub num_nodes: usize,
    /// Members that answered.
    pub num_resp: usize,
    /// Members that refused or did not answer.
    pub num_err: usize,
    /// What went wrong, by member name.
    pub messages: BTreeMap<Str, String>,
    /// How many members hold each key (base64).
    pub keys: BTreeMap<String, usize>,
    /// How many members encrypt with each key (base64).
    pub primary_keys: BTreeMap<String, usize>,
}

impl std::fmt::Debug for KeyringResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyringResponse")
            .field("num_nodes", &self.num_nodes)
            .field("num_resp", &self.num_resp)
            .field("num_err", &self.num_err)
            .field("messages", &self.messages)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl KeyringResponse {
    /// `n/m nodes reported failure`, the first line of an error; `None` when all went well.
    pub fn failure(&self) -> Option<String> {
        (self.num_err > 0).then(|| format!("{}/{} nodes reported failure", self.num_err, self.num_nodes))
    }
}

/// Why a keyring operation was not even sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyringError {
    /// The key is not base64; the caller's mistake.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Gossip has ended.
    #[error("gossip is shut down")]
    Shutdown,
}
