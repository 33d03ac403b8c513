//! Watches of the configuration: what they look at and what they call. They are checked at start and on reload, not by
//! `validate`.

mod params;

use crate::settings::WatchDefinition;
use params::Params;
use std::time::Duration;
use types::{SecretToken, Str};

/// What a watch looks at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// One key.
    Key(Str),
    /// All keys with a prefix.
    KeyPrefix(Str),
    /// Names of services.
    Services,
    /// Nodes.
    Nodes,
    /// Instances of a service.
    Service {
        /// Its name.
        service: Str,
        /// Tags that instances must have.
        tags: Vec<Str>,
        /// Healthy ones only.
        passing_only: bool,
    },
    /// Checks: of a service, in a state, or all.
    Checks {
        /// Service, empty = any.
        service: Str,
        /// State, empty = any.
        state: Str,
    },
    /// User events, empty = any.
    Event(Str),
    /// A service of this agent.
    AgentService(Str),
}

/// What a watch calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Handler {
    /// A program with arguments.
    Args(Vec<Str>),
    /// A line for the shell (deprecated).
    Shell(Str),
    /// A web server.
    Http {
        /// URL.
        path: Str,
        /// Method.
        method: Str,
        /// Timeout.
        timeout: Duration,
        /// Further headers.
        header: Vec<(Str, Vec<Str>)>,
        /// No certificate check.
        tls_skip_verify: bool,
    },
}

/// What a watch asks for, without what it calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What it looks at.
    pub target: Target,
    /// Datacenter, empty = own.
    pub datacenter: Str,
    /// Token, empty = none.
    pub token: SecretToken,
    /// Stale answers will do.
    pub stale: bool,
    /// Filter expression.
    pub filter: Str,
}

/// A checked watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watch {
    /// What it asks for.
    pub plan: Plan,
    /// What it calls.
    pub handler: Handler,
}

/// Checks watches.
///
/// # Errors
/// The text about the first bad one.
pub fn parse_all(list: &[WatchDefinition]) -> Result<Vec<Watch>, String> {
    list.iter().map(parse).collect()
}

/// Checks one watch.
///
/// # Errors
/// The text for the operator.
pub fn parse(definition: &WatchDefinition) -> Result<Watch, String> {
    let raw = &definition.0;
    if raw.contains_key("handler") && raw.contains_key("args") {
        return Err("Only one watch handler allowed".to_owned());
    }
    if let Some(kind) = raw.get("type").and_then(|t| t.as_str())
        && kind.starts_with("connect_")
    {
        return Err(format!("Watch type {kind} is not allowed in agent config"));
    }
    let mut p = Params::new(raw.clone());
    let (watch, handler_type) =
        general(&mut p).map_err(|e| format!("Failed to parse watch ({}): {e}", p.shown()))?;
    let handler = match (handler_type.as_str(), watch.handler) {
        ("http", Some(http)) => http,
        ("script", _) => script(raw)?,
        (other, _) => return Err(format!("Handler type '{other}' not recognized")),
    };
    Ok(Watch { plan: watch.plan, handler })
}

/// Checks parameters without a handler, as the command `watch` takes them.
///
/// # Errors
/// The text for the operator.
pub fn plan(params: serde_json::Map<String, serde_json::Value>) -> Result<Plan, String> {
    general(&mut Params::new(params)).map(|(half, _)| half.plan)
}

/// A watch whose script is not looked at yet.
struct Half {
    plan: Plan,
    handler: Option<Handler>,
}

fn general(p: &mut Params) -> Result<(Half, Str), String> {
    let datacenter = p.text("datacenter")?;
    let token = SecretToken::new(p.text("token")?);
    let kind = p.text("type")?;
    if kind.is_empty() {
        return Err("Watch type must be specified".to_owned());
    }
    let handler_type = match p.text("handler_type")? {
        t if t.is_empty() => Str::new_static("script"),
        t => t,
    };
    let handler = if handler_type == "http" { Some(http(p)?) } else { None };
    p.drop_keys(&["handler", "args", "http_handler_config"]);
    let target = target(p, &kind)?;
    let stale = !matches!(target, Target::Event(_) | Target::AgentService(_)) && p.bool("stale")?;
    let filter = match target {
        Target::Services | Target::Nodes | Target::Service { .. } | Target::Checks { .. } => {
            p.text("filter")?
        }
        _ => Str::default(),
    };
    p.finish()?;
    Ok((Half { plan: Plan { target, datacenter, token, stale, filter }, handler }, handler_type))
}

fn required(p: &mut Params, key: &str, what: &str) -> Result<Str, String> {
    let text = p.text(key)?;
    if text.is_empty() { Err(format!("Must specify a single {what} to watch")) } else { Ok(text) }
}

