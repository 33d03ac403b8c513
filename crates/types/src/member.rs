//! Members of a gossip pool as other parts see them.

use crate::names::{DatacenterName, Str};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr};

/// State of a member; the numbers are those of the HTTP API.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub enum MemberStatus {
    /// Unknown.
    None = 0,
    /// Answers probes (a suspect is still alive).
    Alive = 1,
    /// Announced that it leaves.
    Leaving = 2,
    /// Left on its own or was forced to.
    Left = 3,
    /// Stopped answering.
    Failed = 4,
}

impl MemberStatus {
    /// Word of the CLI and of log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Alive => "alive",
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Failed => "failed",
        }
    }
}

/// A member.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Name (LAN: node name; WAN: `node.dc`).
    pub name: Str,
    /// Gossip address.
    pub addr: SocketAddr,
    /// Tags: `role` (`consul` for servers, `node` for clients), `dc`, `id`, `port`, `vsn`, `build`, `expect`, …
    pub tags: BTreeMap<Str, Str>,
    /// State.
    pub status: MemberStatus,
}

/// What the tags of a server say.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServerInfo {
    /// Node name.
    pub name: Str,
    /// Node id (UUID text).
    pub id: Str,
    /// Datacenter.
    pub datacenter: DatacenterName,
    /// RPC address (gossip IP, port of tag `port`).
    pub rpc_addr: SocketAddr,
    /// Number of servers it waits for, 0 when not bootstrapping by expectation.
    pub expect: u32,
    /// Started with `bootstrap`.
    pub bootstrap: bool,
    /// Reads only, no vote.
    pub read_replica: bool,
    /// Version text.
    pub build: Str,
    /// State.
    pub status: MemberStatus,
}

impl Member {
    /// A tag, `""` when absent.
    pub fn tag(&self, key: &str) -> &str {
        self.tags.get(key).map_or("", |s| s.as_str())
    }

    /// Reads the server tags; `None` for a client or when a tag is damaged.
    pub fn server(&self) -> Option<ServerInfo> {
        if self.tag("role") != "consul" {
            return None;
        }
        let port: u16 = self.tag("port").parse().ok()?;
        Some(ServerInfo {
            name: self.name.clone(),
            id: Str::new(self.tag("id")),
            datacenter: DatacenterName::new(self.tag("dc")),
            rpc_addr: SocketAddr::new(self.addr.ip(), port),
            expect: self.tag("expect").parse().unwrap_or(0),
            bootstrap: self.tag("bootstrap") == "1",
            read_replica: self.tag("read_replica") == "1",
            build: Str::new(self.tag("build")),
            status: self.status,
        })
    }
}
