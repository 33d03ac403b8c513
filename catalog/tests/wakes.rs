//! Nobody is woken without need: a query whose answer did not change is neither woken, nor does its index grow, but for what
//! [`COARSE`] lists with its reason.
//!
//! That everybody is woken who must be is in `properties.rs`. Histories are random but always the same, so that the list can
//! be held to what really happens: a new needless wake fails the test, and so does a line that is needed no more.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a failing test panics")]

mod support;

use catalog::{ApplyCtx, ChangeSet, run_query, topics_of};
use proptest::{
    collection::vec,
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{collections::BTreeMap, fmt::Debug};
use support::{
    any::{a_command, universe},
    asked::queries,
};
use types::{
    Str,
    command::Command,
    query::{Query, QueryResult, ServiceLookup},
};

/// Histories, and the most commands in one.
const HISTORIES: usize = 400;
const COMMANDS: usize = 40;
/// Stands for a topic where nobody is woken, and yet the index of an answer grew.
const INDEX: &str = "(index)";

/// Reads (see [`kind`]) that a topic wakes without need, and why it stays so.
struct Coarse {
    reads: &'static [&'static str],
    topics: &'static [&'static str],
    why: &'static str,
}

const COARSE: &[Coarse] = &[
    Coarse {
        reads: &[
            "Nodes by metadata",
            "Services by metadata",
            "ServiceNodes by metadata",
            "ServiceNodes of some",
            "ServiceNodes of some by metadata",
            "ServiceHealth by metadata",
            "ServiceHealth of some",
            "ServiceHealth of some by metadata",
            "ServiceChecks by metadata",
            "ChecksInState by metadata",
            "ChecksInState of no known state by metadata",
        ],
        topics: &["Nodes", "ServiceRows", "Service", "Connect", "Checks", "CheckState"],
        why: "who wants some of the rows waits for all of them, and has their index: as in Consul",
    },
    Coarse {
        reads: &["ServiceNodes", "ServiceChecks"],
        topics: &["Service", "Connect"],
        why: "a name has one index for its instances, their nodes and their checks: as in Consul",
    },
    Coarse {
        reads: &["KvKeys"],
        topics: &["KvPrefix"],
        why: "a listing of keys has the index of the prefix, which moves with the values: as in Consul",
    },
    Coarse {
        reads: &[
            "ServiceNodes of gateways",
            "ServiceNodes of gateways by metadata",
            "ServiceHealth of gateways",
            "ServiceHealth of gateways by metadata",
            "KindHealth",
            "KindHealth by metadata",
        ],
        topics: &["ServiceRows", "Checks", "ConfigKind"],
        why: "instances of names that are not known beforehand; few ask for gateways",
    },
    Coarse {
        reads: &["GatewayServices"],
        topics: &["ConfigKind", "ServiceRows"],
        why: "what a gateway shows follows from all entries of three kinds and all names; few ask",
    },
    Coarse {
        reads: &["NodeChecks", "NodeServices", "NodeServices by id"],
        topics: &["NodeChecks", "NodeServices"],
        why: "a node is one row with one index for what is on it in all namespaces",
    },
    Coarse {
        reads: &["NodeServices by id"],
        topics: &["Nodes", "ServiceRows", INDEX],
        why: "which node the beginning of an id means depends on all nodes; agents ask by name",
    },
    Coarse {
        reads: &["ByAddress"],
        topics: &["Addresses"],
        why: "asked for by DNS alone, which never waits",
    },
    Coarse {
        reads: &["Partitions", "Partitions one", "Namespaces", "Namespaces one"],
        topics: &["Tenancies"],
        why: "one index for all of them; written by operators only",
    },
    Coarse {
        reads: &["KvKeys", "KvList"],
        topics: &[INDEX],
        why: "forgetting deletions raises the index of prefixes, so that none goes back; nobody is woken by it",
    },
    Coarse {
        reads: &["Services"],
        topics: &["ServiceNames"],
        why: "an instance that goes from one name to another may leave the list of names as it is",
    },
    Coarse {
        reads: &["PreparedQueries one"],
        topics: &["PreparedQueries"],
        why: "one topic for all of them; written by operators only",
    },
    Coarse {
        reads: &["FederationState"],
        topics: &["FederationStates"],
        why: "one topic for all datacenters; who waits for one mostly waits for all",
    },
    Coarse {
        reads: &["Coordinates", "Deadlines"],
        topics: &[INDEX],
        why: "one index for all partitions, or all sessions; nobody is woken by it",
    },
];

