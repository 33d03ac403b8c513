//! `version`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::flags::{Flag, Kind};
use types::API_LEVEL;

pub(super) static COMMAND: Command = Command {
    path: "version",
    synopsis: "Prints the version",
    usage: "[options]",
    about: "Prints the version, for people or with -format=json for programs. The version in\nthe JSON form is the API level.",
    flags: &[Flag::new("format", Kind::Text, "pretty or json.")],
    common: Common::None,
    run,
};

/// Set when a release is built.
const REVISION: Option<&str> = option_env!("PRAETOR_REVISION");
const BUILD_DATE: Option<&str> = option_env!("PRAETOR_BUILD_DATE");
const PROTOCOL: (u8, u8, u8) = (2, 2, 3);

fn run(session: &mut Session<'_, '_>) -> Outcome {
    match session.flags.given("format").unwrap_or("pretty") {
        "pretty" => {
            session.io.say(format!("Praetor v{}", env!("CARGO_PKG_VERSION")));
            session.io.say(format!("Consul API level v{API_LEVEL}"));
            if let Some(revision) = REVISION {
                session.io.say(format!("Revision {revision}"));
            }
            if let Some(date) = BUILD_DATE {
                session.io.say(format!("Build Date {date}"));
            }
            let (default, min, max) = PROTOCOL;
            session.io.say(format!(
                "Protocol {default} spoken by default, understands {min} to {max} (agent will automatically use protocol >{default} when speaking to compatible agents)\n"
            ));
            Ok(())
        }
        "json" => {
            let (default, min, max) = PROTOCOL;
            let (revision, date) = (REVISION.unwrap_or(""), BUILD_DATE.unwrap_or("1970-01-01T00:00:01Z"));
            // Programs compare this text with three blanks; its order matters to some.
            session.io.say(format!(
                "{{\n   \"Version\": \"{API_LEVEL}\",\n   \"Revision\": \"{revision}\",\n   \"Prerelease\": \"\",\n   \"BuildDate\": \"{date}\",\n   \"RPC\": {{\n      \"Default\": {default},\n      \"Min\": {min},\n      \"Max\": {max}\n   }}\n}}"
            ));
            Ok(())
        }
        other => Err(Failure::new(format!("Unknown format: {other}"))),
    }
}
