//! Keyring operations over the whole pool.

use crate::driver::Driver;
use futures_util::{StreamExt as _, stream};
use gossip::{Key, KeyError, KeyringAction, KeysAnswer};
use std::collections::BTreeMap;
use types::{
    Str,
    member::{Member, MemberStatus},
};

/// Members asked at a time.
const ASKED_AT_ONCE: usize = 16;

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

impl KeyringOp {
    fn parts(&self) -> (KeyringAction, &str) {
        match self {
            Self::List => (KeyringAction::List, ""),
            Self::Install(key) => (KeyringAction::Install, key),
            Self::Use(key) => (KeyringAction::Use, key),
            Self::Remove(key) => (KeyringAction::Remove, key),
        }
    }
}

/// Asks every living member, or this one alone, and adds up the answers.
pub(crate) async fn run(
    driver: &Driver,
    op: &KeyringOp,
    local_only: bool,
) -> Result<KeyringResponse, KeyringError> {
    let (action, key) = op.parts();
    // What is no base64 at all is a mistake of the caller; a wrong size is for the members to refuse.
    if action != KeyringAction::List
        && let Err(e @ KeyError::NotBase64(_)) = Key::from_base64(key)
    {
        return Err(e.into());
    }
    if driver.shutdown().is_triggered() {
        return Err(KeyringError::Shutdown);
    }
    let own = driver.local_member();
    let members: Vec<Member> = driver
        .members()
        .iter()
        .filter(|m| m.status == MemberStatus::Alive && m.name != own.name)
        .cloned()
        .collect();
    let mut response = KeyringResponse::default();
    add(&mut response, own.name, Ok(driver.keyring_locally(action, key).await));
    if !local_only {
        let answers = stream::iter(members)
            .map(|m| async move {
                let answer = driver.ask_keyring(m.addr, action, key).await;
                (m.name, answer)
            })
            .buffer_unordered(ASKED_AT_ONCE);
        let answers: Vec<(Str, Result<KeysAnswer, String>)> = answers.collect().await;
        for (name, answer) in answers {
            add(&mut response, name, answer);
        }
    }
    Ok(response)
}

fn add(response: &mut KeyringResponse, name: Str, answer: Result<KeysAnswer, String>) {
    response.num_nodes += 1;
    let answer = match answer {
        Ok(answer) => {
            response.num_resp += 1;
            answer
        }
        Err(why) => {
            response.num_err += 1;
            response.messages.insert(name, why);
            return;
        }
    };
    if !answer.error.is_empty() {
        response.num_err += 1;
        response.messages.insert(name, answer.error);
        return;
    }
    for (i, key) in answer.keys.iter().enumerate() {
        *response.keys.entry(key.to_string()).or_default() += 1;
        if i == 0 {
            *response.primary_keys.entry(key.to_string()).or_default() += 1;
        }
    }
}
