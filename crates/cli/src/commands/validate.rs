//! `validate`.

use super::{Command, Common, Failure, Outcome, Session};
use crate::flags::{Flag, Kind};
use config::{flags::AgentFlags, load};

pub(super) static COMMAND: Command = Command {
    path: "validate",
    synopsis: "Validate config files or directories",
    usage: "[options] FILE_OR_DIRECTORY...",
    about: "Reads configuration as the agent would and says what is wrong with it. The\nconfiguration must be complete: what an agent needs to start must be there.",
    flags: &[
        Flag::new(
            "config-format",
            Kind::Text,
            "Syntax of all files, hcl or json; by their suffix if not given.",
        ),
        Flag::new("quiet", Kind::Bool, "Print errors only."),
    ],
    common: Common::None,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let flags = &session.flags;
    if flags.args.is_empty() {
        return Err(Failure::new("Must specify at least one config file or directory"));
    }
    let format = flags.text("config-format");
    if !matches!(format, "" | "hcl" | "json") {
        return Err(Failure::new("-config-format must be either 'hcl' or 'json"));
    }
    let agent = AgentFlags {
        config_paths: flags.args.clone(),
        config_format: Some(format.to_owned()).filter(|f| !f.is_empty()),
        ..AgentFlags::default()
    };
    let failed = |e: String| Failure::new(format!("Config validation failed: {e}"));
    let sources = load::sources(agent).map_err(|e| failed(e.to_string()))?;
    let machine = load::env(session.env.get("CONSUL_INTRO_TOKEN").map(str::to_owned));
    let built = config::build(&sources, &machine).map_err(|e| failed(e.to_string()))?;
    if !session.flags.bool("quiet") {
        for warning in built.warnings {
            session.io.warn(warning);
        }
        session.io.say("Configuration is valid!");
    }
    Ok(())
}
