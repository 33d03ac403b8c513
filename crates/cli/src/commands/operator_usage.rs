//! `operator usage instances`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    table::{columns, row},
};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) static INSTANCES: Command = Command {
    path: "operator usage instances",
    synopsis: "Display service instance usage",
    usage: "[options]",
    about: "Counts nodes, services and their instances.",
    flags: &[
        Flag::new("all-datacenters", Kind::Bool, "Ask every datacenter."),
        Flag::new("billable", Kind::Bool, "Only what counts as ordinary services."),
        Flag::new("connect", Kind::Bool, "Only services of the mesh."),
    ],
    common: Common::Server,
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    usage: BTreeMap<String, Usage>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Usage {
    nodes: u64,
    services: u64,
    connect_service_instances: BTreeMap<String, u64>,
    billable_service_instances: u64,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let flags = &session.flags;
    let (billable, connect, all) =
        (flags.bool("billable"), flags.bool("connect"), flags.bool("all-datacenters"));
    if billable && connect {
        return Err(Failure::new("Cannot specify both -billable and -connect flags"));
    }
    let client = session.client()?;
    let answer: Answer = client
        .get("/v1/operator/usage", client.scoped(Query::new().flag("global", all)))
        .and_then(|a| a.json())
        .map_err(Failure::request("Error fetching usage information"))?;
    let usage = &answer.usage;
    if !connect {
        let total: u64 = usage.values().map(|u| u.billable_service_instances).sum();
        session.io.say(format!("Billable Service Instances Total: {total}"));
        for (dc, u) in usage {
            session.io.say(format!("{dc} Billable Service Instances: {}", u.billable_service_instances));
        }
        session.io.say(format!(
            "\nBillable Services\n{}\n\n\nNodes\n{}\n\n",
            services(usage, all),
            nodes(usage)
        ));
    }
    if !billable {
        session.io.say(format!("Connect Services\n{}", mesh(usage, all)));
    }
    Ok(())
}

fn services(usage: &BTreeMap<String, Usage>, all: bool) -> String {
    let cells = |u: &Usage| [u.services.to_string(), u.billable_service_instances.to_string()];
    if !all {
        let mut rows = vec![row(["Services", "Service instances"])];
        rows.extend(usage.values().map(|u| cells(u).to_vec()));
        return columns(&rows);
    }
    let mut rows = vec![row(["Datacenter", "Services", "Service instances"])];
    rows.extend(usage.iter().map(|(dc, u)| std::iter::once(dc.clone()).chain(cells(u)).collect()));
    let (count, instances) =
        usage.values().fold((0, 0), |(a, b), u| (a + u.services, b + u.billable_service_instances));
    rows.push(row(["", "", ""]));
    rows.push(row(["Total", &count.to_string(), &instances.to_string()]));
    columns(&rows)
}

fn nodes(usage: &BTreeMap<String, Usage>) -> String {
    let mut rows = vec![row(["Datacenter", "Count"])];
    rows.extend(usage.iter().map(|(dc, u)| row([dc, &u.nodes.to_string()])));
    rows.push(row(["", ""]));
    rows.push(row(["Total", &usage.values().map(|u| u.nodes).sum::<u64>().to_string()]));
    columns(&rows)
}

fn mesh(usage: &BTreeMap<String, Usage>, all: bool) -> String {
    if !all {
        let mut rows = vec![row(["Type", "Service instances"])];
        for u in usage.values() {
            rows.extend(u.connect_service_instances.iter().map(|(kind, n)| row([kind, &n.to_string()])));
        }
        return columns(&rows);
    }
    let mut rows = vec![row(["Datacenter", "Type", "Service instances"])];
    for (dc, u) in usage {
        rows.extend(u.connect_service_instances.iter().map(|(kind, n)| row([dc, kind, &n.to_string()])));
    }
    let total: u64 = usage.values().flat_map(|u| u.connect_service_instances.values()).sum();
    rows.push(row(["", "", ""]));
    rows.push(row(["Total", "", &total.to_string()]));
    columns(&rows)
}
