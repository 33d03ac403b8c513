//! Services, checks and watches of files.

use super::{ConfigError, Reader, reader::invalid_duration, rule};
use crate::{
    decode,
    merge::{Settings, Value},
    settings::{RuntimeConfig, WatchDefinition},
    text::{self, Format},
};
use std::{collections::BTreeMap, time::Duration};
use types::{
    Opaque, SecretToken, Str,
    definition::{CheckDefinition, ServiceDefinition},
    record::{
        ExposeConfig, ExposePath, Locality, MeshGatewayConfig, ServiceAddress, ServiceProxy,
        TransparentProxy, Upstream, Weights,
    },
    validate::{self, Violation},
};

/// Output that a check keeps when its definition does not say.
const OUTPUT_MAX_SIZE: i64 = 4096;

/// One block, read with its errors collected in one place.
struct Block<'a> {
    s: &'a Settings,
    errors: &'a dyn Fn(String),
}

impl<'a> Block<'a> {
    fn get(&self, path: &str) -> Option<&'a Value> {
        self.s.get(path)
    }
    fn inner(&self, path: &str) -> Option<Self> {
        match self.get(path) {
            Some(Value::Map(s)) => Some(Block { s, errors: self.errors }),
            _ => None,
        }
    }
    fn list(&self, path: &str) -> Vec<Self> {
        match self.get(path) {
            Some(Value::List(l)) => blocks(l, self.errors),
            _ => Vec::new(),
        }
    }
    fn text(&self, path: &str) -> Str {
        match self.get(path) {
            Some(Value::Text(s)) => s.clone(),
            _ => Str::default(),
        }
    }
    fn int(&self, path: &str) -> i64 {
        match self.get(path) {
            Some(Value::Int(n)) => *n,
            _ => 0,
        }
    }
    fn bool(&self, path: &str) -> bool {
        matches!(self.get(path), Some(Value::Bool(true)))
    }
    fn texts(&self, path: &str) -> Option<Vec<Str>> {
        match self.get(path) {
            Some(Value::List(l)) => Some(texts(l)),
            _ => None,
        }
    }
    fn text_map(&self, path: &str) -> Option<BTreeMap<Str, Str>> {
        let Some(Value::Map(m)) = self.get(path) else { return None };
        let text = |v: &Value| if let Value::Text(s) = v { Some(s.clone()) } else { None };
        Some(m.0.iter().filter_map(|(k, v)| Some((k.clone(), text(v)?))).collect())
    }
    fn any(&self, path: &str) -> Option<Opaque> {
        match self.get(path) {
            Some(Value::Any(v)) => Some(Opaque::from_json(v)),
            _ => None,
        }
    }
    fn duration(&self, name: &str) -> Duration {
        let Some(Value::Text(s)) = self.get(name) else { return Duration::ZERO };
        api::duration::parse(s).unwrap_or_else(|e| {
            (self.errors)(invalid_duration(&format!("check[].{name}"), s, &e));
            Duration::ZERO
        })
    }
    fn noted(&self, result: Result<(), Violation>) {
        if let Err(e) = result {
            (self.errors)(e.to_string());
        }
    }
}

fn blocks<'a>(list: &'a [Value], errors: &'a dyn Fn(String)) -> Vec<Block<'a>> {
    list.iter().filter_map(|v| if let Value::Map(s) = v { Some(Block { s, errors }) } else { None }).collect()
}

fn texts(list: &[Value]) -> Vec<Str> {
    list.iter().filter_map(|v| if let Value::Text(s) = v { Some(s.clone()) } else { None }).collect()
}

fn check(b: &Block<'_>) -> CheckDefinition {
    let header = match b.get("header") {
        Some(Value::Map(m)) => {
            let list = |v: &Value| if let Value::List(l) = v { texts(l) } else { Vec::new() };
            m.0.iter().map(|(k, v)| (k.clone(), list(v))).collect()
        }
        _ => BTreeMap::new(),
    };
    let failures_before_critical = b.int("failures_before_critical");
    let or = |key: &str, default: i64| if b.get(key).is_some() { b.int(key) } else { default };
    CheckDefinition {
        id: b.text("id"),
        name: b.text("name"),
        service_id: b.text("service_id"),
        notes: b.text("notes"),
        status: b.text("status"),
        token: SecretToken::new(b.text("token")),
        script_args: b.texts("args").unwrap_or_default(),
        http: b.text("http"),
        header,
        method: b.text("method"),
        body: b.text("body"),
        disable_redirects: b.bool("disable_redirects"),
        tcp: b.text("tcp"),
        tcp_use_tls: b.bool("tcp_use_tls"),
        udp: b.text("udp"),
        h2ping: b.text("h2ping"),
        h2ping_use_tls: match b.get("h2ping_use_tls") {
            Some(Value::Bool(v)) => Some(*v),
            _ => None,
        },
        os_service: b.text("os_service"),
        interval: b.duration("interval"),
        timeout: b.duration("timeout"),
        ttl: b.duration("ttl"),
        docker_container_id: b.text("docker_container_id"),
        shell: b.text("shell"),
        grpc: b.text("grpc"),
        grpc_use_tls: b.bool("grpc_use_tls"),
        tls_server_name: b.text("tls_server_name"),
        tls_skip_verify: b.bool("tls_skip_verify"),
        alias_node: b.text("alias_node"),
        alias_service: b.text("alias_service"),
        success_before_passing: b.int("success_before_passing"),
        failures_before_warning: or("failures_before_warning", failures_before_critical),
        failures_before_critical,
        deregister_critical_service_after: b.duration("deregister_critical_service_after"),
        output_max_size: or("output_max_size", OUTPUT_MAX_SIZE),
        ..CheckDefinition::default()
    }
}

