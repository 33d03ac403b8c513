//! What can go wrong with a request, in the words scripts know, and what to do about it.

use thiserror::Error;

/// A failed request.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// No answer came.
    #[error("{method} \"{url}\": {reason}")]
    Network { method: &'static str, url: String, reason: String, hint: Option<String> },
    /// The agent refused.
    #[error("Unexpected response code: {status} ({body})")]
    Status { status: u16, body: String },
    /// The answer is not what the API promises.
    #[error("cannot decode the answer of {url}: {reason}")]
    Decode { url: String, reason: String },
}

impl ClientError {
    /// A sentence that says what to do, if we know.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Network { hint, .. } => hint.clone(),
            Self::Status { status: 401 | 403, .. } => Some(
                "The token in use may not do this. Give another with -token, -token-file, CONSUL_HTTP_TOKEN or \
                 CONSUL_HTTP_TOKEN_FILE."
                    .to_owned(),
            ),
            Self::Status { status: 400, body } if body.contains("HTTPS server") => {
                Some("The agent speaks HTTPS at this address: use https:// or CONSUL_HTTP_SSL=true.".to_owned())
            }
            Self::Status { .. } | Self::Decode { .. } => None,
        }
    }
}
