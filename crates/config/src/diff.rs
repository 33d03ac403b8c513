//! What a reload changes, by the settings as they were written.

use crate::{
    merge::{Settings, Value},
    schema::{self, Field, Kind, Rule},
    settings::RuntimeConfig,
};

/// The keys that differ between two configurations.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ReloadReport {
    /// Dotted keys that a reload applies.
    pub applied: Vec<String>,
    /// Dotted keys that take effect only after a restart.
    pub needs_restart: Vec<String>,
}

/// Compares two configurations.
pub fn diff(old: &RuntimeConfig, new: &RuntimeConfig) -> ReloadReport {
    let mut report = ReloadReport::default();
    stanza(&old.written, &new.written, "", schema::TOP, false, &mut report);
    report
}

fn stanza(
    old: &Settings,
    new: &Settings,
    path: &str,
    fields: &[Field],
    reloads: bool,
    report: &mut ReloadReport,
) {
    let empty = Settings::default();
    for field in fields {
        let (a, b) = (old.0.get(field.name), new.0.get(field.name));
        if a == b {
            continue;
        }
        let name = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        let reloads = reloads || field.rule == Rule::Reload;
        let inner = |v: Option<&Value>| match v {
            Some(Value::Map(m)) => Some(m.clone()),
            None => Some(empty.clone()),
            Some(_) => None,
        };
        if let (Kind::Stanza(fields), Some(a), Some(b)) = (field.kind, inner(a), inner(b)) {
            stanza(&a, &b, &name, fields, reloads, report);
        } else if reloads {
            report.applied.push(name);
        } else {
            report.needs_restart.push(name);
        }
    }
}
