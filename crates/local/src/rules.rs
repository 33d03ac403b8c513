//! What a registration over HTTP must keep, in the order and with the prefixes that clients see.

use crate::LocalError;
use types::{
    Str,
    definition::{CheckDefinition, ServiceDefinition},
    record::ServiceKind,
    validate,
};

fn bad(prefix: &str, e: impl std::fmt::Display) -> LocalError {
    LocalError::BadRequest(Str::from(format!("{prefix}{e}")))
}

/// The rules of `PUT /v1/agent/service/register` that need no knowledge of what else is registered.
///
/// # Errors
/// The first broken rule, always [`LocalError::BadRequest`].
pub fn service_request(d: &ServiceDefinition) -> Result<(), LocalError> {
    if d.name.is_empty() {
        return Err(bad("", "Missing service name"));
    }
    validate::service_address(&d.address).map_err(|e| bad("", e))?;
    if let Some(w) = &d.weights {
        validate::weights(w).map_err(|e| bad("Invalid Weights: ", e))?;
    }
    if let Some(m) = &d.meta {
        let gateway = ServiceKind::parse(&d.kind) == ServiceKind::MeshGateway;
        validate::metadata(m, gateway).map_err(|e| bad("Invalid Service Meta: ", e))?;
    }
    validate::definition(d).map_err(|e| bad("Validation failed: ", e))?;
    nested_checks(&d.checks, "Invalid check: ")?;
    if let Some(sidecar) = &d.sidecar {
        nested_checks(&sidecar.checks, "Invalid check in sidecar_service: ")?;
        if let Some(m) = &sidecar.meta {
            validate::metadata(m, false).map_err(|e| bad("Invalid SidecarService: ", e))?;
        }
    }
    Ok(())
}

fn nested_checks(checks: &[CheckDefinition], prefix: &str) -> Result<(), LocalError> {
    for c in checks {
        validate::check(c).map_err(|e| bad(prefix, e))?;
    }
    for c in checks {
        validate::registration_status(&c.status)
            .map_err(|_status| bad("", "Status for checks must 'passing', 'warning', 'critical'"))?;
    }
    Ok(())
}

/// The rules of `PUT /v1/agent/check/register` that need no knowledge of what else is registered.
///
/// # Errors
/// The first broken rule, always [`LocalError::BadRequest`].
pub fn check_request(c: &CheckDefinition) -> Result<(), LocalError> {
    if c.name.is_empty() {
        return Err(bad("", "Missing check name"));
    }
    validate::registration_status(&c.status).map_err(|e| bad("", e))?;
    validate::check(c).map_err(|e| bad("Invalid check: ", e))
}
