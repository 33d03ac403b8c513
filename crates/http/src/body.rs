//! Request bodies.

use crate::error::HttpError;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;

/// How much of a body that is too large anyway is read, so that the client sees the answer instead of a broken connection.
const DISCARD_MAX: u64 = 4 << 20;

/// Reads a body of at most `max` bytes within `limit`.
pub(crate) async fn read_body(
    body: Incoming,
    max: usize,
    limit: Duration,
    see: Option<&str>,
) -> Result<Bytes, HttpError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = body.size_hint().exact();
    match tokio::time::timeout(limit, collect(body, max)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(HttpError::too_large(announced.unwrap_or(max as u64 + 1), max, see)),
        Ok(Err(e)) => Err(HttpError::bad_request(format!("Request body cannot be read: {e}"))),
        Err(_elapsed) => {
            Err(HttpError::new(StatusCode::REQUEST_TIMEOUT, "Request body did not arrive in time"))
        }
    }
}

/// `None` when the body is larger than `max`.
async fn collect(mut body: Incoming, max: usize) -> Result<Option<Bytes>, hyper::Error> {
    let announced = body.size_hint().exact();
    let mut fits = announced.is_none_or(|n| n <= max as u64);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut seen = 0u64;
    if announced.is_some_and(|n| n > max as u64 + DISCARD_MAX) {
        return Ok(None);
    }
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len() as u64;
        if seen > max as u64 {
            fits = false;
            rest = BytesMut::new();
            if seen > max as u64 + DISCARD_MAX {
                return Ok(None);
            }
        }
        if !fits {
            continue;
        }
        if first.is_empty() && rest.is_empty() {
            // The usual case: one piece, which is not copied.
            first = data;
        } else {
            if rest.is_empty() {
                rest.reserve(announced.map_or(first.len() + data.len(), |n| n as usize));
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    if !fits {
        return Ok(None);
    }
    Ok(Some(if rest.is_empty() { first } else { rest.freeze() }))
}
