//! `exec`: a command on many nodes, over the key-value store and events.

use super::{Command, Common, Failure, Outcome, Session, event::check_filters};
use crate::{
    child::Signals,
    client::{AgentLink, ClientError, LinkAnswer},
    flags::{Flag, Kind},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

pub(super) static COMMAND: Command = Command {
    path: "exec",
    synopsis: "Execute a command on nodes",
    usage: "[options] [-|command...]",
    about: "Runs a command, or the script on stdin (-), on every node that the filters choose\n\
            and whose agent has disable_remote_exec = false, and shows what it prints.",
    flags: &[
        Flag::new("node", Kind::Text, "Regular expression: nodes it is for."),
        Flag::new("service", Kind::Text, "Regular expression: nodes with such a service."),
        Flag::new("tag", Kind::Text, "Regular expression: tags that the service must have; needs -service."),
        Flag::new("prefix", Kind::Text, "Where requests and answers are kept; _rexec if not given."),
        Flag::new("shell", Kind::Bool, "Run the command in a shell; true if not given."),
        Flag::new("wait", Kind::Text, "End after so long without news; 2s if not given."),
        Flag::new("wait-repl", Kind::Text, "Time for the request to reach all servers; 200ms if not given."),
        Flag::new("verbose", Kind::Bool, "Say what happens."),
    ],
    common: Common::Server,
    run,
};

/// Name of the event that agents listen to.
const EVENT: &str = "_rexec";
const TTL: Duration = Duration::from_secs(15);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// Longest script that fits a value of the store.
const SCRIPT_BYTES_MAX: usize = 384 << 10;

/// What agents read.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Job {
    #[serde(skip_serializing_if = "String::is_empty")]
    command: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    script: String,
    /// Nanoseconds.
    wait: i64,
}

struct Wanted {
    prefix: String,
    job: Job,
    wait: Duration,
    wait_repl: Duration,
    verbose: bool,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let wanted = wanted(session)?;
    session.with_link(async |session, link| serve(session, link, &wanted).await)
}

fn wanted(session: &mut Session<'_, '_>) -> Result<Wanted, Failure> {
    let time = |session: &Session<'_, '_>, name: &str, usual: Duration| match session.flags.given(name) {
        None => Ok(usual),
        Some(text) => ::api::duration::parse(text)
            .map_err(|e| Failure::with_help(format!("invalid value {text:?} for flag -{name}: {e}"))),
    };
    let wait = time(session, "wait", Duration::from_secs(2))?;
    let wait_repl = time(session, "wait-repl", Duration::from_millis(200))?;
    let shell = session.flags.given("shell").is_none() || session.flags.bool("shell");
    let words = session.flags.args.clone();
    let mut job = Job {
        command: String::new(),
        args: Vec::new(),
        script: String::new(),
        wait: ::api::duration::to_ns(wait),
    };
    match words.as_slice() {
        [dash] if dash == "-" => {
            let script =
                session.io.0.read_stdin().map_err(|e| Failure::new(format!("Failed to read stdin: {e}")))?;
            if script.len() > SCRIPT_BYTES_MAX {
                return Err(Failure::new(format!(
                    "The script has {} bytes, {SCRIPT_BYTES_MAX} are possible",
                    script.len()
                )));
            }
            job.script = STANDARD.encode(script);
        }
        _ if shell => job.command = words.join(" "),
        _ => job.args = words,
    }
    if job.command.is_empty() && job.args.is_empty() && job.script.is_empty() {
        return Err(Failure::with_help("Must specify a command to execute"));
    }
    check_filters(&session.flags)?;
    let prefix = session.flags.given("prefix").unwrap_or("_rexec").trim_matches('/').to_owned();
    Ok(Wanted { prefix, job, wait, wait_repl, verbose: session.flags.bool("verbose") })
}

/// The requests of one run.
struct Remote<'a> {
    link: &'a AgentLink,
    /// `<prefix>/<session>/`.
    base: String,
    session: String,
}

