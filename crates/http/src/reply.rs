//! Answers before they become HTTP responses.

use crate::error::HttpError;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use types::query::{Consistency, QueryMeta};

/// What the body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// No header at all.
    None,
    /// `application/json`, indented when the client asks.
    Json,
    /// `text/plain; charset=utf-8`.
    Text,
    /// Anything else.
    Other(&'static str),
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content: Content,
    pub(crate) body: ReplyBody,
    pub(crate) meta: Option<MetaHeaders>,
    pub(crate) extra: Vec<(HeaderName, HeaderValue)>,
    /// The gzip form of the body, when it was made before.
    pub(crate) gzip: Option<Bytes>,
}

/// The headers that describe a query's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetaHeaders {
    pub(crate) meta: QueryMeta,
    /// Say which consistency was effective.
    pub(crate) effective: bool,
    /// Rows were dropped and the caller had a token.
    pub(crate) filtered: bool,
}

impl MetaHeaders {
    /// What most reads say about themselves when they fail.
    pub(crate) const FAILED: Self = Self {
        meta: QueryMeta {
            index: 1,
            known_leader: false,
            last_contact: std::time::Duration::ZERO,
            consistency: Consistency::Default,
            filtered_by_acls: false,
        },
        effective: false,
        filtered: false,
    };
}

impl Reply {
    /// 200 with JSON.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, Content::Json, body)
    }
    /// 200 with nothing.
    pub(crate) fn empty() -> Self {
        Self::new(StatusCode::OK, Content::Json, Bytes::new())
    }
    /// `true` or `false`.
    pub(crate) fn bool(v: bool) -> Self {
        Self::json(Bytes::from_static(if v { b"true" } else { b"false" }))
    }
    /// Any.
    pub(crate) fn new(status: StatusCode, content: Content, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content,
            body: ReplyBody::Bytes(body.into()),
            meta: None,
            extra: Vec::new(),
            gzip: None,
        }
    }
    /// Adds a header; a value that no header can hold is left out.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(v) = HeaderValue::from_str(value) {
            self.extra.push((HeaderName::from_static(name), v));
        }
        self
    }
    /// Replaces the status.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl From<HttpError> for Reply {
    fn from(e: HttpError) -> Self {
        Self::new(e.status, Content::Text, e.text)
    }
}

/// Body of an answer.
pub(crate) enum ReplyBody {
    /// All of it.
    Bytes(Bytes),
    /// Pieces as they come.
    Stream(mpsc::Receiver<Bytes>),
    /// Pieces as they come; a failure breaks the connection, so that nobody takes what came for the whole.
    Whole(mpsc::Receiver<io::Result<Bytes>>),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Bytes(b) if b.is_empty() => Poll::Ready(None),
            Self::Bytes(b) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(b))))),
            Self::Stream(rx) => rx.poll_recv(cx).map(|piece| piece.map(|b| Ok(Frame::data(b)))),
            Self::Whole(rx) => rx.poll_recv(cx).map(|piece| piece.map(|b| b.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Bytes(b) if b.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Bytes(b) => SizeHint::with_exact(b.len() as u64),
            Self::Stream(_) | Self::Whole(_) => SizeHint::default(),
        }
    }
}
