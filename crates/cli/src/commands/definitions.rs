//! Services out of configuration files.

use super::{
    Failure,
    services::{Registration, has_port},
};
use config::{load::read_paths, parse_service_file};
use types::definition::ServiceDefinition;

/// The services that `files` define, in order. Nothing is answered if one of them cannot be read.
pub(super) fn services_in(files: &[String]) -> Result<Vec<Registration>, Failure> {
    let error = |e: String| Failure::new(format!("Error: {e}"));
    let (texts, _skipped) = read_paths(files, None).map_err(|e| error(e.to_string()))?;
    let mut out = Vec::new();
    for file in texts {
        let found = parse_service_file(&file.text, file.format)
            .map_err(|e| error(format!("failed to parse {}: {e}", file.name)))?;
        for service in found {
            out.push(registration(&service)?);
        }
    }
    Ok(out)
}

fn registration(service: &ServiceDefinition) -> Result<Registration, Failure> {
    if has_port(&service.address) {
        return Err(Failure::new(format!(
            "Invalid Service address for service '{}'. Use port field instead: address should not contain port",
            service.name
        )));
    }
    let mut body = Vec::new();
    api::encode::service_definition(&mut body, service);
    Ok(Registration { name: service.name.to_string(), id: service.id.to_string(), body })
}
