//! Every command by name.

mod catalog;
mod config;
mod connect_ca;
mod debug;
mod definitions;
mod event;
mod exec;
mod force_leave;
mod gateway;
mod info;
mod join;
mod keygen;
mod keyring;
mod kv_delete;
mod kv_export;
mod kv_get;
mod kv_import;
mod kv_put;
mod leave;
mod lock;
mod maint;
mod members;
mod monitor;
mod operator_autopilot;
mod operator_federation;
mod operator_raft;
mod operator_recover;
mod operator_usage;
mod reload;
mod rtt;
mod services;
mod session;
mod snapshot;
mod snapshot_inspect;
mod table;
mod tls;
mod validate;
mod version;
mod watch;

pub(crate) use session::{Failure, Outcome, Session};

use crate::flags::{Flag, Kind};

/// A command, a group of commands, or one that we only know by name.
#[derive(Debug)]
pub(crate) enum Entry {
    Command(&'static Command),
    Group { path: &'static str, synopsis: &'static str, about: &'static str },
    Later { path: &'static str, synopsis: &'static str },
}

/// A command that works.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) path: &'static str,
    pub(crate) synopsis: &'static str,
    /// What follows the name in the usage line.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flags: &'static [Flag],
    pub(crate) common: Common,
    pub(crate) run: fn(&mut Session<'_, '_>) -> Outcome,
}

/// Which common flags a command has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Common {
    /// None: it asks no agent.
    None,
    /// Client flags.
    Client,
    /// Client flags and `-partition`.
    ClientPartition,
    /// Client flags, `-datacenter`, `-stale`.
    Server,
    /// Those and `-partition`.
    ServerPartition,
    /// All.
    ServerTenancy,
}

const CLIENT: [Flag; 8] = [
    Flag::new(
        "http-addr",
        Kind::Text,
        "Address of the agent's HTTP API (also unix:// and https://). [CONSUL_HTTP_ADDR]",
    ),
    Flag::new("token", Kind::Text, "ACL token of the request. [CONSUL_HTTP_TOKEN]"),
    Flag::new("token-file", Kind::Text, "File that holds the ACL token. [CONSUL_HTTP_TOKEN_FILE]"),
    Flag::new("ca-file", Kind::Text, "File of certificates to trust. [CONSUL_CACERT]"),
    Flag::new("ca-path", Kind::Text, "Directory of certificates to trust. [CONSUL_CAPATH]"),
    Flag::new("client-cert", Kind::Text, "Client certificate. [CONSUL_CLIENT_CERT]"),
    Flag::new("client-key", Kind::Text, "Key of the client certificate. [CONSUL_CLIENT_KEY]"),
    Flag::new(
        "tls-server-name",
        Kind::Text,
        "Name the agent's certificate must carry. [CONSUL_TLS_SERVER_NAME]",
    ),
];
const SERVER: [Flag; 2] = [
    Flag::new("datacenter", Kind::Text, "Datacenter to ask; the agent's own if not given."),
    Flag::new("stale", Kind::Bool, "Let any server answer, not only the leader."),
];
const NAMESPACE: Flag = Flag::new("namespace", Kind::Text, "Namespace to ask in. [CONSUL_NAMESPACE]");
const PARTITION: Flag = Flag::new("partition", Kind::Text, "Admin partition to ask in. [CONSUL_PARTITION]");

impl Command {
    /// Those of the agent are configuration, and listed there.
    fn own_flags(&self) -> Vec<Flag> {
        if self.path == "agent" { agent_flags().collect() } else { self.flags.to_vec() }
    }

    /// Its own flags and the common ones.
    pub(crate) fn all_flags(&self) -> Vec<Flag> {
        let mut out = self.own_flags();
        if self.common != Common::None {
            out.extend(CLIENT);
        }
        if matches!(self.common, Common::Server | Common::ServerPartition | Common::ServerTenancy) {
            out.extend(SERVER);
        }
        if self.common == Common::ServerTenancy {
            out.push(NAMESPACE);
        }
        if matches!(self.common, Common::ServerTenancy | Common::ServerPartition | Common::ClientPartition) {
            out.push(PARTITION);
        }
        out
    }
}

