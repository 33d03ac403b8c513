//! Transactions: several reads and writes that take effect together or not at all (`PUT /v1/txn`).

use crate::{
    names::{NodeName, Str, Tenancy},
    record::{HealthCheck, KvEntry, Node, NodeService},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Operations that one transaction may have.
pub const TXN_OPS_MAX: usize = 128;

/// What to do with a key.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the API's word of the same name")]
pub enum KvVerb {
    Set,
    Cas,
    Lock,
    Unlock,
    Get,
    GetOrEmpty,
    GetTree,
    CheckIndex,
    CheckSession,
    CheckNotExists,
    Delete,
    DeleteTree,
    DeleteCas,
    /// Any other word; the operation fails.
    Unknown(Str),
}

impl KvVerb {
    /// Reads the API's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "set" => Self::Set,
            "cas" => Self::Cas,
            "lock" => Self::Lock,
            "unlock" => Self::Unlock,
            "get" => Self::Get,
            "get-or-empty" => Self::GetOrEmpty,
            "get-tree" => Self::GetTree,
            "check-index" => Self::CheckIndex,
            "check-session" => Self::CheckSession,
            "check-not-exists" => Self::CheckNotExists,
            "delete" => Self::Delete,
            "delete-tree" => Self::DeleteTree,
            "delete-cas" => Self::DeleteCas,
            other => Self::Unknown(Str::new(other)),
        }
    }
    fn writes(&self) -> bool {
        matches!(
            self,
            Self::Set
                | Self::Cas
                | Self::Lock
                | Self::Unlock
                | Self::Delete
                | Self::DeleteTree
                | Self::DeleteCas
        )
    }
}

/// What to do with a row of the catalog.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is the API's word of the same name")]
pub enum RowVerb {
    Get,
    Set,
    Cas,
    Delete,
    DeleteCas,
    /// Any other word; the operation fails.
    Unknown(Str),
}

impl RowVerb {
    /// Reads the API's word.
    pub fn parse(word: &str) -> Self {
        match word {
            "get" => Self::Get,
            "set" => Self::Set,
            "cas" => Self::Cas,
            "delete" => Self::Delete,
            "delete-cas" => Self::DeleteCas,
            other => Self::Unknown(Str::new(other)),
        }
    }
}

/// One operation. Rows carry the expected modify index of conditional verbs in their own index.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum TxnOp {
    /// On a key, or all keys under a prefix.
    Kv {
        /// Owner of the key.
        tenancy: Tenancy,
        /// What to do.
        verb: KvVerb,
        /// Key or prefix.
        key: Str,
        /// Value.
        value: Bytes,
        /// Flags.
        flags: u64,
        /// Expected modify index.
        index: u64,
        /// Session.
        session: Str,
    },
    /// On a node.
    Node {
        /// What to do.
        verb: RowVerb,
        /// The row.
        node: Box<Node>,
    },
    /// On an instance.
    Service {
        /// What to do.
        verb: RowVerb,
        /// Its node.
        node: NodeName,
        /// The row.
        service: Box<NodeService>,
    },
    /// On a check.
    Check {
        /// What to do.
        verb: RowVerb,
        /// The row.
        check: Box<HealthCheck>,
    },
}

impl TxnOp {
    /// Whether it may change something. Unknown words of keys do not, those of rows might: both fail.
    pub fn writes(&self) -> bool {
        match self {
            Self::Kv { verb, .. } => verb.writes(),
            Self::Node { verb, .. } | Self::Service { verb, .. } | Self::Check { verb, .. } => {
                *verb != RowVerb::Get
            }
        }
    }

    /// Owner of what it is about.
    pub fn owner(&self) -> &Tenancy {
        match self {
            Self::Kv { tenancy, .. } => tenancy,
            Self::Node { node, .. } => &node.tenancy,
            Self::Service { service, .. } => &service.tenancy,
            Self::Check { check, .. } => &check.tenancy,
        }
    }
}

/// What one operation found or wrote.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum TxnResult {
    /// An entry, and whether its value is shown.
    Kv(Arc<KvEntry>, bool),
    /// A node.
    Node(Arc<Node>),
    /// An instance.
    Service(Arc<NodeService>),
    /// A check.
    Check(Arc<HealthCheck>),
}

/// The answer: with errors, nothing was changed and there are no results.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct TxnAnswer {
    /// In the order of the operations; some have none, a tree has one for each entry.
    pub results: Vec<TxnResult>,
    /// Position of an operation and why it failed.
    pub errors: Vec<(u32, Str)>,
}

/// What is wrong with operations whatever the state is: the position of each and the text that clients see.
pub fn mistakes(ops: &[TxnOp]) -> Vec<(u32, Str)> {
    let mistake = |op: &TxnOp| match op {
        TxnOp::Kv { verb: KvVerb::Unknown(word), .. } => {
            Some(Str::from(format!("unknown KV operation: {word}")))
        }
        TxnOp::Kv { verb, key, .. } if key.is_empty() && *verb != KvVerb::DeleteTree => {
            Some("Must provide key".into())
        }
        TxnOp::Service { verb: RowVerb::Get | RowVerb::Unknown(_), .. } => None,
        TxnOp::Service { service, .. } if service.service.is_empty() && !service.id.is_empty() => {
            Some("Must provide service name (Service.Service) when service ID is provided".into())
        }
        TxnOp::Service { service, .. } if service.service.is_empty() => {
            Some("Must provide service name (Service.Service)".into())
        }
        _ => None,
    };
    (0u32..).zip(ops).filter_map(|(at, op)| mistake(op).map(|what| (at, what))).collect()
}
