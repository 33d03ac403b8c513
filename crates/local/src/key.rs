//! Keys and origins of what is registered.

use serde::{Deserialize, Serialize};
use types::{Str, Tenancy};

/// Key of a service or check on this agent: its id, unique in its namespace.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key {
    /// Owner.
    pub tenancy: Tenancy,
    /// Id of the service or check.
    pub id: Str,
}

impl Key {
    /// A key in `tenancy`.
    pub fn new(tenancy: &Tenancy, id: impl AsRef<str>) -> Self {
        Self { tenancy: tenancy.clone(), id: Str::new(id) }
    }
}

impl From<&str> for Key {
    fn from(id: &str) -> Self {
        Self { tenancy: Tenancy::default(), id: Str::new(id) }
    }
}

impl From<&Self> for Key {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

/// Who registered it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Source {
    /// A definition file: trusted with local scripts, gone when the file goes.
    File,
    /// The HTTP API: persisted.
    #[default]
    Api,
}
