//! `PUT /v1/txn`.

use super::catalog::{health_check, node_service};
use crate::decode::{DecodeError, Json, fields, first_value, ignore, lenient_fields, str_map};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use types::{
    NodeName, Str, Tenancy,
    record::{HealthCheck, Node, NodeService},
    txn::{KvVerb, RowVerb, TxnOp},
};

/// The operations of a transaction; those that name no owner belong to `tenancy`.
///
/// # Errors
/// What is wrong with the body.
pub fn txn(body: &[u8], tenancy: &Tenancy) -> Result<Vec<TxnOp>, DecodeError> {
    let body = first_value(body)?;
    let list = match &body {
        Json::Null => return Ok(Vec::new()),
        Json::Array(list) => list,
        other => {
            return Err(DecodeError::Type { found: other.kind().to_owned(), wanted: "api.TxnOps" });
        }
    };
    let mut out = Vec::with_capacity(list.len().min(types::txn::TXN_OPS_MAX + 1));
    for item in list {
        // Of several kinds in one object the first of these four counts; an object without any is passed over.
        let mut found: [Option<TxnOp>; 4] = Default::default();
        fields(item, "api.TxnOp", |k, v| {
            let (at, op) = match k {
                "kv" => (0, kv(v, tenancy)?),
                "node" => (1, node(v, tenancy)?),
                "service" => (2, service(v, tenancy)?),
                "check" => (3, check(v, tenancy)?),
                _ => return Ok(false),
            };
            if *v != Json::Null {
                found[at] = Some(op);
            }
            Ok(true)
        })?;
        out.extend(found.into_iter().flatten().next());
    }
    Ok(out)
}

/// Owner that an operation names, else that of the request.
#[derive(Default)]
struct Owner {
    partition: Str,
    namespace: Str,
}

impl Owner {
    fn or(&self, tenancy: &Tenancy) -> Tenancy {
        let pick = |own: &Str, given: &str| if own.is_empty() { Str::new(given) } else { own.clone() };
        Tenancy::new(&pick(&self.partition, tenancy.partition()), &pick(&self.namespace, tenancy.namespace()))
    }
}

fn owned(row: &Tenancy, tenancy: &Tenancy) -> Tenancy {
    if row.is_default() { tenancy.clone() } else { row.clone() }
}

fn kv(v: &Json, tenancy: &Tenancy) -> Result<TxnOp, DecodeError> {
    let (mut verb, mut key, mut session) = (Str::default(), Str::default(), Str::default());
    let (mut flags, mut index, mut value) = (0, 0, Bytes::new());
    let mut owner = Owner::default();
    fields(v, "api.KVTxnOp", |k, v| match k {
        "verb" => v.set_str(&mut verb),
        "key" => v.set_str(&mut key),
        "value" => bytes_of(v, &mut value),
        "flags" => v.set_u64(&mut flags),
        "index" => v.set_u64(&mut index),
        "session" => v.set_str(&mut session),
        "namespace" => v.set_str(&mut owner.namespace),
        "partition" => v.set_str(&mut owner.partition),
        _ => Ok(false),
    })?;
    let verb = KvVerb::parse(&verb);
    Ok(TxnOp::Kv { tenancy: owner.or(tenancy), verb, key, value, flags, index, session })
}

/// Base64 text; what is wrong with it is said as Go does.
fn bytes_of(v: &Json, to: &mut Bytes) -> Result<bool, DecodeError> {
    let mut text = Str::default();
    v.set_str(&mut text)?;
    let bad = |at: usize| DecodeError::Value(format!("illegal base64 data at input byte {at}"));
    let decoded = STANDARD.decode(text.as_str()).map_err(|e| match e {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => bad(at),
        base64::DecodeError::InvalidLength(len) => bad(len),
        base64::DecodeError::InvalidPadding => bad(text.len().saturating_sub(1)),
    })?;
    *to = decoded.into();
    Ok(true)
}

fn node(v: &Json, tenancy: &Tenancy) -> Result<TxnOp, DecodeError> {
    let mut verb = Str::default();
    let mut row = Node::default();
    let mut owner = Owner::default();
    fields(v, "api.NodeTxnOp", |k, v| match k {
        "verb" => v.set_str(&mut verb),
        "node" => {
            fields(v, "api.Node", |k, v| match k {
                "id" => v.set_str(&mut row.id),
                "node" => v.set_str(&mut row.name),
                "address" => v.set_str(&mut row.address),
                "taggedaddresses" => str_map(v).map(|m| row.tagged_addresses = m).map(|()| true),
                "meta" => str_map(v).map(|m| row.meta = m).map(|()| true),
                "modifyindex" => v.set_u64(&mut row.index.modify),
                "partition" => v.set_str(&mut owner.partition),
                "datacenter" | "peername" | "createindex" | "locality" => ignore(v),
                _ => Ok(false),
            })?;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    row.tenancy = owner.or(tenancy).node_scope();
    Ok(TxnOp::Node { verb: RowVerb::parse(&verb), node: Box::new(row) })
}

fn service(v: &Json, tenancy: &Tenancy) -> Result<TxnOp, DecodeError> {
    let (mut verb, mut node) = (Str::default(), NodeName::default());
    let mut row = NodeService::default();
    fields(v, "api.ServiceTxnOp", |k, v| match k {
        "verb" => v.set_str(&mut verb),
        "node" => v.set_str(&mut node),
        "service" => {
            row = node_service(v)?;
            row.index.modify = modify_index(v)?;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    row.tenancy = owned(&row.tenancy, tenancy);
    Ok(TxnOp::Service { verb: RowVerb::parse(&verb), node, service: Box::new(row) })
}

fn check(v: &Json, tenancy: &Tenancy) -> Result<TxnOp, DecodeError> {
    let mut verb = Str::default();
    let mut row = HealthCheck::default();
    fields(v, "api.CheckTxnOp", |k, v| match k {
        "verb" => v.set_str(&mut verb),
        "check" => {
            health_check(v, &mut row)?;
            row.index.modify = modify_index(v)?;
            // The type is what was sent: none is made from the definition here.
            row.kind = Str::default();
            lenient_fields(v, "api.HealthCheck", |k, v| match k {
                "type" => v.set_str(&mut row.kind),
                _ => ignore(v),
            })?;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    row.tenancy = owned(&row.tenancy, tenancy);
    Ok(TxnOp::Check { verb: RowVerb::parse(&verb), check: Box::new(row) })
}

fn modify_index(v: &Json) -> Result<u64, DecodeError> {
    let mut index = 0;
    lenient_fields(v, "uint64", |k, v| match k {
        "modifyindex" => v.set_u64(&mut index),
        _ => ignore(v),
    })?;
    Ok(index)
}
