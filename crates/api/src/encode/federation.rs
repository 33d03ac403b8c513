//! Mesh gateways of the datacenters.

use super::{
    check_service_nodes,
    writer::{Array, Object, key},
};
use std::sync::Arc;
use types::record::FederationState;

/// `/v1/internal/federation-states`.
pub fn federation_states(out: &mut Vec<u8>, states: &[Arc<FederationState>]) {
    let mut list = Array::open(out);
    for state in states {
        one(list.item(), state);
    }
    list.close();
}

/// `/v1/internal/federation-state/<dc>`.
pub fn federation_state(out: &mut Vec<u8>, state: &FederationState) {
    let mut o = Object::open(out);
    one(o.value(key!("State")), state);
    o.close();
}

/// `/v1/internal/federation-states/mesh-gateways`: those of each datacenter that has some.
pub fn federation_gateways(out: &mut Vec<u8>, states: &[Arc<FederationState>]) {
    let mut o = Object::open(out);
    for state in states.iter().filter(|s| !s.mesh_gateways.is_empty()) {
        check_service_nodes(o.dynamic(&state.datacenter), &state.mesh_gateways);
    }
    o.close();
}

fn one(out: &mut Vec<u8>, state: &FederationState) {
    let mut o = Object::open(out);
    o.str(key!("Datacenter"), &state.datacenter);
    if !state.mesh_gateways.is_empty() {
        check_service_nodes(o.value(key!("MeshGateways")), &state.mesh_gateways);
    }
    o.str(key!("UpdatedAt"), &crate::time::rfc3339(i64::try_from(state.updated_at_ms).unwrap_or(i64::MAX)));
    o.u64(key!("PrimaryModifyIndex"), state.primary_modify_index);
    o.index(state.index);
    o.close();
}