impl Entry {
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Command(c) => c.path,
            Self::Group { path, .. } | Self::Later { path, .. } => path,
        }
    }

    fn synopsis(&self) -> &'static str {
        match self {
            Self::Command(c) => c.synopsis,
            Self::Group { synopsis, .. } | Self::Later { synopsis, .. } => synopsis,
        }
    }

    /// The text of `-h`.
    pub(crate) fn help(&self, program: &str) -> String {
        match self {
            Self::Command(c) => {
                let mut out = format!("Usage: {program} {} {}\n\n{}", c.path, c.usage, indented(c.about));
                let own = c.own_flags();
                let common = c.all_flags().split_off(own.len());
                for (title, flags) in [("Options", own), ("Common options", common)] {
                    if !flags.is_empty() {
                        out.push_str(&format!("\n\n{title}:"));
                    }
                    for f in flags {
                        let value = match f.kind {
                            Kind::Bool => "",
                            Kind::Text | Kind::List => "=<text>",
                            Kind::Int | Kind::Uint => "=<number>",
                            Kind::Map => "=<key=value>",
                        };
                        out.push_str(&format!("\n\n  -{}{value}\n     {}", f.name, f.help));
                    }
                }
                out
            }
            Self::Group { path, about, .. } => {
                let below = ALL.iter().filter(|e| parent(e.path()) == Some(path));
                let mut out = format!(
                    "Usage: {program} {path} <subcommand> [options] [args]\n\n{}\n\nSubcommands:\n",
                    indented(about)
                );
                out.push_str(&list(below.map(|e| (last_word(e.path()), e.synopsis()))));
                out
            }
            Self::Later { path, synopsis } => {
                format!(
                    "Usage: {program} {path} [options]\n\n  {synopsis}.\n\n  This command is known but not built yet in this version."
                )
            }
        }
    }
}

fn agent_flags() -> impl Iterator<Item = Flag> {
    use ::config::flags::FlagKind;
    ::config::flags::FLAGS.iter().map(|f| {
        let kind = match f.kind {
            FlagKind::Bool | FlagKind::Dev => Kind::Bool,
            FlagKind::Int => Kind::Int,
            FlagKind::List | FlagKind::ListAfterFiles | FlagKind::ConfigPath | FlagKind::Fragment => {
                Kind::List
            }
            FlagKind::Map => Kind::Map,
            FlagKind::Text | FlagKind::ConfigFormat => Kind::Text,
        };
        Flag::new(f.name, kind, f.help)
    })
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|l| if l.is_empty() { String::new() } else { format!("  {l}") })
        .collect::<Vec<_>>()
        .join("\n")
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once(' ').map(|(p, _)| p)
}

fn last_word(path: &str) -> &str {
    path.rsplit_once(' ').map_or(path, |(_, w)| w)
}

fn list<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut all: Vec<_> = entries.collect();
    all.sort_unstable();
    let width = all.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
    all.iter().map(|(n, s)| format!("    {n:width$}    {s}")).collect::<Vec<_>>().join("\n")
}

/// The list of all commands.
pub(crate) fn top_help(program: &str) -> String {
    let top = ALL.iter().filter(|e| parent(e.path()).is_none());
    format!(
        "Usage: {program} [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n{}",
        list(top.map(|e| (e.path(), e.synopsis())))
    )
}

/// The entry with the longest name that `words` begin with, and how many words that took.
pub(crate) fn find(words: &[String]) -> Option<(&'static Entry, usize)> {
    let names = words.iter().take_while(|w| !w.starts_with('-')).take(4).collect::<Vec<_>>();
    (1..=names.len()).rev().find_map(|n| {
        let path = names[..n].iter().map(|w| w.as_str()).collect::<Vec<_>>().join(" ");
        ALL.iter().find(|e| e.path() == path).map(|e| (e, n))
    })
}

const fn group(path: &'static str, synopsis: &'static str, about: &'static str) -> Entry {
    Entry::Group { path, synopsis, about }
}
const fn later(path: &'static str, synopsis: &'static str) -> Entry {
    Entry::Later { path, synopsis }
}

/// The commands that work, the groups, and the names that are known.
pub(crate) static ALL: &[Entry] = table::ALL;
