//! `rtt`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::{Client, ClientError, Query},
    flags::{Flag, Kind},
};
use serde::Deserialize;

pub(super) static COMMAND: Command = Command {
    path: "rtt",
    synopsis: "Estimates network round trip time between nodes",
    usage: "[options] NODE1 [NODE2]",
    about: "Estimates the round-trip time between two nodes from their network coordinates.\nThe second node is the agent's own if not given.",
    flags: &[Flag::new("wan", Kind::Bool, "Use WAN coordinates; names are node.datacenter.")],
    common: Common::Client,
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Coordinate {
    vec: Vec<f64>,
    #[serde(default)]
    adjustment: f64,
    #[serde(default)]
    height: f64,
}

impl Coordinate {
    /// Vivaldi distance in seconds; the adjustment counts only while it leaves something positive.
    fn distance(&self, other: &Self) -> f64 {
        let squares: f64 = self.vec.iter().zip(&other.vec).map(|(a, b)| (a - b).powi(2)).sum();
        let plain = squares.sqrt() + self.height + other.height;
        let adjusted = plain + self.adjustment + other.adjustment;
        if adjusted > 0.0 { adjusted } else { plain }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: String,
    coord: Coordinate,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datacenter {
    datacenter: String,
    coordinates: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Own {
    config: OwnConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OwnConfig {
    node_name: String,
    datacenter: String,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let wan = session.flags.bool("wan");
    let nodes = session.flags.args.clone();
    let [first, rest @ ..] = nodes.as_slice() else {
        return Err(Failure::with_help("One or two node names must be specified"));
    };
    if rest.len() > 1 {
        return Err(Failure::with_help("One or two node names must be specified"));
    }
    if wan && nodes.iter().any(|n| n.split('.').count() != 2) {
        return Err(Failure::with_help("Node names must be specified as <node name>.<datacenter> with -wan"));
    }
    let client = session.client()?;
    let second = match rest.first() {
        Some(name) => name.clone(),
        None => {
            let own: Own = client
                .get("/v1/agent/self", Query::new())
                .and_then(|a| a.json())
                .map_err(Failure::request("Unable to look up agent info"))?;
            if wan {
                format!("{}.{}", own.config.node_name, own.config.datacenter)
            } else {
                own.config.node_name
            }
        }
    };
    let known = if wan { wan_coordinates(&client) } else { lan_coordinates(&client) }
        .map_err(Failure::request("Error getting coordinates"))?;
    let find = |name: &str| {
        known
            .iter()
            .find(|e| e.node == name)
            .map(|e| &e.coord)
            .ok_or_else(|| Failure::new(format!("Could not find a coordinate for node {name:?}")))
    };
    let ms = find(first)?.distance(find(&second)?) * 1000.0;
    let pool = if wan { "WAN" } else { "LAN" };
    session.io.say(format!("Estimated {first} <-> {second} rtt: {ms:.3} ms (using {pool} coordinates)"));
    Ok(())
}

fn lan_coordinates(client: &Client) -> Result<Vec<Entry>, ClientError> {
    let found: Option<Vec<Entry>> = client.get("/v1/coordinate/nodes", Query::new())?.json()?;
    Ok(found.unwrap_or_default())
}

/// Names are made `node.datacenter`, whichever way the agent writes them.
fn wan_coordinates(client: &Client) -> Result<Vec<Entry>, ClientError> {
    let found: Option<Vec<Datacenter>> = client.get("/v1/coordinate/datacenters", Query::new())?.json()?;
    let mut out = Vec::new();
    for dc in found.unwrap_or_default() {
        for mut entry in dc.coordinates.unwrap_or_default() {
            let suffix = format!(".{}", dc.datacenter);
            if !entry.node.ends_with(&suffix) {
                entry.node.push_str(&suffix);
            }
            out.push(entry);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_heights_and_a_positive_adjustment() {
        let at = |x: f64, adjustment: f64| Coordinate { vec: vec![x, 0.0], adjustment, height: 0.001 };
        assert!((at(0.0, 0.0).distance(&at(0.003, 0.0)) - 0.005).abs() < 1e-9);
        assert!((at(0.0, 0.001).distance(&at(0.003, 0.0)) - 0.006).abs() < 1e-9);
        assert!((at(0.0, -1.0).distance(&at(0.003, 0.0)) - 0.005).abs() < 1e-9);
    }
}
