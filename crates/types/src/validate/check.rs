//! Rules of check definitions.

use super::Violation;
use crate::{
    definition::CheckDefinition,
    names::Str,
    record::status::{CRITICAL, PASSING, WARNING},
};

/// Whether the probes, intervals and limits of a definition go together.
///
/// # Errors
/// The first broken rule, one of the `Check…` variants of [`Violation`].
pub fn check(c: &CheckDefinition) -> Result<(), Violation> {
    let probed = !c.script_args.is_empty()
        || [&c.http, &c.tcp, &c.udp, &c.grpc, &c.h2ping, &c.os_service].iter().any(|s| !s.is_empty());
    let alias = !c.alias_node.is_empty() || !c.alias_service.is_empty();
    if !c.interval.is_zero() && !c.ttl.is_zero() {
        return Err(Violation::CheckIntervalAndTtl);
    }
    if probed && c.interval.is_zero() {
        return Err(Violation::CheckInterval);
    }
    // A bare interval beside an alias is accepted and means nothing.
    if probed && alias {
        return Err(Violation::CheckAliasInterval);
    }
    if alias && !c.ttl.is_zero() {
        return Err(Violation::CheckAliasTtl);
    }
    if !probed && !alias && c.ttl.is_zero() {
        return Err(Violation::CheckTtl);
    }
    if c.output_max_size < 0 {
        return Err(Violation::CheckOutputMaxSize);
    }
    if c.failures_before_warning > c.failures_before_critical {
        return Err(Violation::CheckFailures);
    }
    Ok(())
}

fn is_status(s: &str) -> bool {
    matches!(s, PASSING | WARNING | CRITICAL)
}

/// The initial status of a check registered over HTTP: one of the three words, or `""` for the default.
///
/// # Errors
/// [`Violation::CheckStatus`].
pub fn registration_status(status: &str) -> Result<(), Violation> {
    if status.is_empty() || is_status(status) { Ok(()) } else { Err(Violation::CheckStatus) }
}

/// The status that a TTL update carries.
///
/// # Errors
/// [`Violation::CheckUpdateStatus`].
pub fn update_status(status: &str) -> Result<(), Violation> {
    if is_status(status) { Ok(()) } else { Err(Violation::CheckUpdateStatus(Str::new(status))) }
}
