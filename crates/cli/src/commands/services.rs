//! `services register`, `services deregister`.

use super::{Command, Common, Failure, Outcome, Session, definitions::services_in};
use crate::{
    client::{Client, Query},
    flags::{Flag, Kind},
};
use serde_json::{Map, json};
use std::net::IpAddr;

pub(super) static REGISTER: Command = Command {
    path: "services register",
    synopsis: "Create or update services of the local agent",
    usage: "[options] [FILE...]",
    about: "Registers services with the local agent: those that the files define (as agent\n\
            configuration, HCL or JSON), or one made of flags. They last until they are\n\
            deregistered.",
    flags: &[
        Flag::new("name", Kind::Text, "Name of the service."),
        Flag::new("id", Kind::Text, "Id; the name if not given."),
        Flag::new("address", Kind::Text, "Address, without a port; the node's if not given."),
        Flag::new("port", Kind::Int, "Port."),
        Flag::new("socket", Kind::Text, "Unix socket instead of address and port."),
        Flag::new("kind", Kind::Text, "Kind, for gateways and proxies."),
        Flag::new("meta", Kind::Map, "Metadata. May be repeated."),
        Flag::new("tag", Kind::List, "Tag. May be repeated."),
        Flag::new("tagged-address", Kind::Map, "Tagged address, name=address:port. May be repeated."),
    ],
    common: Common::ServerTenancy,
    run: register,
};

pub(super) static DEREGISTER: Command = Command {
    path: "services deregister",
    synopsis: "Deregister services of the local agent",
    usage: "[options] [FILE...]",
    about: "Deregisters the services that the files define, or the one with an id.",
    flags: &[Flag::new("id", Kind::Text, "Id of the service.")],
    common: Common::ServerTenancy,
    run: deregister,
};

/// A service as the API takes it.
pub(super) struct Registration {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) body: Vec<u8>,
}

fn register(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    let (name, id) = (flags.text("name"), flags.text("id"));
    if flags.args.is_empty() && name.is_empty() {
        return Err(Failure::new("Service registration requires at least one argument or flags."));
    }
    if !flags.args.is_empty() && (!name.is_empty() || !id.is_empty()) {
        return Err(Failure::new("Service registration requires arguments or -id, not both."));
    }
    let all = if flags.args.is_empty() { vec![from_flags(session)?] } else { services_in(&flags.args)? };
    let client = session.client()?;
    for service in all {
        send(&client, &service)?;
        session.io.say(format!("Registered service: {}", service.name));
    }
    Ok(())
}

fn send(client: &Client, service: &Registration) -> Outcome {
    let failed = Failure::request(format!("Error registering service {:?}", service.name));
    client
        .put("/v1/agent/service/register", client.scoped(Query::new()), service.body.clone())
        .map_err(failed)?;
    Ok(())
}

fn from_flags(session: &Session<'_, '_>) -> Result<Registration, Failure> {
    let flags = &session.flags;
    let (name, id, address) = (flags.text("name"), flags.text("id"), flags.text("address"));
    if has_port(address) {
        return Err(Failure::new(
            "Invalid Service address when using CLI flags. Use -port flag instead: address should not contain port",
        ));
    }
    let mut tagged = Map::new();
    for (label, place) in flags.map("tagged-address") {
        let (host, port) = split_host_port(place)
            .map_err(|e| Failure::new(format!("Invalid Tagged address: address {place}: {e}")))?;
        tagged.insert(label.to_owned(), json!({ "Address": host, "Port": port }));
    }
    let body = json!({
        "Kind": flags.text("kind"),
        "ID": id,
        "Name": name,
        "Tags": flags.list("tag"),
        "Port": flags.number::<i64>("port").unwrap_or(0),
        "Address": address,
        "SocketPath": flags.text("socket"),
        "TaggedAddresses": tagged,
        "Meta": flags.map("meta"),
    });
    Ok(Registration { name: name.to_owned(), id: id.to_owned(), body: body.to_string().into_bytes() })
}

/// Whether `address` is `host:port` (and not an IPv6 address).
pub(super) fn has_port(address: &str) -> bool {
    address.parse::<IpAddr>().is_err() && split_host_port(address).is_ok()
}

/// `host:port` or `[v6]:port`.
fn split_host_port(place: &str) -> Result<(&str, u16), &'static str> {
    let missing = "missing port in address";
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("missing ']' in address")?;
            (host, after.strip_prefix(':').ok_or(missing)?)
        }
        None => place.rsplit_once(':').ok_or(missing)?,
    };
    if host.contains(':') && !place.starts_with('[') {
        return Err("too many colons in address");
    }
    Ok((host, port.parse().map_err(|_why| "invalid port")?))
}

fn deregister(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    let id = flags.text("id").to_owned();
    if flags.args.is_empty() && id.is_empty() {
        return Err(Failure::new("Service deregistration requires at least one argument or -id."));
    }
    if !flags.args.is_empty() && !id.is_empty() {
        return Err(Failure::new("Service deregistration requires arguments or -id, not both."));
    }
    let all = if flags.args.is_empty() {
        vec![(String::new(), id)]
    } else {
        let found = services_in(&flags.args)?.into_iter();
        found.map(|s| (s.name.clone(), if s.id.is_empty() { s.name } else { s.id })).collect()
    };
    let client = session.client()?;
    for (name, id) in all {
        client
            .put(&format!("/v1/agent/service/deregister/{id}"), client.scoped(Query::new()), "")
            .map_err(Failure::request(format!("Error deregistering service {name:?}")))?;
        session.io.say(format!("Deregistered service: {id}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_a_port_are_told_apart() {
        for with in ["10.0.0.1:80", "db.example:1", "[::1]:80"] {
            assert!(has_port(with), "{with}");
        }
        for without in ["10.0.0.1", "1.2.3", "::1", "fe80::1:80", "db.example", ""] {
            assert!(!has_port(without), "{without}");
        }
        assert_eq!(split_host_port("1.1.1.1"), Err("missing port in address"));
        assert_eq!(split_host_port("[::1]:9"), Ok(("::1", 9)));
    }
}