/// `None` for the mode that is written as nothing.
fn mesh_gateway(b: &Block<'_>) -> MeshGatewayConfig {
    let mode = b.text("mesh_gateway.mode");
    b.noted(validate::mesh_gateway_mode(&mode));
    MeshGatewayConfig { mode }
}

fn upstream(b: &Block<'_>) -> Upstream {
    let socket_mode = b.text("local_bind_socket_mode");
    b.noted(validate::socket_mode(&socket_mode));
    let destination_type = b.text("destination_type");
    Upstream {
        destination_type: if destination_type.is_empty() {
            Str::new_static("service")
        } else {
            destination_type
        },
        destination_namespace: b.text("destination_namespace"),
        destination_partition: b.text("destination_partition"),
        destination_peer: b.text("destination_peer"),
        destination_name: b.text("destination_name"),
        datacenter: b.text("datacenter"),
        local_bind_address: b.text("local_bind_address"),
        local_bind_port: b.int("local_bind_port"),
        local_bind_socket_path: b.text("local_bind_socket_path"),
        local_bind_socket_mode: socket_mode,
        config: b.any("config"),
        mesh_gateway: mesh_gateway(b),
        centrally_configured: false,
    }
}

fn proxy(b: &Block<'_>) -> ServiceProxy {
    let mode = b.text("mode");
    b.noted(validate::proxy_mode(&mode));
    let paths = b.list("expose.paths");
    let paths = paths.iter().map(|p| ExposePath {
        listener_port: p.int("listener_port"),
        path: p.text("path"),
        local_path_port: p.int("local_path_port"),
        protocol: p.text("protocol"),
        parsed_from_check: false,
    });
    let transparent = TransparentProxy {
        outbound_listener_port: b.int("transparent_proxy.outbound_listener_port"),
        dialed_directly: b.bool("transparent_proxy.dialed_directly"),
    };
    let id = b.text("destination_service_id");
    let mut local_service_address = b.text("local_service_address");
    if local_service_address.is_empty() && !id.is_empty() {
        local_service_address = Str::new_static("127.0.0.1");
    }
    ServiceProxy {
        destination_service_name: b.text("destination_service_name"),
        destination_service_id: id,
        local_service_address,
        local_service_port: b.int("local_service_port"),
        local_service_socket_path: b.text("local_service_socket_path"),
        mode,
        config: b.any("config"),
        upstreams: b.list("upstreams").iter().map(upstream).collect(),
        mesh_gateway: mesh_gateway(b),
        expose: ExposeConfig { checks: b.bool("expose.checks"), paths: paths.collect() },
        transparent_proxy: (transparent != TransparentProxy::default()).then_some(transparent),
        ..ServiceProxy::default()
    }
}

fn service(b: &Block<'_>) -> ServiceDefinition {
    let name = b.text("name");
    let kind = b.text("kind");
    let meta = b.text_map("meta");
    if let Some(meta) = &meta
        && let Err(e) = validate::metadata(meta, kind == "mesh-gateway")
    {
        (b.errors)(format!("invalid meta for service {name}: {e}"));
    }
    let weights = b.inner("weights").map(|w| {
        let or_one = |key: &str| if w.get(key).is_some() { w.int(key) } else { 1 };
        Weights { passing: or_one("passing"), warning: or_one("warning") }
    });
    if let Some(Err(e)) = weights.as_ref().map(validate::weights) {
        (b.errors)(format!("Invalid weight definition for service {name}: {e}"));
    }
    let (address, port, socket_path) = (b.text("address"), b.int("port"), b.text("socket_path"));
    if !socket_path.is_empty() && (port != 0 || !address.is_empty()) {
        (b.errors)(format!("service {name} cannot have both socket path {socket_path} and address/port"));
    }
    // The list first, then the single block.
    let mut checks: Vec<CheckDefinition> = b.list("checks").iter().map(check).collect();
    checks.extend(b.inner("check").iter().map(check));
    let tagged_addresses = b.inner("tagged_addresses").map(|t| {
        let of = |a: &Block<'_>| ServiceAddress { address: a.text("address"), port: a.int("port") };
        t.s.0.keys().filter_map(|k| Some((k.clone(), of(&t.named(k)?)))).collect()
    });
    ServiceDefinition {
        kind,
        id: b.text("id"),
        tags: b.texts("tags"),
        tagged_addresses,
        meta,
        weights,
        enable_tag_override: b.bool("enable_tag_override"),
        token: SecretToken::new(b.text("token")),
        checks,
        locality: b.inner("locality").map(|l| Locality { region: l.text("region"), zone: l.text("zone") }),
        proxy: b.inner("proxy").map(|p| Box::new(proxy(&p))),
        native: b.bool("connect.native"),
        sidecar: b.inner("connect.sidecar_service").map(|s| Box::new(sidecar(&s))),
        name,
        address,
        port,
        socket_path,
        ..ServiceDefinition::default()
    }
}