/// The name of an enum's variant.
fn variant(of: &impl Debug) -> String {
    let text = format!("{of:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// What kind of read it is.
fn kind(query: &Query, meta: &[(Str, Str)]) -> String {
    let how = match query {
        Query::ServiceHealth { lookup: ServiceLookup::Ingress, .. }
        | Query::ServiceNodes { lookup: ServiceLookup::Ingress, .. } => " of gateways",
        Query::ServiceHealth { tags, passing_only, .. } if *passing_only || !tags.is_empty() => " of some",
        Query::ServiceNodes { tags, .. } if !tags.is_empty() => " of some",
        Query::NodeServices { node, .. } if node.as_str() == "ab" || node.as_str() == "b0000000" => " by id",
        Query::PreparedQueries { id: Some(_) } | Query::Partitions { name: Some(_) } => " one",
        Query::Namespaces { name: Some(_), .. } | Query::Coordinates { node: Some(_), .. } => " one",
        Query::ChecksInState { state, .. } if state.as_str() == "odd" => " of no known state",
        _ => "",
    };
    let meta = if meta.is_empty() { "" } else { " by metadata" };
    format!("{}{how}{meta}", variant(query))
}

/// Whether metadata of nodes narrows the answer.
fn takes_meta(query: &Query) -> bool {
    matches!(
        query,
        Query::Nodes { .. }
            | Query::Services { .. }
            | Query::ServiceNodes { .. }
            | Query::ServiceHealth { .. }
            | Query::ServiceChecks { .. }
            | Query::ChecksInState { .. }
            | Query::KindHealth { .. }
    )
}

/// Whether one write may take back what another did within the command. Its parts are judged where they stand alone.
fn is_compound(command: &Command) -> bool {
    match command {
        Command::Batch(_) | Command::Txn { .. } => true,
        Command::CoordinateUpdates(rows) => rows.len() > 1,
        Command::Register(r) => r.checks.len() > 1,
        _ => false,
    }
}

/// Whether nothing was found.
fn is_absent(result: &QueryResult) -> bool {
    match result {
        QueryResult::Kv(found) => found.is_none(),
        QueryResult::ConfigEntry(found) => found.is_none(),
        QueryResult::FederationState(found) => found.is_none(),
        QueryResult::NodeServices(found) => found.is_none(),
        QueryResult::NodeState(found) => found.node.is_none(),
        QueryResult::VirtualIp(found) => found.is_none(),
        QueryResult::KvList(rows) => rows.is_empty(),
        QueryResult::KvKeys(rows) => rows.is_empty(),
        QueryResult::Checks(rows) => rows.is_empty(),
        QueryResult::Sessions(rows) => rows.is_empty(),
        QueryResult::Coordinates(rows) => rows.is_empty(),
        QueryResult::ServiceNodes(rows) => rows.is_empty(),
        QueryResult::ServiceHealth(rows) => rows.is_empty(),
        QueryResult::GatewayServices(rows) => rows.is_empty(),
        _ => false,
    }
}

#[derive(Default, Clone, Copy)]
struct Count {
    needless: usize,
    needed: usize,
}

#[test]
fn nobody_else_is_woken() {
    let meta: [(Str, Str); 1] = [("zone".into(), "a".into())];
    let plain = queries().into_iter().map(|q| (q, &[][..]));
    let narrowed = queries().into_iter().filter(takes_meta).map(|q| (q, &meta[..]));
    let reads: Vec<_> = plain.chain(narrowed).collect();
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    // By read, topic and command.
    let mut counts = BTreeMap::<(String, String, String), Count>::new();
    for _ in 0..HISTORIES {
        let commands = vec(a_command(), 1..COMMANDS).new_tree(&mut runner).unwrap().current();
        let mut store = universe();
        for (i, command) in commands.iter().enumerate() {
            let before = store.clone();
            let mut changes = ChangeSet::new();
            let index = i as u64 + 2;
            store.apply(&ApplyCtx { index, proposed_at_ms: index }, command, &mut changes);
            if is_compound(command) {
                continue;
            }
            for (query, meta) in &reads {
                let (old, old_index) = run_query(&before, query, meta);
                let (new, new_index) = run_query(&store, query, meta);
                let mut by: Vec<_> = topics_of(query, !meta.is_empty())
                    .iter()
                    .filter(|t| changes.touches(t))
                    .map(variant)
                    .collect();
                // What is not there has the index of the last disappearance, which nobody is woken for.
                if by.is_empty() && new_index > old_index && !is_absent(&new) {
                    by.push(INDEX.to_owned());
                }
                for topic in by {
                    let count = counts.entry((kind(query, meta), topic, variant(command))).or_default();
                    if old != new { count.needed += 1 } else { count.needless += 1 }
                }
            }
        }
    }
    let mut report = String::new();
    let mut lines = BTreeMap::<(&str, &str), Vec<String>>::new();
    for ((query, topic, command), Count { needless, needed }) in &counts {
        if *needless > 0 {
            lines
                .entry((query, topic))
                .or_default()
                .push(format!("{command} {needless} of {}", needless + needed));
        }
    }
    let listed =
        |read: &str, topic: &str| COARSE.iter().any(|c| c.reads.contains(&read) && c.topics.contains(&topic));
    for ((read, topic), by) in lines.iter().filter(|((read, topic), _)| !listed(read, topic)) {
        report += &format!("\n{read}: woken by {topic} without need: {}", by.join(", "));
    }
    for Coarse { reads, topics, why } in COARSE {
        let met = |read: &str, topic: &str| lines.contains_key(&(read, topic));
        for read in reads.iter().filter(|r| !topics.iter().any(|t| met(r, t))) {
            report += &format!("\n{read}: not woken without need any more, take it off the list ({why})");
        }
        for topic in topics.iter().filter(|t| !reads.iter().any(|r| met(r, t))) {
            report += &format!("\n{topic}: wakes nobody without need any more, take it off the list ({why})");
        }
    }
    assert!(report.is_empty(), "{report}");
}
