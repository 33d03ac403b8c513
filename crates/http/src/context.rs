//! One request, as handlers see it.

use crate::{HttpConfig, error::HttpError, params::Params, port::AgentPort, server::Shared};
use http::{HeaderMap, Method, header};
use std::{net::IpAddr, sync::Arc};
use types::{SecretToken, Str, Tenancy};

/// One request, as handlers see it.
pub(crate) struct Ctx<'a> {
    pub(crate) server: &'a Arc<Shared>,
    pub(crate) config: &'a HttpConfig,
    pub(crate) method: &'a Method,
    /// What follows the route's prefix, percent-decoded; `""` for exact routes.
    pub(crate) tail: &'a str,
    pub(crate) params: Params<'a>,
    pub(crate) headers: &'a HeaderMap,
    /// `None` on a unix socket.
    pub(crate) peer: Option<IpAddr>,
}

impl Ctx<'_> {
    /// The agent's own parts.
    pub(crate) fn agent(&self) -> &dyn AgentPort {
        &*self.server.agent
    }

    /// The caller's token: parameter, header, bearer.
    pub(crate) fn token(&self) -> SecretToken {
        let parameter = self.params.get("token");
        if !parameter.is_empty() {
            return SecretToken::new(parameter);
        }
        if let Some(t) = self.header("x-consul-token").filter(|t| !t.is_empty()) {
            return SecretToken::new(t);
        }
        match self.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).map(str::trim) {
            Some(v) => match v.split_once(char::is_whitespace) {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    SecretToken::new(token.trim())
                }
                _ => SecretToken::default(),
            },
            None => SecretToken::default(),
        }
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Partition and namespace: parameters before headers.
    pub(crate) fn tenancy(&self) -> Tenancy {
        let pick = |names: [&str; 2], header: &'static str| -> &str {
            names
                .iter()
                .map(|n| self.params.get(n))
                .find(|v| !v.is_empty())
                .or_else(|| self.header(header))
                .unwrap_or("")
        };
        Tenancy::new(
            pick(["partition", "ap"], "x-consul-partition"),
            pick(["ns", "namespace"], "x-consul-namespace"),
        )
    }

    /// Datacenter that the caller names; `None` is the agent's own.
    pub(crate) fn datacenter(&self) -> Option<Str> {
        let long = self.params.get("datacenter");
        let dc = if long.is_empty() { self.params.get("dc") } else { long };
        if dc.is_empty() || dc.eq_ignore_ascii_case(&self.config.datacenter) {
            None
        } else {
            Some(types::names::fold(dc))
        }
    }

    /// The rest of the path, which must not be empty.
    pub(crate) fn required_tail(&self, missing: &'static str) -> Result<&str, HttpError> {
        if self.tail.is_empty() { Err(HttpError::bad_request(missing)) } else { Ok(self.tail) }
    }

    /// A boolean parameter in any of the spellings of `strconv`.
    pub(crate) fn bool_param(&self, name: &str) -> Option<bool> {
        parse_bool(self.params.get(name))
    }
}

/// The spellings of a boolean.
pub(crate) fn parse_bool(s: &str) -> Option<bool> {
    match s {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
