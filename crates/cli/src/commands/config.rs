//! `config write`, `read`, `list` and `delete`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    text::{argument_or_file, quote},
};
use ::config::text::Format;
use serde_json::Value;
use types::{
    Str,
    entry::{ConfigEntry, EntryKind},
};

const NAME: Flag = Flag::new("name", Kind::Text, "Name of the entry.");
const KIND: Flag = Flag::new("kind", Kind::Text, "Kind of the entry, such as service-defaults.");
const MODIFY_INDEX: Flag = Flag::new("modify-index", Kind::Uint, "The index that -cas compares.");

pub(super) static WRITE: Command = Command {
    path: "config write",
    synopsis: "Create or update a configuration entry",
    usage: "[options] FILE",
    about: "Writes the configuration entry in FILE, or on stdin if FILE is -. It is HCL or\nJSON, with keys like ServiceSubset or service_subset.",
    flags: &[
        Flag::new(
            "cas",
            Kind::Bool,
            "Write only if the entry has the -modify-index given (0: does not exist).",
        ),
        MODIFY_INDEX,
    ],
    common: Common::ServerTenancy,
    run: write,
};

pub(super) static READ: Command = Command {
    path: "config read",
    synopsis: "Read a configuration entry",
    usage: "[options] -kind <kind> -name <name>",
    about: "Shows a configuration entry as JSON.",
    flags: &[KIND, NAME],
    common: Common::ServerTenancy,
    run: read,
};

pub(super) static LIST: Command = Command {
    path: "config list",
    synopsis: "List configuration entries of a kind",
    usage: "[options] -kind <kind>",
    about: "Shows the names of all configuration entries of a kind.",
    flags: &[KIND, Flag::new("filter", Kind::Text, "Show only entries that this expression matches.")],
    common: Common::ServerTenancy,
    run: list,
};

pub(super) static DELETE: Command = Command {
    path: "config delete",
    synopsis: "Delete a configuration entry",
    usage: "[options] ([-kind <kind> -name <name>] | [-filename FILE])",
    about: "Deletes a configuration entry, named by its kind and name or by a file that\nholds it. It is no mistake if there is none.",
    flags: &[
        KIND,
        NAME,
        Flag::new("filename", Kind::Text, "File that holds the entry to delete."),
        Flag::new("cas", Kind::Bool, "Delete only if the entry has the -modify-index given."),
        MODIFY_INDEX,
    ],
    common: Common::ServerTenancy,
    run: delete,
};

/// The entry of a file or of stdin.
fn load(arg: &str, session: &mut Session<'_, '_>) -> Result<ConfigEntry, Failure> {
    let source = if arg == "-" { arg.to_owned() } else { format!("@{arg}") };
    let text = argument_or_file(&source, session.io)
        .map_err(|e| Failure::new(format!("Failed to load data: {e}")))?;
    let refuse = |why: String| Failure::new(format!("Failed to decode config entry input: {why}"));
    let text = String::from_utf8_lossy(&text);
    let value = ::config::free_value(&text, Format::Hcl).map_err(|e| refuse(e.to_string()))?;
    api::entry::decode(&value).map_err(|e| refuse(e.to_string()))
}

/// `kind/name`
fn label(entry: &ConfigEntry) -> String {
    format!("{}/{}", entry.kind(), api::entry::shown_name(entry))
}

fn write(session: &mut Session<'_, '_>) -> Outcome {
    let [file] = session.flags.args.as_slice() else {
        return Err(Failure::new(
            "Must provide exactly one positional argument to specify the config entry to write",
        ));
    };
    let file = file.clone();
    let entry = load(&file, session)?;
    let mut body = Vec::new();
    api::entry::encode(&mut body, &entry);
    let flags = &session.flags;
    let mut query = Query::new();
    if flags.bool("cas") {
        query = query.with("cas", flags.number::<u64>("modify-index").unwrap_or(0).to_string());
    }
    let label = label(&entry);
    let client = session.client()?;
    let answer = client
        .put("/v1/config", client.scoped(query), body)
        .map_err(Failure::request(format!("Error writing config entry {label}")))?;
    if answer.text() != "true" {
        return Err(Failure::new(format!("Config entry not updated: {label}")));
    }
    session.io.say(format!("Config entry written: {label}"));
    if is_permissive(&entry) {
        session.io.warn(
            "WARNING: MutualTLSMode=permissive lets services accept unencrypted connections from anyone who can reach them.",
        );
    }
    Ok(())
}

