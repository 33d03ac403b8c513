//! The `validate` part, in this process.

use super::{Case, place::Place};
use anyhow::{Result, bail};
use config::{flags::AgentFlags, load};

/// Differences between what the case wants of `validate` and what comes out.
///
/// # Errors
/// When the case cannot be set up.
pub fn validate(case: &Case) -> Result<Vec<String>> {
    let text = format!("{:?}{:?}", case.files, case.args);
    let place = Place::new(case, &text)?;
    let (exit, text) = verdict(case, &place)?;
    let text = place.plain(&text);
    let mut out = Vec::new();
    if exit != case.expect.validate_exit {
        out.push(format!("validate exit {exit}, want {}; got {text:?}", case.expect.validate_exit));
    }
    out.extend(place.lacks("validate error", &case.expect.error_contains.all(), &text));
    out.extend(place.lacks("validate warnings", &case.expect.warnings_contain.all(), &text));
    Ok(out)
}

fn verdict(case: &Case, place: &Place) -> Result<(i32, String)> {
    let mut flags =
        AgentFlags { config_paths: vec![place.conf().display().to_string()], ..AgentFlags::default() };
    let mut args = case.validate_args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-quiet" => {}
            "-config-format" => flags.config_format = args.next().cloned(),
            other => bail!("argument {other} is not known here"),
        }
    }
    let sources = match load::sources(flags) {
        Ok(s) => s,
        Err(e) => return Ok((1, e.to_string())),
    };
    Ok(match config::build(&sources, &load::env(None)) {
        Ok(built) => (0, built.warnings.join("\n")),
        Err(e) => (1, e.to_string()),
    })
}
