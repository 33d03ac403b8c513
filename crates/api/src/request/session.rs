//! `PUT /v1/session/create`.

use crate::{
    decode::{DecodeError, Json, Number, duration_value, first_value, ignore, lenient_fields, str_list},
    duration,
};
use types::{
    Str,
    record::{SERF_HEALTH, Session, SessionBehavior, SessionServiceCheck},
};

/// Lock-delay of a session that names none, nanoseconds.
const LOCK_DELAY_NS: u64 = 15_000_000_000;
/// Bare numbers below this are seconds.
const SECONDS_BELOW: u64 = 1_000;
/// Longest time to live, nanoseconds.
const TTL_MAX_NS: i64 = 86_400_000_000_000;

/// A session as it was asked for. The rules on its values come after reading: see [`SessionRequest::check`].
#[derive(Clone, PartialEq, Debug)]
pub struct SessionRequest {
    session: Session,
    behavior: Str,
}

impl SessionRequest {
    /// Applies the rules; the session still lacks id and owner, and node when none was named.
    ///
    /// # Errors
    /// The text that clients see.
    pub fn check(mut self, ttl_min_ns: i64) -> Result<Session, String> {
        self.session.behavior = SessionBehavior::parse(&self.behavior)
            .ok_or_else(|| format!("Invalid Behavior setting '{}'", self.behavior))?;
        if !self.session.ttl.is_empty() {
            let ttl = self.session.ttl.as_str();
            let ns = duration::parse_ns(ttl).map_err(|e| format!("Session TTL '{ttl}' invalid: {e}"))?;
            if ns != 0 && !(ttl_min_ns..=TTL_MAX_NS).contains(&ns) {
                let text = |ns: i64| duration::format(duration::from_ns(ns));
                let (low, high) = (text(ttl_min_ns), text(TTL_MAX_NS));
                return Err(format!("Invalid Session TTL '{ns}', must be between [{low}={high}]"));
            }
            self.session.ttl_ns = u64::try_from(ns).unwrap_or(0);
        }
        Ok(self.session)
    }
}

/// A new session; an empty body is one with defaults.
///
/// # Errors
/// What is wrong with the body.
pub fn session(body: &[u8]) -> Result<SessionRequest, DecodeError> {
    let mut s = Session { lock_delay_ns: LOCK_DELAY_NS, ..Session::default() };
    let mut behavior = Str::default();
    let (mut node_checks, mut checks) = (None, None);
    if !body.is_empty() {
        lenient_fields(&first_value(body)?, "agent.sessionCreateRequest", |k, v| match k {
            "lockdelay" => lock_delay(v, &mut s.lock_delay_ns),
            "name" => v.set_str(&mut s.name),
            "node" => v.set_str(&mut s.node),
            "behavior" => v.set_str(&mut behavior),
            "ttl" => v.set_str(&mut s.ttl),
            "nodechecks" => str_list(v).map(|l| node_checks = l).map(|()| true),
            "checks" => str_list(v).map(|l| checks = l).map(|()| true),
            "servicechecks" => service_checks(v, &mut s.service_checks),
            _ => ignore(v),
        })?;
    }
    // `Checks` is the older form of `NodeChecks`; either of them takes the default away.
    s.node_checks = match (node_checks, checks) {
        (None, None) => vec![Str::new_static(SERF_HEALTH)],
        (Some(list), None) | (None, Some(list)) => list,
        (Some(mut list), Some(more)) => {
            for id in more {
                if !list.contains(&id) {
                    list.push(id);
                }
            }
            list
        }
    };
    Ok(SessionRequest { session: s, behavior })
}

fn lock_delay(v: &Json, to: &mut u64) -> Result<bool, DecodeError> {
    *to = match v {
        Json::Null => return Ok(true),
        Json::Number(Number::Unsigned(n)) if *n < SECONDS_BELOW => n * 1_000_000_000,
        other => u64::try_from(duration_value(other)?)
            .map_err(|_e| DecodeError::Value("a lock-delay cannot be negative".into()))?,
    };
    Ok(true)
}

fn service_checks(v: &Json, to: &mut Option<Vec<SessionServiceCheck>>) -> Result<bool, DecodeError> {
    match v {
        Json::Null => Ok(true),
        Json::Array(list) => {
            let mut out = Vec::with_capacity(list.len());
            for item in list {
                let mut check = SessionServiceCheck::default();
                lenient_fields(item, "structs.ServiceCheck", |k, v| match k {
                    "id" => v.set_str(&mut check.id),
                    "namespace" => v.set_str(&mut check.namespace),
                    _ => ignore(v),
                })?;
                out.push(check);
            }
            *to = Some(out);
            Ok(true)
        }
        other => {
            Err(DecodeError::Type { found: other.kind().to_owned(), wanted: "[]structs.ServiceCheck" })
        }
    }
}
