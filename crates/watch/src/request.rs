//! What a watch asks.

use crate::progress::Position;
use config::watch::{Plan, Target};

/// A GET.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Path, not encoded.
    pub path: String,
    /// Parameters, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// Whether 404 is an answer: there is nothing.
    pub may_be_missing: bool,
}

/// What `plan` asks after `position`: at first at once, later when something changed.
pub fn request(plan: &Plan, position: &Position) -> Request {
    let mut query = Vec::new();
    let mut put = |name: &'static str, value: &str| {
        if !value.is_empty() {
            query.push((name, value.to_owned()));
        }
    };
    put("dc", &plan.datacenter);
    put("filter", &plan.filter);
    let path = match &plan.target {
        Target::Key(key) => format!("/v1/kv/{key}"),
        Target::KeyPrefix(prefix) => format!("/v1/kv/{prefix}"),
        Target::Services => "/v1/catalog/services".to_owned(),
        Target::Nodes => "/v1/catalog/nodes".to_owned(),
        Target::Service { service, tags, .. } => {
            tags.iter().for_each(|tag| put("tag", tag));
            format!("/v1/health/service/{service}")
        }
        Target::Checks { service, state } => match (service.is_empty(), state.is_empty()) {
            (false, _) => format!("/v1/health/checks/{service}"),
            (true, false) => format!("/v1/health/state/{state}"),
            (true, true) => "/v1/health/state/any".to_owned(),
        },
        Target::Event(name) => {
            put("name", name);
            "/v1/event/list".to_owned()
        }
        Target::AgentService(id) => format!("/v1/agent/service/{id}"),
    };
    match &plan.target {
        Target::KeyPrefix(_) => query.push(("recurse", String::new())),
        Target::Service { passing_only: true, .. } => query.push(("passing", "1".to_owned())),
        _ => {}
    }
    if plan.stale {
        query.push(("stale", String::new()));
    }
    match position {
        Position::Start => {}
        Position::Index(index) => query.push(("index", index.to_string())),
        Position::Hash(hash) => query.push(("hash", hash.clone())),
    }
    let may_be_missing = matches!(plan.target, Target::Key(_) | Target::KeyPrefix(_));
    Request { path, query, may_be_missing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(params: serde_json::Value, position: &Position) -> String {
        let plan = config::watch::plan(params.as_object().unwrap().clone()).unwrap();
        let r = request(&plan, position);
        let pairs: Vec<String> = r.query.iter().map(|(n, v)| format!("{n}={v}")).collect();
        format!("{}?{}", r.path, pairs.join("&"))
    }

    #[test]
    fn each_type_asks_its_endpoint() {
        let start = Position::Start;
        for (params, expected) in [
            (json!({"type": "key", "key": "a/b"}), "/v1/kv/a/b?"),
            (json!({"type": "keyprefix", "prefix": "a/", "datacenter": "d"}), "/v1/kv/a/?dc=d&recurse="),
            (
                json!({"type": "services", "filter": "x", "stale": true}),
                "/v1/catalog/services?filter=x&stale=",
            ),
            (json!({"type": "nodes"}), "/v1/catalog/nodes?"),
            (
                json!({"type": "service", "service": "web", "tag": ["a", "b"], "passingonly": true}),
                "/v1/health/service/web?tag=a&tag=b&passing=1",
            ),
            (json!({"type": "checks"}), "/v1/health/state/any?"),
            (json!({"type": "checks", "state": "critical"}), "/v1/health/state/critical?"),
            (json!({"type": "checks", "service": "web"}), "/v1/health/checks/web?"),
            (json!({"type": "event", "name": "deploy"}), "/v1/event/list?name=deploy"),
            (json!({"type": "agent_service", "service_id": "w1"}), "/v1/agent/service/w1?"),
        ] {
            assert_eq!(asked(params, &start), expected);
        }
        assert_eq!(asked(json!({"type": "nodes"}), &Position::Index(7)), "/v1/catalog/nodes?index=7");
        let hashed = asked(json!({"type": "agent_service", "service_id": "w"}), &Position::Hash("ab".into()));
        assert_eq!(hashed, "/v1/agent/service/w?hash=ab");
    }
}