fn is_permissive(entry: &ConfigEntry) -> bool {
    use types::entry::EntryBody;
    match &entry.body {
        EntryBody::ServiceDefaults(b) => b.mutual_tls_mode == "permissive",
        EntryBody::ProxyDefaults(b) => b.mutual_tls_mode == "permissive",
        EntryBody::Mesh(b) => b.allow_enabling_permissive_mutual_tls,
        _ => false,
    }
}

/// `-kind` and `-name`, of which neither may be missing.
fn named(session: &Session<'_, '_>) -> Result<(String, String), Failure> {
    let (kind, name) = (session.flags.text("kind"), session.flags.text("name"));
    if kind.is_empty() {
        return Err(Failure::new("Must specify the -kind parameter"));
    }
    if name.is_empty() {
        return Err(Failure::new("Must specify the -name parameter"));
    }
    Ok((kind.to_owned(), name.to_owned()))
}

/// Path of an entry.
fn path(kind: &str, name: &str) -> String {
    format!("/v1/config/{kind}/{name}")
}

fn read(session: &mut Session<'_, '_>) -> Outcome {
    let (kind, name) = named(session)?;
    let what = format!("Error reading config entry {kind}/{name}");
    if EntryKind::parse(&kind).is_none() {
        // No agent need be asked for that.
        return Err(Failure::new(format!("{what}: invalid config entry kind: {kind}")));
    }
    let client = session.client()?;
    let answer =
        client.get(&path(&kind, &name), client.scoped(Query::new())).map_err(Failure::request(&what))?;
    let mut entry: Value = answer.json().map_err(Failure::request(&what))?;
    if let Some(fields) = entry.as_object_mut() {
        // A detail of the servers.
        fields.remove("Hash");
    }
    session.io.put(&api::encode::pretty(entry.to_string().as_bytes()));
    Ok(())
}

fn list(session: &mut Session<'_, '_>) -> Outcome {
    let kind = session.flags.text("kind").to_owned();
    if kind.is_empty() {
        return Err(Failure::new("Must specify the -kind parameter"));
    }
    let what = format!("Error listing config entries for kind {}", quote(&kind));
    let query = Query::new().with_some("filter", session.flags.text("filter"));
    let client = session.client()?;
    let answer =
        client.get(&format!("/v1/config/{kind}"), client.scoped(query)).map_err(Failure::request(&what))?;
    let entries: Vec<Value> = answer.json().map_err(Failure::request(&what))?;
    for entry in entries {
        let name = entry
            .get("Name")
            .and_then(Value::as_str)
            .map_or_else(|| Str::new_static(types::entry::MESH_NAME), Str::new);
        session.io.say(name);
    }
    Ok(())
}

fn delete(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    let (kind, name, file) = (flags.text("kind"), flags.text("name"), flags.text("filename").to_owned());
    if file.is_empty() && kind.is_empty() {
        return Err(Failure::new("Must specify the -kind or -filename parameter"));
    }
    if !file.is_empty() && (!kind.is_empty() || !name.is_empty()) {
        return Err(Failure::new("filename can't be used with kind or name"));
    }
    let cas = flags.bool("cas");
    let index = flags.number::<u64>("modify-index").unwrap_or(0);
    if cas && index == 0 {
        return Err(Failure::new("Must specify a -modify-index greater than 0 with -cas"));
    }
    if !cas && index != 0 {
        return Err(Failure::new("Cannot specify -modify-index without -cas"));
    }
    let (kind, name) = if file.is_empty() {
        named(session)?
    } else {
        let entry = load(&file, session)?;
        (entry.kind().to_string(), api::entry::shown_name(&entry).to_string())
    };
    let mut query = Query::new();
    if cas {
        query = query.with("cas", index.to_string());
    }
    let client = session.client()?;
    let answer = client
        .delete(&path(&kind, &name), client.scoped(query), "")
        .map_err(Failure::request(format!("Error deleting config entry {kind}/{name}")))?;
    if cas && answer.text() != "true" {
        return Err(Failure::new(format!("Config entry not deleted: {kind}/{name}")));
    }
    session.io.say(format!("Config entry deleted: {kind}/{name}"));
    Ok(())
}