impl Remote<'_> {
    async fn call(
        &self,
        method: Method,
        path: &str,
        more: &[(&'static str, String)],
        body: impl Into<Bytes>,
    ) -> Result<LinkAnswer, ClientError> {
        let scope = self.link.scope().into_iter().filter(|(n, _)| *n != "stale");
        let query: Vec<_> = scope.chain(more.iter().cloned()).collect();
        self.link.call(method, path, &query, body, ANSWER_LIMIT).await
    }

    /// Deletes requests and answers, and the session.
    async fn clean_up(&self) {
        let session = format!("/v1/session/destroy/{}", self.session);
        let tree = format!("/v1/kv/{}", self.base);
        for (method, path, query) in
            [(Method::PUT, session, vec![]), (Method::DELETE, tree, vec![("recurse", String::new())])]
        {
            // What stays goes with the session's time to live.
            if let Err(error) = self.call(method, &path, &query, "").await {
                tracing::debug!(%error, "failed to clean up");
            }
        }
    }

    /// Keeps the session; answers only if that fails.
    async fn keep_alive(&self) -> Failure {
        let path = format!("/v1/session/renew/{}", self.session);
        loop {
            tokio::time::sleep(TTL / 3).await;
            if let Err(e) = self.call(Method::PUT, &path, &[], "").await.and_then(LinkAnswer::ok) {
                return Failure::new(format!("Session keep-alive failed: {e}"));
            }
        }
    }

    async fn value(&self, key: &str) -> Result<Vec<u8>, ClientError> {
        let raw = [("raw", String::new())];
        let answer = self.call(Method::GET, &format!("/v1/kv/{key}"), &raw, "").await?;
        Ok(answer.ok()?.to_vec())
    }
}

async fn serve(session: &mut Session<'_, '_>, link: &AgentLink, wanted: &Wanted) -> Outcome {
    #[derive(Deserialize)]
    struct Created {
        #[serde(rename = "ID")]
        id: String,
    }
    let begun = Instant::now();
    let mut signals = Signals::new().map_err(Failure::new)?;
    link.call(Method::GET, "/v1/agent/self", &[], "", ANSWER_LIMIT)
        .await
        .and_then(LinkAnswer::ok)
        .map_err(Failure::request("Error querying Consul agent"))?;
    let body = json!({ "Name": "Remote Exec", "Behavior": "delete", "TTL": format!("{}s", TTL.as_secs()) });
    let mut remote = Remote { link, base: String::new(), session: String::new() };
    let created: Created = remote
        .call(Method::PUT, "/v1/session/create", &[], body.to_string())
        .await
        .and_then(LinkAnswer::ok)
        .map_err(Failure::request("Failed to create session"))
        .and_then(|b| {
            serde_json::from_slice(&b).map_err(|e| Failure::new(format!("Failed to create session: {e}")))
        })?;
    remote.base = format!("{}/{}/", wanted.prefix, created.id);
    remote.session = created.id;
    if wanted.verbose {
        session.io.say(format!("Created remote execution session: {}", remote.session));
    }
    let outcome = tokio::select! {
        outcome = execute(session, &remote, wanted, begun) => outcome,
        failed = remote.keep_alive() => Err(failed),
        _ = signals.next() => Err(Failure::silent(1)),
    };
    remote.clean_up().await;
    outcome
}

async fn execute(
    session: &mut Session<'_, '_>,
    remote: &Remote<'_>,
    wanted: &Wanted,
    begun: Instant,
) -> Outcome {
    #[derive(Deserialize)]
    struct Fired {
        #[serde(rename = "ID")]
        id: String,
    }
    let job = serde_json::to_string(&wanted.job).map_err(|e| Failure::new(e.to_string()))?;
    let acquire = [("acquire", remote.session.clone())];
    let stored = remote
        .call(Method::PUT, &format!("/v1/kv/{}job", remote.base), &acquire, job)
        .await
        .and_then(LinkAnswer::ok)
        .map_err(Failure::request("Failed to create job file"))?;
    if stored.trim_ascii() != b"true" {
        return Err(Failure::new("Failed to create job file: the session does not hold it"));
    }
    if wanted.verbose {
        session.io.say("Uploaded remote execution spec");
    }
    tokio::time::sleep(wanted.wait_repl).await;
    let filters: Vec<(&'static str, String)> = ["node", "service", "tag"]
        .into_iter()
        .map(|n| (n, session.flags.text(n).to_owned()))
        .filter(|(_, v)| !v.is_empty())
        .collect();
    let payload = json!({ "Prefix": wanted.prefix, "Session": remote.session });
    let fired: Fired = remote
        .call(Method::PUT, &format!("/v1/event/fire/{EVENT}"), &filters, payload.to_string())
        .await
        .and_then(LinkAnswer::ok)
        .map_err(Failure::request("Failed to fire event"))
        .and_then(|b| {
            serde_json::from_slice(&b).map_err(|e| Failure::new(format!("Failed to fire event: {e}")))
        })?;
    if wanted.verbose {
        session.io.say(format!("Fired remote execution event: {}", fired.id));
    }
    let mut seen = Seen::default();
    let mut nodes = Nodes::default();
    let mut after: Option<u64> = None;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < wanted.wait {
        let left = wanted.wait.saturating_sub(quiet_since.elapsed()).max(Duration::from_millis(50));
        let mut query = vec![("keys", String::new()), ("wait", format!("{}ms", left.as_millis()))];
        query.extend(after.map(|index| ("index", index.to_string())));
        let answer = remote
            .call(Method::GET, &format!("/v1/kv/{}", remote.base), &query, "")
            .await
            .map_err(Failure::request("Failed to look for answers"))?;
        after = Some(answer.index);
        if answer.status == 404 {
            return Err(Failure::new(
                "Failed to look for answers: the request is gone, and its session with it",
            ));
        }
        let body = answer.ok().map_err(Failure::request("Failed to look for answers"))?;
        let keys: Vec<String> = serde_json::from_slice(&body).map_err(|e| Failure::new(e.to_string()))?;
        for found in seen.fresh(&remote.base, keys) {
            quiet_since = Instant::now();
            nodes.show(session, remote, found, wanted.verbose).await?;
        }
    }
    session.io.say(format!("{} / {} node(s) completed / acknowledged", nodes.exits.len(), nodes.acks));
    if wanted.verbose {
        session.io.say(format!("Completed in {:.2} seconds", begun.elapsed().as_secs_f64()));
    }
    if nodes.exits.values().any(|code| *code != 0) { Err(Failure::silent(2)) } else { Ok(()) }
}

/// A new key of an answer.
#[derive(PartialEq, Eq, Debug)]
enum Found {
    Ack(String),
    /// Node, key.
    Output(String, String),
    /// Node, key.
    Exit(String, String),
}

/// Which keys were seen.
#[derive(Default)]
struct Seen(BTreeSet<String>);

impl Seen {
    /// Those of `keys` that are new: acknowledgements, then output in its order, then ends.
    fn fresh(&mut self, base: &str, keys: Vec<String>) -> Vec<Found> {
        let mut out = Vec::new();
        for key in keys {
            let Some((node, rest)) = key.strip_prefix(base).and_then(|k| k.split_once('/')) else { continue };
            let (node, rest) = (node.to_owned(), rest.to_owned());
            if !self.0.insert(key.clone()) {
                continue;
            }
            out.push(match rest.as_str() {
                "ack" => (0, Found::Ack(node)),
                "exit" => (2, Found::Exit(node, key)),
                part if part.starts_with("out/") => (1, Found::Output(node, key)),
                _ => continue,
            });
        }
        // Keys come in their order, and parts of an output are numbered with leading zeros.
        out.sort_by_key(|(rank, _)| *rank);
        out.into_iter().map(|(_, found)| found).collect()
    }
}

#[derive(Default)]
struct Nodes {
    acks: usize,
    exits: BTreeMap<String, i64>,
}

impl Nodes {
    async fn show(
        &mut self,
        session: &mut Session<'_, '_>,
        remote: &Remote<'_>,
        found: Found,
        verbose: bool,
    ) -> Outcome {
        match found {
            Found::Ack(node) => {
                self.acks += 1;
                if verbose {
                    session.io.say(format!("==> {node}: acknowledged"));
                }
            }
            Found::Output(node, key) => {
                let bytes = remote.value(&key).await.map_err(Failure::request("Failed to read an output"))?;
                for line in String::from_utf8_lossy(&bytes).split('\n') {
                    session.io.say(format!("    {node}: {line}"));
                }
            }
            Found::Exit(node, key) => {
                let bytes =
                    remote.value(&key).await.map_err(Failure::request("Failed to read an exit code"))?;
                let text = String::from_utf8_lossy(&bytes);
                let Ok(code) = text.trim().parse::<i64>() else {
                    session.io.warn(format!("{node}: its exit code {:?} is no number", text.trim()));
                    return Ok(());
                };
                session.io.say(format!("==> {node}: finished with exit code {code}"));
                self.exits.insert(node, code);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_shown_once_and_output_before_its_end() {
        let mut seen = Seen::default();
        let keys = |list: &[&str]| list.iter().map(|k| format!("_rexec/s/{k}")).collect::<Vec<_>>();
        let first =
            seen.fresh("_rexec/s/", keys(&["job", "n1/ack", "n1/exit", "n1/out/00000", "n1/out/00001"]));
        let key = |k: &str| format!("_rexec/s/{k}");
        assert_eq!(
            first,
            [
                Found::Ack("n1".into()),
                Found::Output("n1".into(), key("n1/out/00000")),
                Found::Output("n1".into(), key("n1/out/00001")),
                Found::Exit("n1".into(), key("n1/exit")),
            ]
        );
        assert_eq!(seen.fresh("_rexec/s/", keys(&["job", "n1/ack", "n2/ack"])), [Found::Ack("n2".into())]);
    }
}
