//! `connect ca get-config` and `set-config`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    client::Query,
    flags::{Flag, Kind},
    text::{json_with_tabs, os_error},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const PATH: &str = "/v1/connect/ca/configuration";

pub(super) static GET: Command = Command {
    path: "connect ca get-config",
    synopsis: "Display the CA configuration",
    usage: "[options]",
    about: "Shows the settings of the mesh's certificate authority as JSON. Private keys\nare never shown.",
    flags: &[],
    common: Common::Server,
    run: get,
};

pub(super) static SET: Command = Command {
    path: "connect ca set-config",
    synopsis: "Modify the CA configuration",
    usage: "[options]",
    about: "Replaces the settings of the mesh's certificate authority by those of a JSON\nfile: {\"Provider\": \"consul\", \"Config\": {\"LeafCertTTL\": \"72h\"}}. A setting that asks\nfor another key or root makes a new root, which the old one signs as well.",
    flags: &[
        Flag::new("config-file", Kind::Text, "JSON file with the new settings."),
        Flag::new(
            "force-without-cross-signing",
            Kind::Bool,
            "Change the root even if the old one cannot sign the new one. Connections fail until every proxy has a new certificate.",
        ),
    ],
    common: Common::Server,
    run: set,
};

/// The settings, in the order in which they are shown.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    provider: String,
    config: Map<String, Value>,
    state: Option<Map<String, Value>>,
    force_without_cross_signing: bool,
    create_index: u64,
    modify_index: u64,
}

fn get(session: &mut Session<'_, '_>) -> Outcome {
    let what = "Error querying CA configuration";
    let client = session.client()?;
    let answer = client.get(PATH, client.scoped(Query::new())).map_err(Failure::request(what))?;
    let config: Shown = answer.json().map_err(Failure::request(what))?;
    let text = json_with_tabs(&config).map_err(|e| Failure::new(format!("{what}: {e}")))?;
    session.io.say(text);
    Ok(())
}

fn set(session: &mut Session<'_, '_>) -> Outcome {
    let file = session.flags.text("config-file").to_owned();
    if file.is_empty() {
        return Err(Failure::new("The -config-file flag is required"));
    }
    let bytes = std::fs::read(&file).map_err(|e| {
        Failure::new(format!("Error reading config file: {}", os_error(&format!("open {file}"), &e)))
    })?;
    let mut config: Map<String, Value> = serde_json::from_slice(&bytes)
        .map_err(|e| Failure::new(format!("Error parsing config file: {e}")))?;
    if session.flags.bool("force-without-cross-signing") {
        config.retain(|key, _| !key.replace('_', "").eq_ignore_ascii_case("ForceWithoutCrossSigning"));
        config.insert("ForceWithoutCrossSigning".into(), Value::Bool(true));
    }
    let body = Value::Object(config).to_string().into_bytes();
    let client = session.client()?;
    client
        .put(PATH, client.scoped(Query::new()), body)
        .map_err(Failure::request("Error setting CA configuration"))?;
    session.io.say("Configuration updated!");
    Ok(())
}
