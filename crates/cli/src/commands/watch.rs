//! `watch`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    child::{Running, Signals, Stdin},
    client::{AgentLink, ClientError},
    flags::{Flag, Kind, parse_bool},
};
use ::watch::{Progress, Step};
use http::Method;
use serde_json::{Map, Value};
use std::time::Duration;

pub(super) static COMMAND: Command = Command {
    path: "watch",
    synopsis: "Watch for changes",
    usage: "[options] [child...]",
    about: "Shows what is watched and ends; or, with a child, runs that at first and on every\n\
            change, with the result in JSON on its stdin and the index in CONSUL_INDEX.",
    flags: &[
        Flag::new("type", Kind::Text, "key, keyprefix, services, nodes, service, checks or event; needed."),
        Flag::new("key", Kind::Text, "The key, for type key."),
        Flag::new("prefix", Kind::Text, "The prefix, for type keyprefix."),
        Flag::new("service", Kind::Text, "The service, for types service and checks."),
        Flag::new("tag", Kind::List, "A tag that instances must have, for type service; may be repeated."),
        Flag::new("passingonly", Kind::Text, "true: only healthy instances, for type service."),
        Flag::new("state", Kind::Text, "State of checks, for type checks."),
        Flag::new("name", Kind::Text, "Name of events, for type event."),
        Flag::new("filter", Kind::Text, "Filter expression, for services, nodes, service and checks."),
        Flag::new("shell", Kind::Bool, "Run the child in a shell (SHELL, else /bin/sh); true if not given."),
    ],
    common: Common::Server,
    run,
};

/// Longest a blocked request may take: the agent's own wait is at most eleven minutes.
const ANSWER_LIMIT: Duration = Duration::from_secs(15 * 60);

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    let kind = flags.text("type").to_owned();
    if kind.is_empty() {
        return Err(Failure::with_help("Watch type must be specified"));
    }
    if kind.starts_with("connect_") || kind == "agent_service" {
        return Err(Failure::new(format!("Type {kind} is not supported in the CLI tool")));
    }
    let mut params = Map::from_iter([("type".to_owned(), Value::from(kind))]);
    let mut put = |name: &str, value: Value| params.insert(name.to_owned(), value);
    for name in ["key", "prefix", "service", "state", "name", "filter", "datacenter"] {
        if !flags.text(name).is_empty() {
            put(name, Value::from(flags.text(name)));
        }
    }
    if !flags.list("tag").is_empty() {
        put("tag", Value::from(flags.list("tag")));
    }
    if flags.bool("stale") {
        put("stale", Value::from(true));
    }
    if let Some(text) = flags.given("passingonly").filter(|t| !t.is_empty()) {
        let wrong = || {
            format!("Failed to parse passingonly flag: strconv.ParseBool: parsing {text:?}: invalid syntax")
        };
        put("passingonly", Value::from(parse_bool(text).ok_or_else(|| Failure::new(wrong()))?));
    }
    let plan = config::watch::plan(params).map_err(Failure::new)?;
    session.with_link(async |session, link| {
        // An agent that does not answer at all is an error; later it is waited for.
        ask(link, Method::GET, "/v1/status/leader", &[])
            .await
            .map_err(Failure::request("Error querying Consul agent"))?;
        follow(session, link, Progress::new(plan)).await
    })
}

async fn ask(
    link: &AgentLink,
    method: Method,
    path: &str,
    query: &[(&'static str, String)],
) -> Result<crate::client::LinkAnswer, ClientError> {
    link.call(method, path, query, "", ANSWER_LIMIT).await
}

async fn follow(session: &mut Session<'_, '_>, link: &AgentLink, mut watch: Progress) -> Outcome {
    let mut signals = Signals::new().map_err(Failure::new)?;
    loop {
        // A question that is dropped is asked again or not needed any more.
        let step = tokio::select! {
            step = step(link, &mut watch) => step,
            _ = signals.next() => return Ok(()),
        };
        match step {
            Ok(Step::Quiet) => {}
            Ok(Step::Fire { index, json }) => {
                if session.flags.args.is_empty() {
                    session.io.say(::watch::indent(&json, 4));
                    return Ok(());
                }
                if !handle(session, &mut signals, &index, &json).await? {
                    return Ok(());
                }
            }
            Err(text) => {
                let wait = watch.failed();
                session.io.warn(format!("watch: {text}; the next try is in {} s", wait.as_secs()));
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = signals.next() => return Ok(()),
                }
            }
        }
    }
}

async fn step(link: &AgentLink, watch: &mut Progress) -> Result<Step, String> {
    let request = watch.request();
    let answer = ask(link, Method::GET, &request.path, &request.query).await.map_err(|e| e.to_string())?;
    let (index, hash) = (answer.index, answer.hash.clone());
    let missing = request.may_be_missing && answer.status == 404;
    let body = if missing { None } else { Some(answer.ok().map_err(|e| e.to_string())?) };
    let text = body.as_deref().map(std::str::from_utf8).transpose().map_err(|e| e.to_string())?;
    watch.answered(index, hash.as_deref(), text)
}

/// Runs the child to its end; answers whether to go on.
async fn handle(
    session: &Session<'_, '_>,
    signals: &mut Signals,
    index: &str,
    json: &str,
) -> Result<bool, Failure> {
    let shell = session.flags.given("shell").is_none() || session.flags.bool("shell");
    let input = format!("{json}\n");
    let more = [("CONSUL_INDEX", index)];
    let mut child =
        Running::start(&session.flags.args, shell, session.env, &more, Stdin::Bytes(input.as_bytes()))
            .await
            .map_err(Failure::new)?;
    let mut go_on = true;
    loop {
        tokio::select! {
            ended = child.wait() => {
                return ended.map(|()| go_on).map_err(|e| Failure::new(format!("Error executing handler: {e}")));
            }
            signal = signals.next() => {
                go_on = false;
                child.send(signal);
            }
        }
    }
}
