//! `operator recover`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    RecoveryPlan, RecoveryServer, ServerRecord,
    flags::{Flag, Kind},
    table::{columns, row},
};
use std::path::PathBuf;

pub(super) static COMMAND: Command = Command {
    path: "operator recover",
    synopsis: "Recover a datacenter that lost its quorum",
    usage: "[options] -data-dir=DIR",
    about: "For when so many servers are lost for good that those that are left elect no\n\
            leader. Works on the data directory of a server that does not run: shows what it\n\
            holds, and after a confirmation makes those servers that are named, or this one\n\
            alone, the servers of the datacenter.\n\n\
            Take the server with the highest last index. Of several that are left, stop all,\n\
            and run this on each with the same -server flags.",
    flags: &[
        Flag::new("data-dir", Kind::Text, "Data directory of a server that does not run; needed."),
        Flag::new(
            "server",
            Kind::Map,
            "ID=ADDRESS of a server that there shall be; may be repeated. This server alone if not given.",
        ),
        Flag::new("address", Kind::Text, "Address of this server's server port, if it has another now."),
        Flag::new("dry-run", Kind::Bool, "Only show what the directory holds."),
        Flag::new("yes", Kind::Bool, "Do not ask for a confirmation."),
    ],
    common: Common::None,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    session.at_most(0)?;
    let flags = &session.flags;
    let dir = match flags.text("data-dir") {
        "" => return Err(Failure::with_help("Must specify the -data-dir of the server to recover")),
        dir => PathBuf::from(dir),
    };
    let failed = |e: String| Failure::new(format!("Error recovering: {e}"));
    let record = session.local.server_record(&dir).map_err(failed)?;
    let plan = plan(&record, flags.list("server"), flags.given("address")).map_err(failed)?;
    let (dry, yes) = (flags.bool("dry-run"), flags.bool("yes"));
    session.io.say(shown(&record));
    if dry {
        return Ok(());
    }
    session.io.say(explained(&record, &plan));
    if !yes {
        session.io.put(b"Type yes to go on: ");
        let answer = session.io.0.read_line().unwrap_or_default();
        if answer.trim() != "yes" {
            return Err(Failure::new("Nothing was changed."));
        }
    }
    session.local.recover(&dir, &plan).map_err(failed)?;
    session.io.say(
        "Recovered. Start this server now; new ones may join it. Servers that were left out must not\n\
         come back with their old data: remove their data directories.",
    );
    Ok(())
}

fn plan(record: &ServerRecord, named: &[String], address: Option<&str>) -> Result<RecoveryPlan, String> {
    let known = |id: &str| record.servers.iter().find(|s| s.id.eq_ignore_ascii_case(id));
    let mut servers: Vec<RecoveryServer> = named
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(id, address)| RecoveryServer {
            id: id.to_lowercase(),
            address: address.to_owned(),
            name: known(id).map(|s| s.name.clone()).unwrap_or_default(),
            voter: true,
        })
        .collect();
    if servers.is_empty() {
        let own = known(&record.id).cloned();
        let own = own.or_else(|| {
            address.map(|a| RecoveryServer {
                id: record.id.clone(),
                address: a.to_owned(),
                name: String::new(),
                voter: true,
            })
        });
        let own = own.ok_or("this server is none of those that its log knows; give its -address")?;
        servers.push(RecoveryServer { voter: true, ..own });
    }
    let own = servers
        .iter_mut()
        .find(|s| s.id == record.id)
        .ok_or_else(|| format!("this server, {}, is not among those that -server names", record.id))?;
    if let Some(address) = address {
        own.address = address.to_owned();
    }
    Ok(RecoveryPlan { servers })
}

fn shown(r: &ServerRecord) -> String {
    let facts = [
        row(["Server:", &r.id]),
        row(["Last term:", &r.term.to_string()]),
        row(["Last index:", &r.last_index.to_string()]),
        row(["Decided up to:", &r.committed_index.to_string()]),
        row(["Snapshot up to:", &r.snapshot_index.to_string()]),
    ];
    let mut rows = vec![row(["Node", "ID", "Address", "Voter"])];
    rows.extend(r.servers.iter().map(|s| row([&s.name, &s.id, &s.address, &s.voter.to_string()])));
    format!("{}\n\nServers that it knows:\n{}\n", columns(&facts), columns(&rows))
}

fn explained(record: &ServerRecord, plan: &RecoveryPlan) -> String {
    let voters = record.servers.iter().filter(|s| s.voter).count();
    let undecided = record.last_index.saturating_sub(record.committed_index);
    let mut rows = vec![row(["Node", "ID", "Address"])];
    rows.extend(plan.servers.iter().map(|s| row([&s.name, &s.id, &s.address])));
    let quorum = voters / 2 + 1;
    format!(
        "Its log wants {quorum} of {voters} voters for a leader. If that many can come back, start them instead\n\
         of going on: a recovery may lose what this server was never told.\n\n\
         From now on the servers of the datacenter are:\n{}\n\n\
         Everything this server holds stays, also its {undecided} entries of which it does not know whether they\n\
         were decided.\n",
        columns(&rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ServerRecord {
        let server = |id: &str, address: &str| RecoveryServer {
            id: id.into(),
            address: address.into(),
            name: format!("name-{id}"),
            voter: true,
        };
        ServerRecord {
            id: "a".into(),
            term: 2,
            last_index: 12,
            committed_index: 10,
            snapshot_index: 0,
            servers: vec![server("a", "10.0.0.1:1"), server("b", "10.0.0.2:1"), server("c", "10.0.0.3:1")],
        }
    }

    #[test]
    fn this_server_alone_or_those_that_are_named() {
        let alone = plan(&record(), &[], None).unwrap();
        assert_eq!((alone.servers.len(), alone.servers[0].address.as_str()), (1, "10.0.0.1:1"));
        assert_eq!(plan(&record(), &[], Some("10.9.9.9:1")).unwrap().servers[0].address, "10.9.9.9:1");
        let two = plan(&record(), &["A=10.0.0.1:1".into(), "b=10.0.0.7:1".into()], None).unwrap();
        assert_eq!((two.servers[1].name.as_str(), two.servers[1].address.as_str()), ("name-b", "10.0.0.7:1"));
        assert!(plan(&record(), &["b=10.0.0.7:1".into()], None).unwrap_err().contains("not among those"));
        assert!(explained(&record(), &alone).contains("wants 2 of 3 voters"));
        assert!(explained(&record(), &alone).contains("its 2 entries"));
    }
}
