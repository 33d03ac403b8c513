//! The table of all endpoints, as data.
//!
//! A pattern that ends in `/` matches every path below it; the longest pattern wins.

mod table;

use crate::{context::Ctx, error::HttpError, read::Read, reply::Reply};
use ahash::AHashMap;
use bytes::Bytes;
use http::Method;
use hyper::body::Incoming;
use runtime::BoxFuture;

pub(crate) use table::TABLE;

/// A method that routes know; the order in a route is the order of `Allow`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
    fn matches(self, method: &Method) -> bool {
        method.as_str() == self.as_str()
    }
}

/// Largest body that a handler reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyLimit {
    /// `HttpConfig::max_body`.
    Default,
    /// `HttpConfig::kv_max_value_size`.
    Kv,
    /// `HttpConfig::txn_max_req_len`, or that of a value if it is larger.
    Txn,
}

/// An answer made at once.
pub(crate) type NowFn = fn(&Ctx<'_>) -> Result<Reply, HttpError>;
/// What to ask the state and how to show it.
pub(crate) type ReadFn = fn(&Ctx<'_>) -> Result<Read, HttpError>;
/// An answer that takes a body or time.
pub(crate) type WaitFn = for<'a> fn(&'a Ctx<'a>, Bytes) -> BoxFuture<'a, Result<Reply, HttpError>>;

/// An answer that takes the body as it comes.
pub(crate) type UploadFn = for<'a> fn(&'a Ctx<'a>, Incoming) -> BoxFuture<'a, Result<Reply, HttpError>>;

/// What answers a request.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// At once, without a body.
    Now(NowFn),
    /// A read of the replicated state.
    Read(ReadFn),
    /// Anything that takes time.
    Wait(WaitFn, BodyLimit),
    /// Anything whose body is too large to be held.
    Upload(UploadFn),
    /// Known, not there yet.
    NotBuilt(&'static str),
    /// Part of the access control lists.
    Acl,
}

/// One endpoint.
pub(crate) struct Route {
    /// Path, or prefix when it ends in `/`.
    pub(crate) pattern: &'static str,
    /// Methods and what answers them.
    pub(crate) on: &'static [(Verb, Handler)],
}

impl Route {
    /// What answers `method`.
    pub(crate) fn handler(&self, method: &Method) -> Option<Handler> {
        self.on.iter().find(|(v, _)| v.matches(method)).map(|(_, h)| *h)
    }
    /// The `Allow` header of an answer to OPTIONS.
    pub(crate) fn allow(&self) -> String {
        format!("OPTIONS,{}", self.methods())
    }
    /// The `Allow` header of a refused method.
    pub(crate) fn allow_instead(&self) -> String {
        // Paths of one prepared query refuse methods themselves, and do not count OPTIONS.
        if self.pattern == "/v1/query/" { self.methods() } else { self.allow() }
    }
    fn methods(&self) -> String {
        self.on.iter().map(|(v, _)| v.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// Where a path leads.
pub(crate) enum Target<'p> {
    /// To a route; `tail` is what follows a prefix, still encoded.
    Route { route: &'static Route, tail: &'p str },
    /// To the path with a slash at its end.
    AddSlash,
    /// Nowhere.
    None,
}

/// Patterns by text.
pub(crate) struct Router(AHashMap<&'static str, &'static Route>);

/// No pattern has more slashes than this, so that a path with thousands of them costs no more than any other.
const SLASHES_MAX: usize = 7;

impl Router {
    pub(crate) fn new() -> Self {
        Self(TABLE.iter().map(|r| (r.pattern, r)).collect())
    }

    /// Finds the route of a clean path.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Target<'p> {
        if let Some(route) = self.0.get(path) {
            return Target::Route { route, tail: "" };
        }
        let mut slashes = [0usize; SLASHES_MAX];
        let mut n = 0;
        for (i, _) in path.bytes().enumerate().filter(|(_, b)| *b == b'/').take(SLASHES_MAX) {
            slashes[n] = i;
            n += 1;
        }
        for &i in slashes[..n].iter().rev() {
            let (prefix, tail) = path.split_at(i + 1);
            if let Some(route) = self.0.get(prefix) {
                return Target::Route { route, tail };
            }
        }
        // Patterns are few and short: a path that only lacks its slash is rare, so this may allocate.
        if n < SLASHES_MAX && path.len() < 64 && self.0.contains_key(format!("{path}/").as_str()) {
            return Target::AddSlash;
        }
        Target::None
    }
}

/// The path without `//`, `.` and `..`; `None` when it is clean.
pub(crate) fn clean(path: &str) -> Option<String> {
    let dirty =
        path.contains("//") || path.split('/').any(|s| s == "." || s == "..") || !path.starts_with('/');
    if !dirty {
        return None;
    }
    let mut out: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                out.pop();
            }
            s => out.push(s),
        }
    }
    let mut s = format!("/{}", out.join("/"));
    if path.ends_with('/') && s.len() > 1 {
        s.push('/');
    }
    Some(s)
}

#[cfg(test)]
mod tests;
