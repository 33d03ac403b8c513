mod model;
mod persistence;
mod planning;
mod registering;
mod results;

use crate::{Key, NodeIdentity, Registry, ScriptPermission, Settings, Source};
use std::time::Duration;
use types::{
    SecretToken,
    definition::{CheckDefinition, ServiceDefinition},
};

pub(crate) fn registry() -> Registry {
    Registry::new(Settings {
        node: NodeIdentity {
            id: "a0".into(),
            name: "n1".into(),
            datacenter: "dc1".into(),
            address: "10.0.0.1".into(),
            ..NodeIdentity::default()
        },
        scripts: ScriptPermission::All,
        output_max_size: 4096,
        update_interval: Duration::from_secs(300),
        discard_output: false,
        sidecar_ports: Some(21000..=21255),
    })
}

pub(crate) fn service(id: &str, name: &str) -> ServiceDefinition {
    ServiceDefinition { id: id.into(), name: name.into(), ..ServiceDefinition::default() }
}

pub(crate) fn ttl(id: &str) -> CheckDefinition {
    CheckDefinition {
        id: id.into(),
        name: id.into(),
        ttl: Duration::from_secs(60),
        ..CheckDefinition::default()
    }
}

pub(crate) fn put(r: &mut Registry, d: &ServiceDefinition) -> crate::Change {
    r.register_service(d, Source::Api, false, &SecretToken::default(), 0).unwrap()
}

pub(crate) fn key(id: &str) -> Key {
    Key::from(id)
}
