//! The facts about a snapshot.

use crate::ArchiveError;
use serde::{Deserialize, Serialize};

/// Version of the facts that is written and read.
pub const VERSION: i64 = 1;

/// Where in the log a state was taken, in the words of `meta.json`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Meta {
    /// Version of these facts: [`VERSION`].
    pub version: i64,
    /// `<term>-<index>-<milliseconds since 1970>`.
    #[serde(rename = "ID")]
    pub id: String,
    /// Index of the last entry of the log that the state holds.
    pub index: u64,
    /// Its term.
    pub term: u64,
    /// Always empty here; Consul keeps an old list of servers in it.
    pub peers: Option<String>,
    /// The servers at that time; informative.
    pub configuration: Configuration,
    /// Index of the log at which they became the servers.
    pub configuration_index: u64,
    /// Bytes of the state.
    pub size: u64,
}

/// The servers of a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Configuration {
    /// In no order.
    pub servers: Option<Vec<ConfigurationServer>>,
}

/// One server.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ConfigurationServer {
    /// 0 votes, 1 does not.
    pub suffrage: u8,
    /// Node id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Address of its server port.
    pub address: String,
}

impl Meta {
    /// Facts of a state of `size` bytes at `index`; `millis` since 1970 makes the id unique.
    #[must_use]
    pub fn new(index: u64, term: u64, size: u64, millis: u64) -> Self {
        Self {
            version: VERSION,
            id: format!("{term}-{index}-{millis}"),
            index,
            term,
            size,
            peers: None,
            ..Self::default()
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let meta: Self = serde_json::from_slice(bytes).map_err(|e| ArchiveError::Meta(e.to_string()))?;
        if meta.version != VERSION {
            return Err(ArchiveError::Version(meta.version));
        }
        Ok(meta)
    }

    /// One line of JSON.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, ArchiveError> {
        let mut out = serde_json::to_vec(self).map_err(|e| ArchiveError::Meta(e.to_string()))?;
        out.push(b'\n');
        Ok(out)
    }

    /// Facts from a `meta.json` that lies beside a raw state.
    ///
    /// # Errors
    /// It cannot be read, or is of another version.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ArchiveError> {
        Self::decode(bytes)
    }
}
