//! `config_entries.bootstrap`: entries that a leader creates. What is wrong with one alone is said at start.

use super::{ConfigError, Reader, rule};
use crate::merge::Value;
use serde_json::Value as Json;

pub(super) fn bootstrap(r: &Reader<'_>) -> Result<Vec<Json>, ConfigError> {
    let Some(Value::List(list)) = r.get("config_entries.bootstrap") else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for (i, entry) in list.iter().enumerate() {
        let Value::Any(entry @ Json::Object(_)) = entry else { continue };
        entries::read(entry).map_err(|e| rule(format!("config_entries.bootstrap[{i}]: {e}")))?;
        out.push(entry.clone());
    }
    Ok(out)
}
