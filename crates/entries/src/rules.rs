//! The rules by kind.

mod api_gateway;
mod chain;
mod gateway;
mod intention;
mod jwt;
mod mesh;
mod resolver;
mod service;
mod tls;

use crate::{Refusal, pem};
use types::{
    Str,
    entry::{ConfigEntry, EntryBody, MESH_NAME, PROXY_DEFAULTS_NAME},
    record::Map,
    validate::error_list,
};

/// What most rules answer.
pub(crate) type Checked = Result<(), Refusal>;

const META_PAIRS_MAX: usize = 64;
const META_KEY_MAX: usize = 128;
const META_VALUE_MAX: usize = 512;
/// Longest name of an entry, bytes.
const NAME_MAX: usize = 512;

/// `text` in quotes.
pub(crate) fn quote(text: &str) -> String {
    api::decode::quote(text)
}

/// Refuses unless a condition holds.
pub(crate) fn ensure(holds: bool, text: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(text().into()) }
}

/// The list form, when there is something to list.
pub(crate) fn all_of(errors: &[String]) -> Checked {
    if errors.is_empty() { Ok(()) } else { Err(error_list(errors.iter()).into()) }
}

/// Sets names, cases and defaults.
pub(crate) fn normalize(entry: &mut ConfigEntry) {
    match &mut entry.body {
        EntryBody::ServiceDefaults(b) => service::normalize(b),
        EntryBody::ProxyDefaults(_) if entry.name.is_empty() => {
            entry.name = Str::new_static(PROXY_DEFAULTS_NAME);
        }
        EntryBody::Mesh(_) => entry.name = Str::new_static(MESH_NAME),
        EntryBody::ServiceRouter(b) => chain::normalize_router(b),
        EntryBody::ServiceIntentions(b) => intention::normalize(&entry.name, b),
        EntryBody::IngressGateway(b) => gateway::normalize_ingress(b),
        EntryBody::JwtProvider(b) => jwt::normalize(b),
        EntryBody::ApiGateway(b) => api_gateway::normalize_gateway(b),
        EntryBody::HttpRoute(b) => api_gateway::normalize_http_route(b),
        EntryBody::TcpRoute(b) => api_gateway::normalize_tcp_route(b),
        EntryBody::ProxyDefaults(_)
        | EntryBody::ServiceSplitter(_)
        | EntryBody::ServiceResolver(_)
        | EntryBody::TerminatingGateway(_)
        | EntryBody::ExportedServices(_)
        | EntryBody::SamenessGroup(_)
        | EntryBody::BoundApiGateway(_)
        | EntryBody::InlineCertificate(_)
        | EntryBody::FileSystemCertificate(_) => {}
    }
}

/// Looks at an entry that is normal.
pub(crate) fn check(entry: &ConfigEntry) -> Checked {
    let name = &entry.name;
    ensure(name.len() <= NAME_MAX, || format!("Name exceeds maximum length {NAME_MAX}"))?;
    match &entry.body {
        EntryBody::ServiceDefaults(b) => return service::check(name, &entry.meta, b),
        EntryBody::ProxyDefaults(b) => service::check_proxy_defaults(name, b)?,
        EntryBody::Mesh(b) => mesh::check(b)?,
        EntryBody::ServiceResolver(b) => resolver::check(name, b)?,
        EntryBody::ServiceSplitter(b) => chain::check_splitter(name, b)?,
        EntryBody::ServiceRouter(b) => chain::check_router(name, b)?,
        EntryBody::ServiceIntentions(b) => intention::check(name, b)?,
        EntryBody::IngressGateway(b) => gateway::check_ingress(name, b)?,
        EntryBody::TerminatingGateway(b) => gateway::check_terminating(name, b)?,
        EntryBody::ExportedServices(b) => gateway::check_exports(name, b)?,
        EntryBody::SamenessGroup(_) => return Err("sameness-groups are an enterprise-only feature".into()),
        EntryBody::JwtProvider(b) => jwt::check(name, b)?,
        EntryBody::ApiGateway(b) => {
            api_gateway::check_gateway(b)?;
            named(name)?;
        }
        EntryBody::BoundApiGateway(_) => return Err("Permission denied: only writeable by controller".into()),
        EntryBody::HttpRoute(b) => {
            named(name)?;
            api_gateway::check_http_route(b)?;
        }
        EntryBody::TcpRoute(b) => {
            named(name)?;
            api_gateway::check_tcp_route(b)?;
        }
        EntryBody::InlineCertificate(b) => {
            named(name)?;
            pem::check_pair(&b.certificate, &b.private_key)?;
        }
        EntryBody::FileSystemCertificate(_) => named(name)?,
    }
    all_of(&meta(&entry.meta))
}

/// Entries of which there may be many need a name.
fn named(name: &str) -> Checked {
    ensure(!name.is_empty(), || "Name is required".to_owned())
}

/// What is wrong with metadata.
fn meta(meta: &Map) -> Vec<String> {
    let mut out = Vec::new();
    if meta.len() > META_PAIRS_MAX {
        out.push(format!("Meta exceeds maximum element count {META_PAIRS_MAX}"));
    }
    for (k, v) in meta {
        if k.len() > META_KEY_MAX {
            out.push(format!("Meta key {} exceeds maximum length {META_KEY_MAX}", quote(k)));
        }
        if v.len() > META_VALUE_MAX {
            out.push(format!("Meta value for key {} exceeds maximum length {META_VALUE_MAX}", quote(k)));
        }
    }
    out
}

/// Whether `host` is a DNS name of ordinary labels.
pub(crate) fn is_hostname(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    !host.is_empty()
        && host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

/// The HTTP methods that conditions may name.
fn is_http_method(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE")
}

/// Upper-cases methods.
fn upper(methods: &mut [Str]) {
    methods.iter_mut().for_each(|m| *m = Str::from(m.to_uppercase()));
}
