//! The agent's own certificates while it runs: taken over when their files change, and watched for their end.

use crate::Agent;
use std::{
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};
use tls::OwnCertificate;
use tokio::time::MissedTickBehavior;

/// How often files and times are looked at.
const PERIOD: Duration = Duration::from_secs(2);
const DAY_S: i64 = 86_400;
/// Time before the end of a certificate that is called near, seconds.
const NEAR_S: i64 = 7 * DAY_S;
/// For a certificate that lives shorter: this part of its life.
const NEAR_PART: i64 = 5;
/// A warning is repeated after this time, seconds.
const AGAIN_S: i64 = DAY_S;

/// How near the end of a certificate is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Far,
    Near,
    Past,
}

fn end(cert: &OwnCertificate, now: i64) -> End {
    let left = cert.not_after - now;
    let near = NEAR_S.min((cert.not_after - cert.not_before) / NEAR_PART);
    match left {
        ..=0 => End::Past,
        _ if left < near => End::Near,
        _ => End::Far,
    }
}

/// Which warnings are due.
#[derive(Default)]
struct Warnings(Vec<(PathBuf, i64, End, i64)>);

impl Warnings {
    /// Whether to warn of `cert` at `now`; each state of each certificate is told once a day.
    fn due(&mut self, cert: &OwnCertificate, now: i64) -> Option<End> {
        let state = end(cert, now);
        if state == End::Far {
            return None;
        }
        let same = |w: &&(PathBuf, i64, End, i64)| {
            w.0 == cert.file && w.1 == cert.not_after && w.2 == state && now - w.3 < AGAIN_S
        };
        if self.0.iter().any(|w| same(&w)) {
            return None;
        }
        self.0.retain(|w| w.0 != cert.file);
        self.0.push((cert.file.clone(), cert.not_after, state, now));
        Some(state)
    }
}

/// Follows files and times until the agent ends. Without files there is nothing to follow, but a reload may bring some.
pub fn start(agent: &Arc<Agent>) {
    let (shutdown, tasks) = (agent.tasks.shutdown().clone(), agent.tasks.clone());
    let mut taken = agent.tls.fingerprint();
    let agent: Weak<Agent> = Arc::downgrade(agent);
    tasks.spawn("certificates", async move {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut seen, mut warnings) = (taken.clone(), Warnings::default());
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                _ = ticks.tick() => {}
            }
            let Some(agent) = agent.upgrade() else { return };
            let now = agent.tls.fingerprint();
            // Taken once nothing moves: certificate and key are two files, and writing takes time.
            if now != taken && now == seen {
                taken = now.clone();
                take_over(&agent);
            }
            seen = now;
            agent.watch_ends(&mut warnings);
            agent.watch_authority();
        }
    });
}

fn take_over(agent: &Agent) {
    match agent.tls.reload() {
        Ok(()) => {
            let own = agent.tls.own();
            let names: Vec<_> = own.iter().map(|c| format!("{}: {}", c.part, c.names)).collect();
            tracing::info!(certificates = names.join("; "), "TLS files changed, taken over");
        }
        Err(error) => {
            tracing::warn!(%error, "TLS files changed, but are not usable: the old ones stay in force");
        }
    }
}

impl Agent {
    /// Seconds to the end of the first of the agent's certificates to end (`agent.tls.cert.expiry`), and warnings.
    fn watch_ends(&self, warnings: &mut Warnings) {
        let now = i64::try_from(self.world.clock.unix_ms() / 1000).unwrap_or(i64::MAX);
        let own = self.tls.own();
        let Some(first) = own.iter().map(|c| c.not_after).min() else { return };
        self.metrics.gauge("agent.tls.cert.expiry", &[]).set((first - now) as f64);
        for cert in &own {
            let (file, part) = (cert.file.display(), cert.part);
            match warnings.due(cert, now) {
                Some(End::Near) => tracing::warn!(
                    "certificate of tls.{part} will expire soon: {file} ends in {} hours, replace it",
                    (cert.not_after - now) / 3600
                ),
                Some(End::Past) => tracing::warn!(
                    "certificate of tls.{part} has expired: {file}; others refuse this agent until it is replaced"
                ),
                Some(End::Far) | None => {}
            }
        }
    }
}

impl Agent {
    /// On the leader: seconds to the end of the mesh's root, and of the authority that signs (`mesh.active-root-ca.expiry`,
    /// `mesh.active-signing-ca.expiry`).
    fn watch_authority(&self) {
        let Some(server) =
            self.server.as_ref().filter(|s| rpc::Consensus::leadership(&*s.consensus).is_leader)
        else {
            return;
        };
        let store = server.hub.load();
        let (Some((_, roots)), Some(state)) = (store.ca(), store.ca_provider_state()) else { return };
        let now = i64::try_from(self.world.clock.unix_ms() / 1000).unwrap_or(i64::MAX);
        let signing = connect_ca::CertFacts::read_pem(&state.root_pem).ok().map(|facts| facts.not_after);
        let root = roots.iter().find(|r| r.active).map(|r| r.not_after);
        for (name, end) in [("mesh.active-root-ca.expiry", root), ("mesh.active-signing-ca.expiry", signing)]
        {
            if let Some(end) = end {
                self.metrics.gauge(name, &[]).set((end - now) as f64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cert(days: i64) -> OwnCertificate {
        OwnCertificate {
            part: "https",
            file: "/c.pem".into(),
            names: String::new(),
            not_before: 0,
            not_after: days * DAY_S,
        }
    }

    #[test]
    fn near_is_a_week_or_a_fifth_of_a_short_life() {
        assert_eq!(end(&cert(365), 300 * DAY_S), End::Far);
        assert_eq!(end(&cert(365), 359 * DAY_S), End::Near);
        assert_eq!(end(&cert(365), 365 * DAY_S), End::Past);
        assert_eq!(end(&cert(3), 2 * DAY_S), End::Far);
        assert_eq!(end(&cert(3), 3 * DAY_S - 3600), End::Near);
    }

    #[test]
    fn each_state_is_told_once_a_day_and_again_for_a_new_file() {
        let mut warnings = Warnings::default();
        let at = 359 * DAY_S;
        assert_eq!(warnings.due(&cert(365), at), Some(End::Near));
        assert_eq!(warnings.due(&cert(365), at + 60), None);
        assert_eq!(warnings.due(&cert(365), at + DAY_S), Some(End::Near));
        assert_eq!(warnings.due(&cert(365), 366 * DAY_S), Some(End::Past));
        assert_eq!(warnings.due(&cert(800), 366 * DAY_S), None);
        assert_eq!(warnings.due(&cert(369), 366 * DAY_S), Some(End::Near));
        assert_eq!(warnings.0.len(), 1);
    }
}
