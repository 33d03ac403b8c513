//! Bodies of `/v1/partition` and `/v1/namespace`.

use crate::decode::{DecodeError, fields, first_value, ignore, opaque, str_map};
use types::record::{Namespace, Partition};

/// A partition.
///
/// # Errors
/// What is wrong with the body.
pub fn partition(body: &[u8]) -> Result<Partition, DecodeError> {
    let mut p = Partition::default();
    fields(&first_value(body)?, "api.Partition", |k, v| match k {
        "name" => v.set_str(&mut p.name),
        "description" => v.set_str(&mut p.description),
        "disablegossip" | "deletedat" | "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    Ok(p)
}

/// A namespace.
///
/// # Errors
/// What is wrong with the body.
pub fn namespace(body: &[u8]) -> Result<Namespace, DecodeError> {
    let mut n = Namespace::default();
    fields(&first_value(body)?, "api.Namespace", |k, v| match k {
        "name" => v.set_str(&mut n.name),
        "description" => v.set_str(&mut n.description),
        "meta" => str_map(v).map(|m| n.meta = m).map(|()| true),
        "acls" => opaque(v).map(|a| n.acls = a).map(|()| true),
        "partition" => v.set_str(&mut n.partition),
        "deletedat" | "createindex" | "modifyindex" => ignore(v),
        _ => Ok(false),
    })?;
    Ok(n)
}
