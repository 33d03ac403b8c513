//! Clients: what they do, what they keep of it, and what it is checked for.

mod counter;
mod kv;
mod lock;
mod register;
mod set;
mod watch;
mod worker;

pub use worker::{Shared, Worker};

use crate::{
    check::{Model, Verdict, check, shrink},
    history::{Call, by_key},
    ops::Op,
    rules::Finding,
};
use anyhow::{Result, bail};

/// One kind of client.
pub trait Workload: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// What it promises to find, in one line.
    fn about(&self) -> &'static str;
    /// Done once, before the attack.
    ///
    /// # Errors
    /// When the servers do not take it.
    fn prepare(&self, _worker: &mut Worker<'_>) -> Result<()> {
        Ok(())
    }
    /// A few calls.
    fn step(&self, worker: &mut Worker<'_>);
    /// Reads after everything is well again, done by one client.
    fn finish(&self, worker: &mut Worker<'_>);
    /// Looks at all calls.
    fn check(&self, calls: &[Call<Op>]) -> Checked;
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Broken promises, with the smallest part of the history that shows each.
    pub broken: Vec<Broken>,
    /// Keys whose search became too large.
    pub undecided: Vec<String>,
}

/// A broken promise.
#[derive(Debug)]
pub struct Broken {
    /// Key of the history.
    pub key: String,
    /// Which promise.
    pub what: String,
    /// The calls that show it.
    pub calls: Vec<Call<Op>>,
    /// Calls of the key in all.
    pub of: usize,
}

/// A promise about the calls of one key.
type Rule = fn(&[Call<Op>]) -> Option<Finding>;

/// Checks each key for linearizability, and by further rules.
fn check_keys<M: Model<Op = Op>>(
    calls: &[Call<Op>],
    model: &M,
    linear: impl Fn(&Op) -> bool,
    rules: &[Rule],
) -> Checked {
    let mut out = Checked::default();
    for (key, calls) in by_key(calls) {
        let of = calls.len();
        for Finding { what, calls } in rules.iter().filter_map(|rule| rule(&calls)) {
            out.broken.push(Broken { key: key.clone(), what, calls, of });
        }
        let calls: Vec<_> = calls.into_iter().filter(|c| linear(&c.op)).collect();
        match check(model, &calls) {
            Verdict::Linearizable => {}
            Verdict::Undecided => out.undecided.push(key),
            Verdict::Not => {
                let small = shrink(model, &calls);
                let what =
                    "not linearizable: there is no order of these calls that explains the answers".into();
                out.broken.push(Broken { key, what, calls: small.calls, of });
            }
        }
    }
    out
}

/// All workloads.
pub const ALL: [&dyn Workload; 7] = [
    &kv::Kv,
    &set::Set,
    &lock::LOCK,
    &lock::SESSION,
    &counter::Counter,
    &register::Registration,
    &watch::Watch,
];

/// The workloads that a list of names means.
///
/// # Errors
/// For a name that there is not.
pub fn of(names: &str) -> Result<Vec<&'static dyn Workload>> {
    if names == "all" {
        return Ok(ALL.to_vec());
    }
    let find = |name: &str| {
        let Some(found) = ALL.into_iter().find(|w| w.name() == name) else {
            let known = ALL.map(|w| w.name()).join(", ");
            bail!("there is no workload {name:?}; there are {known}, all");
        };
        Ok(found)
    };
    names.split(',').map(find).collect()
}
