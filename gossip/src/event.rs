//! What members do, as the rest of the agent hears of it.

use types::{Str, member::Member};

/// A change of membership. A hint: it may be lost when the receiver is slow; the list of members decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MemberEvent {
    /// A member is new, or back.
    Join(Member),
    /// Tags or address of a living member changed.
    Update(Member),
    /// A member left, or was forced to.
    Leave(Member),
    /// A member stopped answering.
    Failed(Member),
    /// A failed or left member was forgotten.
    Reap(Member),
}

impl MemberEvent {
    /// The member it is about.
    pub fn member(&self) -> &Member {
        match self {
            Self::Join(m) | Self::Update(m) | Self::Leave(m) | Self::Failed(m) | Self::Reap(m) => m,
        }
    }
    /// Word of log lines.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Join(_) => "member-join",
            Self::Update(_) => "member-update",
            Self::Leave(_) => "member-leave",
            Self::Failed(_) => "member-failed",
            Self::Reap(_) => "member-reap",
        }
    }
}

/// Two living members claim one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameConflict {
    /// The name.
    pub name: Str,
    /// Who holds it here.
    pub holder: std::net::SocketAddr,
    /// Who else claims it.
    pub other: std::net::SocketAddr,
    /// Whether the name is our own.
    pub ours: bool,
}