fn sidecar(b: &Block<'_>) -> ServiceDefinition {
    if !b.text("id").is_empty() {
        (b.errors)("sidecar_service can't specify an ID".to_owned());
    }
    if b.inner("connect.sidecar_service").is_some() {
        (b.errors)("sidecar_service can't have a nested sidecar_service".to_owned());
        let mut flat = b.s.clone();
        flat.take("connect");
        return service(&Block { s: &flat, errors: b.errors });
    }
    service(b)
}

impl<'a> Block<'a> {
    /// The block under a key that may hold dots.
    fn named(&self, key: &str) -> Option<Self> {
        match self.s.0.get(key) {
            Some(Value::Map(s)) => Some(Block { s, errors: self.errors }),
            _ => None,
        }
    }
}

pub(super) fn services(r: &Reader<'_>) -> Vec<ServiceDefinition> {
    let Some(Value::List(list)) = r.get("services") else { return Vec::new() };
    blocks(list, &|e| r.error(e)).iter().map(service).collect()
}

pub(super) fn checks(r: &Reader<'_>) -> Vec<CheckDefinition> {
    let Some(Value::List(list)) = r.get("checks") else { return Vec::new() };
    blocks(list, &|e| r.error(e)).iter().map(check).collect()
}

pub(super) fn watches(r: &Reader<'_>) -> Vec<WatchDefinition> {
    let Some(Value::List(list)) = r.get("watches") else { return Vec::new() };
    list.iter()
        .filter_map(|v| match v {
            Value::Any(serde_json::Value::Object(o)) => Some(WatchDefinition(o.clone())),
            _ => None,
        })
        .collect()
}

/// The rules of definitions: of a service with `kind` and of all checks; a sidecar block is not looked at here.
pub(super) fn validate(c: &RuntimeConfig) -> Result<(), ConfigError> {
    for s in &c.services {
        validate_service(s).map_err(rule)?;
    }
    for check in &c.checks {
        validate::check(check).map_err(|e| rule(format!("check {}: {e}", crate::quote(&check.name))))?;
    }
    Ok(())
}

fn validate_service(s: &ServiceDefinition) -> Result<(), String> {
    let name = crate::quote(&s.name);
    if !s.kind.is_empty() {
        validate::definition(s).map_err(|e| format!("service {name}: {e}"))?;
    }
    for check in &s.checks {
        validate::check(check)
            .map_err(|e| format!("service {name}: check {}: {e}", crate::quote(&check.name)))?;
    }
    Ok(())
}

/// Why a file of definitions is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ServiceFileError {
    /// Not a text of its format.
    #[error("{0}")]
    Syntax(text::SyntaxError),
    /// Wrong types or unknown keys.
    #[error("{0}")]
    Decode(decode::DecodeError),
    /// Bad values, all of them.
    #[error("{}", types::validate::error_list(.0.iter()))]
    Values(Vec<String>),
}

/// The services of a file, as `services register` reads it: other keys of a configuration are allowed and ignored.
///
/// # Errors
/// [`ServiceFileError`].
pub fn parse_service_file(text: &str, format: Format) -> Result<Vec<ServiceDefinition>, ServiceFileError> {
    let root = text::read(text, format).map_err(ServiceFileError::Syntax)?;
    let mut settings = decode::decode(&root).map_err(ServiceFileError::Decode)?.settings;
    crate::deprecated::rewrite(&mut settings, &mut Vec::new());
    let r = Reader::new(&settings);
    let list = services(&r);
    let mut errors = r.take_errors();
    errors.extend(list.iter().filter_map(|s| validate_service(s).err()));
    if errors.is_empty() { Ok(list) } else { Err(ServiceFileError::Values(errors)) }
}