fn target(p: &mut Params, kind: &str) -> Result<Target, String> {
    Ok(match kind {
        "key" => Target::Key(required(p, "key", "key")?),
        "keyprefix" => Target::KeyPrefix(required(p, "prefix", "prefix")?),
        "services" => Target::Services,
        "nodes" => Target::Nodes,
        "service" => Target::Service {
            service: required(p, "service", "service")?,
            tags: p.texts("tag")?,
            passing_only: p.bool("passingonly")?,
        },
        "checks" => {
            let (service, state) = (p.text("service")?, p.text("state")?);
            if !service.is_empty() && !state.is_empty() {
                return Err("Cannot specify service and state".to_owned());
            }
            Target::Checks { service, state }
        }
        "event" => Target::Event(p.text("name")?),
        "agent_service" => Target::AgentService(p.text("service_id")?),
        other => return Err(format!("Unsupported watch type: {other}")),
    })
}

fn http(p: &mut Params) -> Result<Handler, String> {
    let Some(mut inner) = p.object("http_handler_config") else {
        return Err("Handler type 'http' requires 'http_handler_config' to be set".to_owned());
    };
    let path = inner.text("path")?;
    if path.is_empty() {
        return Err("Requires 'path' to be set".to_owned());
    }
    let method = match inner.text("method")? {
        m if m.is_empty() => Str::new_static("POST"),
        m => m,
    };
    let timeout = match inner.text("timeout")? {
        t if t.is_empty() => Duration::from_secs(10),
        t => api::duration::parse(&t).map_err(|e| e.to_string())?,
    };
    Ok(Handler::Http {
        path,
        method,
        timeout,
        header: inner.headers("header"),
        tls_skip_verify: inner.bool("tls_skip_verify")?,
    })
}

fn script(raw: &serde_json::Map<String, serde_json::Value>) -> Result<Handler, String> {
    use serde_json::Value as Json;
    match (raw.get("handler"), raw.get("args")) {
        (Some(Json::String(line)), _) => Ok(Handler::Shell(Str::new(line))),
        (Some(_), _) => Err("Watch handler must be a string".to_owned()),
        // A list of one arrives as its element.
        (None, Some(Json::String(one))) => Ok(Handler::Args(vec![Str::new(one)])),
        (None, Some(Json::Array(list))) if !list.is_empty() => {
            let words: Option<Vec<Str>> = list.iter().map(|v| v.as_str().map(Str::new)).collect();
            words.map(Handler::Args).ok_or_else(|| "Watch args must be a list of strings".to_owned())
        }
        (None, Some(Json::Array(_)) | None) => Err("Must define a watch handler".to_owned()),
        (None, Some(_)) => Err("Watch args must be a list of strings".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(v: serde_json::Value) -> Result<Watch, String> {
        parse(&WatchDefinition(v.as_object().unwrap().clone()))
    }

    #[test]
    fn watches_of_each_type() {
        let w = of(json!({"type": "service", "service": "web", "tag": ["a", "b"], "passingonly": true, "args": ["x", "y"], "token": "t"})).unwrap();
        assert_eq!(w.handler, Handler::Args(vec![Str::new("x"), Str::new("y")]));
        assert_eq!(
            w.plan.target,
            Target::Service {
                service: Str::new("web"),
                tags: vec![Str::new("a"), Str::new("b")],
                passing_only: true
            }
        );
        assert!(!format!("{w:?}").contains("\"t\""));
        let w = of(json!({"type": "event", "handler_type": "http", "http_handler_config": {"path": "http://x", "timeout": "3s", "header": {"A": "b"}}})).unwrap();
        assert!(matches!(w.handler, Handler::Http { timeout, .. } if timeout == Duration::from_secs(3)));
        assert!(of(json!({"type": "nodes", "args": "one"})).is_ok());
    }

    #[test]
    fn refusals() {
        for (v, text) in [
            (json!({"args": "a"}), "Watch type must be specified"),
            (json!({"type": "nodes"}), "Must define a watch handler"),
            (json!({"type": "nodes", "args": "a", "handler": "b"}), "Only one watch handler allowed"),
            (
                json!({"type": "connect_roots", "args": "a"}),
                "Watch type connect_roots is not allowed in agent config",
            ),
            (json!({"type": "key", "args": "a"}), "Must specify a single key to watch"),
            (
                json!({"type": "nodes", "handler_type": "http"}),
                "Handler type 'http' requires 'http_handler_config' to be set",
            ),
            (json!({"type": "nodes", "handler_type": "x", "args": "a"}), "Handler type 'x' not recognized"),
            (json!({"type": "nodes", "args": [1, 2]}), "Watch args must be a list of strings"),
            (json!({"type": "zzz", "args": "a"}), "Unsupported watch type: zzz"),
            (json!({"type": "nodes", "foo": 1, "args": "a"}), "Invalid parameters: [foo]"),
            (json!({"type": "key", "key": 1, "args": "a"}), "Expecting key to be a string"),
            (
                json!({"type": "checks", "service": "a", "state": "b", "args": "a"}),
                "Cannot specify service and state",
            ),
        ] {
            let e = of(v).unwrap_err();
            assert!(e.contains(text), "{e} lacks {text}");
        }
    }
}
