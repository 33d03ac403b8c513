//! What a running command has at hand, and how it fails.

use crate::{
    Env, Local,
    client::{AgentLink, Client, ClientError, Settings},
    flags::Parsed,
    io::Io,
};
use std::fmt::Display;

/// One invocation.
pub(crate) struct Session<'a, 'io> {
    pub(crate) flags: Parsed,
    pub(crate) env: &'a Env,
    pub(crate) io: &'a mut Io<'io>,
    pub(crate) help: &'a str,
    pub(crate) local: &'a dyn Local,
}

/// How a command ends: nothing to add, or a [`Failure`].
pub(crate) type Outcome = Result<(), Failure>;

/// An end with an exit code other than 0.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// For the error stream.
    pub(crate) message: Option<String>,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// Whether the help follows.
    pub(crate) help: bool,
    pub(crate) code: i32,
}

impl Failure {
    /// A message and exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), hint: None, help: false, code: 1 }
    }
    /// A message followed by the command's help.
    pub(crate) fn with_help(message: impl Into<String>) -> Self {
        Self { help: true, ..Self::new(message) }
    }
    /// Only an exit code.
    pub(crate) fn silent(code: i32) -> Self {
        Self { message: None, hint: None, help: false, code }
    }
    /// `what: error`, with the error's advice.
    pub(crate) fn request(what: impl Display) -> impl FnOnce(ClientError) -> Self {
        move |error| Self { hint: error.hint(), ..Self::new(format!("{what}: {error}")) }
    }
}

impl Session<'_, '_> {
    /// Connects as flags and environment say. Only bad settings fail here; an agent that does not answer fails the first request.
    pub(crate) fn client(&mut self) -> Result<Client, Failure> {
        let wrap = |e: String| Failure::new(format!("Error connecting to Consul agent: {e}"));
        let Self { flags, env, io, .. } = self;
        let settings = Settings::read(flags, env, |warning| io.warn(warning)).map_err(wrap)?;
        Client::new(settings).map_err(wrap)
    }

    /// Runs `work` with a connection for many requests, inside a runtime of its own.
    pub(crate) fn with_link<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self, &AgentLink) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let wrap = |e: String| Failure::new(format!("Error connecting to Consul agent: {e}"));
        let settings = {
            let Self { flags, env, io, .. } = self;
            Settings::read(flags, env, |warning| io.warn(warning)).map_err(wrap)?
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::new(format!("cannot start: {e}")))?;
        let outcome = runtime.block_on(async {
            let tasks = runtime::Tasks::new(runtime::Shutdown::new());
            let link = AgentLink::new(settings, tasks.clone()).map_err(wrap)?;
            let outcome = work(self, &link).await;
            tasks.shutdown().trigger();
            outcome
        });
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        outcome
    }

    /// Refuses surplus arguments.
    pub(crate) fn at_most(&self, expected: usize) -> Outcome {
        match self.flags.args.len() {
            n if n > expected => {
                Err(Failure::new(format!("Too many arguments (expected {expected}, got {n})")))
            }
            _ => Ok(()),
        }
    }

    /// The value of `-filter`, which may be `@file` or `-`.
    pub(crate) fn filter(&mut self) -> Result<String, Failure> {
        let text = self.flags.text("filter").to_owned();
        let data = crate::text::argument_or_file(&text, self.io)
            .map_err(|e| Failure::new(format!("Could not process filter argument: {e}")))?;
        String::from_utf8(data)
            .map_err(|_utf8| Failure::new("Could not process filter argument: it is not UTF-8 text"))
    }
}
