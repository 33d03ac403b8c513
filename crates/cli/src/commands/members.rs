//! `members`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    table::{columns, row},
};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) static COMMAND: Command = Command {
    path: "members",
    synopsis: "Lists the members of a cluster",
    usage: "[options]",
    about: "Lists the members of the cluster as the agent sees them. Exit code 2 says that\nnone matches.",
    flags: &[
        Flag::new("detailed", Kind::Bool, "Show all tags."),
        Flag::new("wan", Kind::Bool, "List the WAN pool (servers only)."),
        Flag::new("status", Kind::Text, "Only members whose status matches this regular expression."),
        Flag::new("segment", Kind::Text, "Only members of this network segment."),
        Flag::new("filter", Kind::Text, "Only members for which this expression holds; @file and - read it."),
    ],
    common: Common::ClientPartition,
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    name: String,
    addr: String,
    port: u16,
    tags: Option<BTreeMap<String, String>>,
    status: u8,
}

impl Member {
    fn tag(&self, name: &str) -> &str {
        self.tags.as_ref().and_then(|t| t.get(name)).map_or("", String::as_str)
    }
    fn is_server(&self) -> bool {
        self.tag("role") == "consul"
    }
    fn status(&self) -> &'static str {
        match self.status {
            1 => "alive",
            2 => "leaving",
            3 => "left",
            4 => "failed",
            _ => "none",
        }
    }
    fn address(&self) -> String {
        if self.addr.contains(':') {
            format!("[{}]:{}", self.addr, self.port)
        } else {
            format!("{}:{}", self.addr, self.port)
        }
    }
    fn partition(&self) -> &str {
        Some(self.tag("ap")).filter(|p| !p.is_empty()).unwrap_or("default")
    }
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let pattern = session.flags.given("status").unwrap_or(".*");
    let status = regex::Regex::new(pattern)
        .map_err(|e| Failure::new(format!("Failed to compile status regexp: {e}")))?;
    let filter = session.filter()?;
    let client = session.client()?;
    let wan = session.flags.bool("wan");
    let segment = session.flags.given("segment").map(str::to_owned);
    let query = if wan {
        Query::new().with("wan", "1").with_some("segment", segment.as_deref().unwrap_or_default())
    } else {
        Query::new().with("segment", segment.as_deref().unwrap_or("_all"))
    };
    let answer = client.get("/v1/agent/members", query.with_some("filter", &filter));
    let found: Option<Vec<Member>> =
        answer.and_then(|a| a.json()).map_err(Failure::request("Error retrieving members"))?;
    let mut found: Vec<Member> = found.unwrap_or_default();
    found.retain(|m| status.is_match(m.status()));
    if found.is_empty() {
        return Err(Failure::silent(2));
    }
    found.sort_by_cached_key(|m| (!m.is_server(), m.tag("segment").to_owned(), m.name.clone()));
    let rows =
        if session.flags.bool("detailed") { detailed(&found) } else { standard(&found, segment.is_none()) };
    session.io.say(columns(&rows));
    Ok(())
}

fn standard(found: &[Member], all_segments: bool) -> Vec<Vec<String>> {
    let mut rows =
        vec![row(["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Partition", "Segment"])];
    for m in found {
        let (name, address) = (m.name.as_str(), m.address());
        let build = m.tag("build");
        let build = if build.is_empty() { "< 0.3" } else { build.split(':').next().unwrap_or_default() };
        let segment = match m.tag("segment") {
            "" if m.is_server() && all_segments => "<all>",
            "" => "<default>",
            named => named,
        };
        let kind = match m.tag("role") {
            "consul" => "server",
            "node" => "client",
            _ => "unknown",
        };
        rows.push(if kind == "unknown" {
            row([name, &address, m.status(), kind, "", "", "", "", ""])
        } else {
            row([name, &address, m.status(), kind, build, m.tag("vsn"), m.tag("dc"), m.partition(), segment])
        });
    }
    rows
}

fn detailed(found: &[Member]) -> Vec<Vec<String>> {
    let mut rows = vec![row(["Node", "Address", "Status", "Tags"])];
    for m in found {
        let mut tags = m.tags.clone().unwrap_or_default();
        tags.insert("ap".to_owned(), m.partition().to_owned());
        let segment = tags.entry("segment".to_owned()).or_default();
        if segment.is_empty() {
            (if m.is_server() { "<all>" } else { "<default>" }).clone_into(segment);
        }
        let tags: Vec<String> = tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
        rows.push(row([&m.name, &m.address(), m.status(), &tags.join(",")]));
    }
    rows
}
