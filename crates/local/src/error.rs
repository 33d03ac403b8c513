//! Why a registration or update was not taken.

use types::Str;

/// The registry was not changed. `Display` is the outward text; the variant says which HTTP status it has.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LocalError {
    /// The caller's mistake: 400.
    #[error("{0}")]
    BadRequest(Str),
    /// No such service or check: 404.
    #[error("{0}")]
    NotFound(Str),
    /// Refused by this agent's configuration or state: 500.
    #[error("{0}")]
    Internal(Str),
}

impl LocalError {
    /// An unknown service id.
    pub fn unknown_service(id: &str) -> Self {
        Self::NotFound(Str::from(format!(
            "Unknown service ID {id:?}. Ensure that the service ID is passed, not the service name."
        )))
    }
    /// An unknown check id.
    pub fn unknown_check(id: &str) -> Self {
        Self::NotFound(Str::from(format!(
            "Unknown check ID {id:?}. Ensure that the check ID is passed, not the check name."
        )))
    }
}
