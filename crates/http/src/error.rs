//! The one place that turns errors into a status and a text.

use crate::port::PortError;
use api::decode::DecodeError;
use http::StatusCode;
use types::RequestError;

/// A failed request: what the client is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HttpError {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl HttpError {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }
    /// 400.
    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
    /// 404.
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }
    /// What is neither the caller's mistake nor named otherwise: 500, unless the text belongs to a rule of [`by_text`].
    pub(crate) fn internal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status: by_text(&text), text }
    }
    /// A capability that is known and missing.
    pub(crate) fn not_built(what: &'static str) -> Self {
        RequestError::NotBuilt(types::Str::new_static(what)).into()
    }
    /// A body that cannot be read.
    pub(crate) fn decode(e: &DecodeError) -> Self {
        Self::bad_request(format!("Request decode failed: {e}"))
    }
    /// A body beyond its limit.
    pub(crate) fn too_large(bytes: u64, limit: usize, see: Option<&str>) -> Self {
        let mut text = format!("Request body({bytes} bytes) too large, max size: {limit} bytes.");
        if let Some(see) = see {
            text.push_str(" See ");
            text.push_str(see);
            text.push('.');
        }
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }
}

/// Texts that carry their status wherever they were raised.
fn by_text(text: &str) -> StatusCode {
    const ON_LEADER: &str =
        "rate limit exceeded for operation that can only be performed by the leader, try again later";
    if text.contains("Permission denied") || text.contains("ACL not found") {
        StatusCode::FORBIDDEN
    } else if text == "RPC rate limit exceeded"
        || text == "Rate limit reached, try again later"
        || text.contains("rate limit exceeded, try again later or against a different server")
    {
        StatusCode::TOO_MANY_REQUESTS
    } else if text.contains(ON_LEADER) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

impl From<RequestError> for HttpError {
    fn from(e: RequestError) -> Self {
        match e {
            RequestError::PermissionDenied(text) => Self::new(StatusCode::FORBIDDEN, text.as_str()),
            e => Self::internal(e.to_string()),
        }
    }
}

impl From<PortError> for HttpError {
    fn from(e: PortError) -> Self {
        match e {
            PortError::Invalid(text) => Self::bad_request(text.as_str()),
            PortError::NotFound(text) => Self::not_found(text.as_str()),
            PortError::Failed(text) => Self::internal(text.as_str()),
            PortError::Request(e) => e.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let status = |e: RequestError| HttpError::from(e).status.as_u16();
        assert_eq!(status(RequestError::NoLeader), 500);
        assert_eq!(status(RequestError::NoPathToDatacenter), 500);
        assert_eq!(status(RequestError::Overloaded), 429);
        assert_eq!(status(RequestError::Refused("Must provide node".into())), 500);
        assert_eq!(status(RequestError::Refused("Permission denied".into())), 403);
        assert_eq!(status(RequestError::PermissionDenied("ACL not found".into())), 403);
        assert_eq!(HttpError::not_built("sessions").text, "not built yet: sessions");
        assert_eq!(HttpError::from(PortError::NotFound("x".into())).status.as_u16(), 404);
    }
}
