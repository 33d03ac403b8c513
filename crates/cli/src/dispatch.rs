//! Finds the command that was meant and runs it.

use crate::{
    Env, Local,
    commands::{self, Command, Entry, Failure, Session},
    flags::{FlagError, Parsed},
    io::Io,
};
use std::path::Path;

/// Exit code of an unknown command.
const UNKNOWN: i32 = 127;

pub(crate) fn run(args: Vec<String>, env: &Env, io: &mut Io<'_>, local: &dyn Local) -> i32 {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    let program = Path::new(&program).file_name().map_or_else(|| "praetor".into(), |n| n.to_string_lossy());
    let args: Vec<String> = args.collect();
    let first = args.iter().position(|a| !a.starts_with('-')).unwrap_or(args.len());
    let (before, words) = args.split_at(first);
    let asks = |names: &[&str], list: &[String]| list.iter().any(|a| names.contains(&a.as_str()));

    if asks(&["-v", "-version", "--version"], &before[..before.len().min(1)]) {
        return run_entry("version", &[], &program, env, io, local);
    }
    if words.is_empty() {
        let help = commands::top_help(&program);
        if asks(&["-h", "-help", "--help"], before) {
            io.say(help);
            return 0;
        }
        io.warn(help);
        return UNKNOWN;
    }
    let Some((entry, used)) = commands::find(words) else {
        io.warn(format!("{program}: there is no command {:?}.\n", words[0]));
        io.warn(commands::top_help(&program));
        return UNKNOWN;
    };
    let help = entry.help(&program);
    if asks(&["-h", "-help", "--help"], before) {
        io.say(help);
        return 0;
    }
    if !before.is_empty() {
        io.warn(format!(
            "Invalid flags before the subcommand: {}. Flags of a command stand after its name.\n\n{help}",
            before.join(" ")
        ));
        return 1;
    }
    let rest = &words[used..];
    if entry.path() == "agent" {
        if asks(&["-h", "-help", "--help"], rest) {
            io.say(help);
            return 0;
        }
        return local.agent(rest.to_vec());
    }
    run_entry(entry.path(), rest, &program, env, io, local)
}

fn run_entry(
    path: &str,
    args: &[String],
    program: &str,
    env: &Env,
    io: &mut Io<'_>,
    local: &dyn Local,
) -> i32 {
    let Some(entry) = commands::ALL.iter().find(|e| e.path() == path) else { return UNKNOWN };
    let help = entry.help(program);
    match entry {
        Entry::Command(command) => run_command(command, args, &help, env, io, local),
        Entry::Group { .. } | Entry::Later { .. }
            if args.first().is_some_and(|a| matches!(a.as_str(), "-h" | "-help" | "--help")) =>
        {
            io.say(help);
            0
        }
        Entry::Group { .. } => {
            io.warn(help);
            1
        }
        Entry::Later { path, .. } => {
            io.warn(format!("Error: the command {path:?} is known but not built yet in this version."));
            1
        }
    }
}

fn run_command(
    command: &Command,
    args: &[String],
    help: &str,
    env: &Env,
    io: &mut Io<'_>,
    local: &dyn Local,
) -> i32 {
    let flags = match Parsed::parse(&command.all_flags(), args) {
        Ok(flags) => flags,
        Err(FlagError::Help) => {
            io.say(help);
            return 0;
        }
        Err(FlagError::Bad(text)) => {
            io.warn(format!("{text}\n\n{help}"));
            return 1;
        }
    };
    let mut session = Session { flags, env, io, help, local };
    match (command.run)(&mut session) {
        Ok(()) => 0,
        Err(Failure { message, hint, help: with_help, code }) => {
            if let Some(text) = message {
                io.warn(text);
            }
            if with_help {
                io.warn(format!("\n{help}"));
            }
            if let Some(hint) = hint {
                io.warn(format!("\n{hint}"));
            }
            code
        }
    }
}
