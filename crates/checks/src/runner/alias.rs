//! Checks that mirror the health of another service or node.

use super::Run;
use std::time::Duration;
use tokio::time::sleep;
use types::{
    query::{Query, QueryOptions, QueryResult},
    record::{
        HealthCheck,
        status::{CRITICAL, PASSING, WARNING},
    },
};

/// How long one question to the catalog waits for a change.
const WAIT: Duration = Duration::from_secs(60);
/// First and largest wait after a failed question.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Changes that come together are looked at together.
const SETTLE: Duration = Duration::from_millis(20);

pub(super) async fn run(run: Run) {
    let own = run.inner.config.lock().node.name.clone();
    let node = &run.definition.alias_node;
    if node.is_empty() || node.eq_ignore_ascii_case(&own) {
        local(run).await;
    } else {
        remote(run).await;
    }
}

async fn local(run: Run) {
    let mut changed = run.inner.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let (status, output) = local_status(&run);
        run.inner.set_status(&run.key, status, &output);
        tokio::select! {
            () = run.stop.wait() => return,
            ended = changed.changed() => {
                if ended.is_err() {
                    return;
                }
            }
        }
        tokio::select! {
            () = run.stop.wait() => return,
            () = sleep(SETTLE) => {}
        }
    }
}

fn local_status(run: &Run) -> (&'static str, String) {
    let registry = run.inner.registry.lock();
    let service = &run.definition.alias_service;
    let key = local::Key::new(&run.key.tenancy, service);
    if !service.is_empty() && registry.service(&key).is_none() {
        let node = registry.settings().node.name.to_string();
        return missing(service, &node);
    }
    let rows = registry.checks().filter(|(k, c)| {
        // An alias of the node mirrors others as well: two of them would hold each other down for ever.
        let node_check = c.row.service_id.is_empty()
            && c.definition.as_ref().is_none_or(|d| d.alias_service.is_empty() && d.alias_node.is_empty());
        **k != run.key
            && (node_check
                || (!service.is_empty() && k.tenancy == key.tenancy && c.row.service_id.as_str() == service))
    });
    worst(rows.map(|(_, c)| c.row.as_ref()))
}

fn missing(service: &str, node: &str) -> (&'static str, String) {
    (CRITICAL, format!("Service {service} could not be found on node {node}"))
}

/// The first critical check, else the last warning, decides.
fn worst<'a>(rows: impl Iterator<Item = &'a HealthCheck>) -> (&'static str, String) {
    let mut out = None;
    let mut any = false;
    for c in rows {
        any = true;
        let status = match c.status.as_str() {
            CRITICAL => CRITICAL,
            WARNING => WARNING,
            _ => continue,
        };
        let text = (status, format!("Aliased check {:?} failing: {}", c.name, c.output));
        if status == CRITICAL {
            return text;
        }
        out = Some(text);
    }
    out.unwrap_or_else(|| {
        (PASSING, if any { "All checks passing.".into() } else { "No checks found.".into() })
    })
}

async fn remote(run: Run) {
    let mut index = 0;
    let mut wait = RETRY_MIN;
    loop {
        let asked = ask(&run, index);
        let answer = tokio::select! {
            () = run.stop.wait() => return,
            answer = asked => answer,
        };
        match answer {
            Ok((new, status, output)) => {
                // An index that falls belongs to another history: start over.
                let fell = new < index;
                index = if fell { 0 } else { new };
                wait = RETRY_MIN;
                run.inner.set_status(&run.key, status, &output);
                if !fell && new > 0 {
                    continue;
                }
            }
            Err(text) => {
                index = 0;
                let output = format!("Failure checking aliased node or service: {text}");
                run.inner.set_status(&run.key, CRITICAL, &output);
            }
        }
        let pause = wait.mul_f64(0.5 + run.inner.jitter());
        wait = (wait * 2).min(RETRY_MAX);
        tokio::select! {
            () = run.stop.wait() => return,
            () = sleep(pause) => {}
        }
    }
}

async fn ask(run: &Run, min_index: u64) -> Result<(u64, &'static str, String), String> {
    let (tenancy, node) = (run.key.tenancy.clone(), run.definition.alias_node.as_str());
    let options = QueryOptions {
        min_index,
        max_wait: Some(WAIT),
        token: run.inner.effective_token(&run.definition.token),
        ..QueryOptions::default()
    };
    let query = Query::NodeState { tenancy: tenancy.node_scope(), node: node.into() };
    let answer = run.inner.ports.query.query(query, options).await.map_err(|e| e.to_string())?;
    let QueryResult::NodeState(state) = answer.result else { return Err("unexpected answer".into()) };
    let service = run.definition.alias_service.as_str();
    if !service.is_empty() && !state.services.iter().any(|s| s.tenancy == tenancy && s.id.as_str() == service)
    {
        let (status, output) = missing(service, node);
        return Ok((answer.meta.index, status, output));
    }
    let rows = state.checks.iter().filter(|c| {
        c.service_id.is_empty()
            || (!service.is_empty() && c.tenancy == tenancy && c.service_id.as_str() == service)
    });
    let (status, output) = worst(rows.map(AsRef::as_ref));
    Ok((answer.meta.index, status, output))
}
