//! `lock`: a lock or a semaphore held while a child runs.

mod claim;
mod hold;
mod mutex;
mod semaphore;

use super::{Command, Common, Failure, Outcome, Session};
use crate::{
    child::{Running, Signals, Stdin},
    client::AgentLink,
    flags::{Flag, Kind},
};
use claim::{Claim, Kv, LockError};
use std::time::Duration;
use tokio::time::Instant;

pub(super) static COMMAND: Command = Command {
    path: "lock",
    synopsis: "Execute a command holding a lock",
    usage: "[options] prefix child...",
    about: "Takes a lock below prefix, or one of -n places, runs the child while it is held,\n\
            and gives it back. The child is ended when the lock is lost. It finds\n\
            CONSUL_LOCK_HELD=true in its environment.",
    flags: &[
        Flag::new("child-exit-code", Kind::Bool, "End with exit code 2 if the child failed."),
        Flag::new(
            "n",
            Kind::Int,
            "How many may hold it at a time; 1 if not given. All must give the same number.",
        ),
        Flag::new("name", Kind::Text, "Name of the session."),
        Flag::new(
            "monitor-retry",
            Kind::Int,
            "How often a failed look at the lock is repeated before it counts as lost; 3 if not given.",
        ),
        Flag::new("timeout", Kind::Text, "Longest wait for the lock, such as 10s; no limit if not given."),
        Flag::new("try", Kind::Text, "Old name of -timeout."),
        Flag::new("pass-stdin", Kind::Bool, "The child reads what we would read."),
        Flag::new("shell", Kind::Bool, "Run the child in a shell (SHELL, else /bin/sh); true if not given."),
        Flag::new("verbose", Kind::Bool, "Say what happens."),
    ],
    common: Common::Server,
    run,
};

/// Patience with a child that was asked to end.
const GRACE: Duration = Duration::from_secs(5);

struct Wanted {
    prefix: String,
    name: String,
    limit: u32,
    retries: u32,
    timeout: Option<Duration>,
    shell: bool,
    stdin: bool,
    verbose: bool,
    exit_code: bool,
    child: Vec<String>,
}

fn run(session: &mut Session<'_, '_>) -> Outcome {
    let wanted = wanted(session)?;
    session.with_link(async |session, link| serve(session, link, &wanted).await)
}

fn wanted(session: &Session<'_, '_>) -> Result<Wanted, Failure> {
    let flags = &session.flags;
    let [prefix, child @ ..] = flags.args.as_slice() else {
        return Err(Failure::new("Key prefix and child command must be specified"));
    };
    if child.is_empty() {
        return Err(Failure::new("Key prefix and child command must be specified"));
    }
    let limit = match flags.number::<i64>("n").unwrap_or(1) {
        n if n <= 0 => return Err(Failure::new("Lock holder limit must be positive")),
        n => u32::try_from(n).unwrap_or(u32::MAX),
    };
    let mut timeout = None;
    for name in ["try", "timeout"] {
        if let Some(text) = flags.given(name) {
            let nanos = ::api::duration::parse_ns(text)
                .map_err(|e| Failure::with_help(format!("invalid value {text:?} for flag -{name}: {e}")))?;
            if nanos < 0 {
                return Err(Failure::new("Timeout must be positive"));
            }
            timeout = Some(::api::duration::from_ns(nanos)).filter(|t| !t.is_zero());
        }
    }
    let retries = match flags.number::<i64>("monitor-retry").unwrap_or(3) {
        n if n < 0 => return Err(Failure::new("Number for 'monitor-retry' must be >= 0")),
        n => u32::try_from(n).unwrap_or(u32::MAX),
    };
    let prefix = prefix.trim_start_matches('/').to_owned();
    let name = match flags.text("name") {
        "" => format!("Consul lock for '{}' at '{prefix}'", child.join(" ")),
        name => name.to_owned(),
    };
    Ok(Wanted {
        prefix,
        name,
        limit,
        retries,
        timeout,
        shell: flags.given("shell").is_none() || flags.bool("shell"),
        stdin: flags.bool("pass-stdin"),
        verbose: flags.bool("verbose"),
        exit_code: flags.bool("child-exit-code"),
        child: child.to_vec(),
    })
}

fn claim(wanted: &Wanted) -> Claim {
    if wanted.limit == 1 {
        Claim::mutex(&wanted.prefix)
    } else {
        Claim::semaphore(&wanted.prefix, wanted.limit)
    }
}

async fn serve(session: &mut Session<'_, '_>, link: &AgentLink, wanted: &Wanted) -> Outcome {
    let mut signals = Signals::new().map_err(Failure::new)?;
    let claim = claim(wanted);
    let tell = |session: &mut Session<'_, '_>, text: &str| {
        if wanted.verbose {
            session.io.say(text);
        }
    };
    tell(
        session,
        &match wanted.limit {
            1 => format!("Setting up lock at path: {}", claim.key()),
            n => format!("Setting up semaphore (limit {n}) at prefix: {}", wanted.prefix),
        },
    );
    // An agent that does not answer at all is told before anything is made.
    link.call(http::Method::GET, "/v1/agent/self", &[], "", Duration::from_secs(60))
        .await
        .and_then(crate::client::LinkAnswer::ok)
        .map_err(Failure::request("Error querying Consul agent"))?;
    let kv = Kv::create(link, &wanted.name, wanted.limit > 1)
        .await
        .map_err(|e| Failure::new(format!("Lock setup failed: failed to create session: {e}")))?;
    tell(session, "Attempting lock acquisition");
    let until = wanted.timeout.map(|t| Instant::now() + t);
    // What was begun for the lock is taken back by giving up the session.
    let acquired = tokio::select! {
        acquired = claim.acquire(&kv, until) => acquired,
        broken = kv.keep_alive() => Err(broken),
        _ = signals.next() => Err(LockError::Stopped),
    };
    if let Err(e) = acquired {
        claim.abandon(&kv).await;
        kv.destroy().await;
        return Err(Failure::new(match e {
            LockError::Stopped => "Shutdown triggered or timeout during lock acquisition".to_owned(),
            other => format!("Lock acquisition failed: {other}"),
        }));
    }
    tell(session, "Starting handler");
    let ended = hold::hold(session, &kv, &claim, wanted, &mut signals).await;
    if let Err(e) = claim.release(&kv).await {
        session.io.warn(format!("Lock release failed: {e}"));
    }
    kv.destroy().await;
    match claim.clean_up(&kv).await {
        Ok(true) => tell(session, "Cleanup succeeded"),
        Ok(false) => tell(session, "Cleanup aborted, lock in use"),
        Err(e) => session.io.warn(format!("Lock cleanup failed: {e}")),
    }
    if ended || !wanted.exit_code { Ok(()) } else { Err(Failure::silent(2)) }
}
