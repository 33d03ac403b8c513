//! A registration: everything is decided before anything is touched, so that a refused one leaves no trace.

use super::{edit::Edit, tables::RowKey};
use crate::scope::Scope;
use types::{
    CheckId, Str, Tenancy,
    command::Register,
    names::fold,
    record::{HealthCheck, Node, NodeService, status},
    validate,
};

/// Applies a registration.
///
/// # Errors
/// The text of what is wrong with it; nothing was changed.
pub(crate) fn register(edit: &mut Edit<'_>, request: &Register) -> Result<(), Str> {
    if request.node.is_empty() {
        return Err("Must provide node".into());
    }
    if request.address.is_empty() && !request.skip_node_update {
        return Err("Must provide address if SkipNodeUpdate is not set".into());
    }
    if !request.id.is_empty() && !is_uuid(&request.id) {
        return Err(Str::from(format!("Bad node ID: {:?} is not a UUID", request.id.as_str())));
    }
    let nodes = Scope { tenancy: request.tenancy.node_scope(), peer: request.peer.clone() };
    let service = request.service.as_deref().map(|s| prepare_service(request, s)).transpose()?;
    let checks = request.checks.iter().map(|c| prepare_check(request, c)).collect::<Result<Vec<_>, _>>()?;

    let node = Node {
        id: request.id.clone(),
        name: request.node.clone(),
        address: request.address.clone(),
        datacenter: request.datacenter.clone(),
        tenancy: nodes.tenancy.clone(),
        peer: request.peer.clone(),
        tagged_addresses: request.tagged_addresses.clone(),
        meta: request.node_meta.clone(),
        locality: request.locality.clone(),
        index: Default::default(),
    };
    let key = node.name.folded();
    let plan = edit.plan_node(&nodes, node, request.skip_node_update)?;
    let row = edit.row(&nodes, plan.rows_from(&key));
    let new_service = service.as_ref().map(|s| RowKey::new(&s.tenancy, &s.id));
    for check in checks.iter().filter(|c| !c.service_id.is_empty()) {
        let wanted = RowKey::new(&check.tenancy, &check.service_id);
        if new_service.as_ref() != Some(&wanted) && row.is_none_or(|r| !r.services.contains_key(&wanted)) {
            return Err(Str::from(format!(
                "Unknown service ID '{}' for check ID '{}'",
                check.service_id, check.check_id
            )));
        }
    }

    edit.carry_out(&nodes, plan);
    if let Some(service) = service {
        edit.write_service(&nodes, &key, service);
    }
    for check in checks {
        edit.write_check(&nodes, &key, check);
    }
    Ok(())
}

fn prepare_service(request: &Register, given: &NodeService) -> Result<NodeService, Str> {
    if given.service.is_empty() {
        return Err(if given.id.is_empty() {
            "Must provide service name (Service.Service)".into()
        } else {
            "Must provide service name (Service.Service) when service ID is provided".into()
        });
    }
    let text = |e: &dyn std::fmt::Display| Str::from(e.to_string());
    validate::service_address(&given.address).map_err(|e| text(&e))?;
    validate::node_service(given).map_err(|e| text(&e))?;
    let mut service = given.clone();
    if service.id.is_empty() {
        service.id = service.service.0.clone().into();
    }
    service.tenancy = row_tenancy(request, &given.tenancy);
    service.peer = request.peer.clone();
    Ok(service)
}

fn prepare_check(request: &Register, given: &HealthCheck) -> Result<HealthCheck, Str> {
    let mut check = given.clone();
    if check.check_id.is_empty() {
        check.check_id = CheckId(check.name.clone());
    }
    if check.check_id.is_empty() {
        return Err("Must provide check ID or name".into());
    }
    if !check.node.is_empty() && fold(&check.node) != fold(&request.node) {
        return Err(Str::from(format!(
            "Node '{}' for check '{}' doesn't match register request node '{}'",
            check.node, check.check_id, request.node
        )));
    }
    if check.status.is_empty() {
        check.status = status::CRITICAL.into();
    }
    check.tenancy = if check.service_id.is_empty() && given.tenancy.namespace() == "default" {
        request.tenancy.node_scope()
    } else {
        row_tenancy(request, &given.tenancy)
    };
    check.peer = request.peer.clone();
    Ok(check)
}

/// A row lives in the partition of its node, and in the namespace of the request unless it names its own.
pub(crate) fn row_tenancy(request: &Register, given: &Tenancy) -> Tenancy {
    if given.namespace() == "default" || *given == request.tenancy {
        request.tenancy.clone()
    } else {
        Tenancy::new(request.tenancy.partition(), given.namespace())
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}
