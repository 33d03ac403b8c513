//! From a check definition to its row.

use crate::{ProbeKind, duration::go_duration};
use std::time::Duration;
use types::{
    CheckId, NodeName, Str,
    definition::CheckDefinition,
    record::{HealthCheck, NodeService, status::CRITICAL},
};

/// Where a check was written, which decides small things of its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Inside a service.
    Service,
    /// On its own, in a file: its type is not shown.
    File,
    /// On its own, over HTTP.
    Api,
}

/// The row of a check that was never seen before.
pub(crate) fn check_row(
    node: &NodeName,
    c: &CheckDefinition,
    id: Str,
    service: Option<&NodeService>,
    place: Place,
) -> HealthCheck {
    let name = match service {
        Some(s) if place == Place::Service && c.name.is_empty() => {
            Str::from(format!("Service '{}' check", s.service))
        }
        _ => c.name.clone(),
    };
    let duration = |d: Duration| {
        if d.is_zero() && place == Place::Service { Str::default() } else { Str::from(go_duration(d)) }
    };
    let kind = match place {
        Place::File => "",
        _ => ProbeKind::of(c).map_or("", ProbeKind::as_str),
    };
    let mut row = HealthCheck {
        node: node.clone(),
        check_id: CheckId(id),
        name,
        status: if c.status.is_empty() { Str::new_static(CRITICAL) } else { c.status.clone() },
        notes: c.notes.clone(),
        kind: Str::new(kind),
        interval: duration(c.interval),
        timeout: duration(c.timeout),
        tenancy: c.tenancy.clone(),
        ..HealthCheck::default()
    };
    if let Some(s) = service {
        attach(&mut row, s);
    }
    row
}

/// Copies what a check's row shows of its service.
pub(crate) fn attach(row: &mut HealthCheck, s: &NodeService) {
    row.service_id = s.id.clone();
    row.service_name = s.service.clone();
    row.service_tags = s.tags.clone().unwrap_or_default();
    row.tenancy = s.tenancy.clone();
}
