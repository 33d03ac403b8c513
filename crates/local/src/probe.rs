//! What a check does to find its status.

use types::definition::CheckDefinition;

/// The kind of a check; a definition that names several probes runs the first of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each variant is the word of the public API")]
pub enum ProbeKind {
    Grpc,
    Http,
    Ttl,
    Tcp,
    Udp,
    Alias,
    Docker,
    Script,
    H2Ping,
    OsService,
}

impl ProbeKind {
    /// The kind of a valid definition; `None` when it names no probe.
    pub fn of(c: &CheckDefinition) -> Option<Self> {
        let script = !c.script_args.is_empty();
        [
            (Self::Grpc, !c.grpc.is_empty()),
            (Self::Http, !c.http.is_empty()),
            (Self::Ttl, !c.ttl.is_zero()),
            (Self::Tcp, !c.tcp.is_empty()),
            (Self::Udp, !c.udp.is_empty()),
            (Self::Alias, !c.alias_node.is_empty() || !c.alias_service.is_empty()),
            (Self::Docker, script && !c.docker_container_id.is_empty()),
            (Self::Script, script),
            (Self::H2Ping, !c.h2ping.is_empty()),
            (Self::OsService, !c.os_service.is_empty()),
        ]
        .into_iter()
        .find_map(|(kind, named)| named.then_some(kind))
    }

    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Ttl => "ttl",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Alias => "alias",
            Self::Docker => "docker",
            Self::Script => "script",
            Self::H2Ping => "h2ping",
            Self::OsService => "os_service",
        }
    }
}
