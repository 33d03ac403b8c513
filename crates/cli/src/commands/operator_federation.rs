//! `operator federation`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    table::{columns, row},
};
use serde::Deserialize;

pub(super) static FEDERATION: Command = Command {
    path: "operator federation",
    synopsis: "Show how other datacenters are reached and what is replicated",
    usage: "[options]",
    about: "Shows each other datacenter as the leader of this one sees it: its servers, whether it answers and how fast, the \
            mesh gateways on the way with those in use, and in a secondary datacenter what is replicated from the primary.",
    flags: &[Flag::new("verbose", Kind::Bool, "Show the last errors also of what works now.")],
    common: Common::Server,
    run: federation,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    datacenter: String,
    primary_datacenter: String,
    node: String,
    through_mesh_gateways: bool,
    datacenters: Vec<Datacenter>,
    replication: Vec<Replication>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datacenter {
    name: String,
    servers: u32,
    alive: u32,
    reachable: bool,
    round_trip_ms: Option<f64>,
    answered_ms_ago: Option<f64>,
    last_error: String,
    gateways: Vec<Gateway>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Gateway {
    address: String,
    tier: String,
    servers: u32,
    failures: u32,
    worked_ms_ago: Option<f64>,
    last_error: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Replication {
    kind: String,
    healthy: bool,
    index: u64,
    lag_ms: Option<f64>,
    last_error: String,
}

/// `1.25ms`, `3.0s`, `-`.
fn span(ms: Option<f64>) -> String {
    match ms {
        None => "-".to_owned(),
        Some(ms) if ms < 1000.0 => format!("{ms:.2}ms"),
        Some(ms) => format!("{:.1}s", ms / 1000.0),
    }
}

fn error(text: &str, show: bool) -> &str {
    if text.is_empty() || !show { "-" } else { text }
}

fn federation(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let verbose = session.flags.bool("verbose");
    let client = session.client()?;
    let answer = client.get("/v1/operator/federation", client.scoped(Query::new()));
    let view: View =
        answer.and_then(|a| a.json()).map_err(Failure::request("Error reading the federation"))?;
    let way = if view.through_mesh_gateways { "through mesh gateways" } else { "directly" };
    session.io.say(format!(
        "Datacenter {} (primary: {}), other datacenters are reached {way}; seen by {}",
        view.datacenter, view.primary_datacenter, view.node
    ));
    if view.datacenters.is_empty() {
        session.io.say("No other datacenter is known.");
        return Ok(());
    }
    let mut rows =
        vec![row(["Datacenter", "Servers", "Reachable", "Round Trip", "Last Answer", "Last Error"])];
    for d in &view.datacenters {
        let servers = format!("{}/{}", d.alive, d.servers);
        let reachable = if d.reachable { "yes" } else { "no" };
        let shown = error(&d.last_error, verbose || !d.reachable);
        rows.push(row([
            &d.name,
            &servers,
            reachable,
            &span(d.round_trip_ms),
            &span(d.answered_ms_ago),
            shown,
        ]));
    }
    session.io.say("");
    session.io.say(columns(&rows));
    if view.through_mesh_gateways {
        let mut rows = vec![row(["To", "Gateway", "Tier", "Servers", "Failures", "Last Used", "Last Error"])];
        for d in &view.datacenters {
            for g in &d.gateways {
                let (servers, failures) = (g.servers.to_string(), g.failures.to_string());
                let shown = error(&g.last_error, verbose || g.failures > 0);
                rows.push(row([
                    &d.name,
                    &g.address,
                    &g.tier,
                    &servers,
                    &failures,
                    &span(g.worked_ms_ago),
                    shown,
                ]));
            }
            if d.gateways.is_empty() {
                rows.push(row([&d.name, "-", "-", "0", "0", "-", "no mesh gateway leads there"]));
            }
        }
        session.io.say("");
        session.io.say(columns(&rows));
    }
    if !view.replication.is_empty() {
        let mut rows = vec![row(["Replicated", "State", "Index", "Last News", "Last Error"])];
        for r in &view.replication {
            let state = if r.healthy { "healthy" } else { "failing" };
            let shown = error(&r.last_error, verbose || !r.healthy);
            rows.push(row([&r.kind, state, &r.index.to_string(), &span(r.lag_ms), shown]));
        }
        session.io.say("");
        session.io.say(columns(&rows));
    }
    Ok(())
}
