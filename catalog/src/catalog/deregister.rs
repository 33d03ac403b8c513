//! A removal from the catalog.

use super::{edit::Edit, tables::RowKey};
use crate::scope::Scope;
use types::{Str, command::Deregister};

/// Removes an instance with its checks, else a check, else the node with everything. What is missing already is fine.
///
/// # Errors
/// The text of what is wrong with it; nothing was changed.
pub(crate) fn deregister(edit: &mut Edit<'_>, request: &Deregister) -> Result<(), Str> {
    if request.node.is_empty() {
        return Err("Must provide node".into());
    }
    let nodes = Scope { tenancy: request.tenancy.node_scope(), peer: request.peer.clone() };
    let node = request.node.folded();
    if !request.service_id.is_empty() {
        edit.remove_service(&nodes, &node, &RowKey::new(&request.tenancy, &request.service_id));
    } else if !request.check_id.is_empty() {
        edit.remove_check(&nodes, &node, &RowKey::new(&request.tenancy, &request.check_id));
    } else {
        edit.remove_node(&nodes, &node);
    }
    Ok(())
}
