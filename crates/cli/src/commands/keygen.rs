//! `keygen`.

use super::{Command, Common, Failure, Outcome, Session};
use base64::Engine;
use rand::TryRngCore;

pub(super) static COMMAND: Command = Command {
    path: "keygen",
    synopsis: "Generates a new encryption key",
    usage: "",
    about: "Prints a new key for gossip encryption, to be set as `encrypt` on every agent\nof a datacenter.",
    flags: &[],
    common: Common::None,
    run,
};

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let mut key = [0; 32];
    rand::rngs::OsRng
        .try_fill_bytes(&mut key)
        .map_err(|e| Failure::new(format!("Error reading random data: {e}")))?;
    session.io.say(base64::engine::general_purpose::STANDARD.encode(key));
    Ok(())
}
