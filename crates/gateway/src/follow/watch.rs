//! One read, repeated for as long as it is wanted.

use super::{
    Common, Reply,
    model::{InstancesOf, Read, Update},
    pause, shapes,
};
use rand::Rng;
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};
use tokio::{sync::SemaphorePermit, time::Instant};

/// How long an agent may hold a read back.
const WAIT: Duration = Duration::from_secs(300);
/// Patience beyond that: the agent's own jitter (a sixteenth) and the network.
const SLACK: Duration = Duration::from_secs(30);
/// How old endpoints may become when there are more services than reads under way.
const TURN_AROUND: Duration = Duration::from_secs(2);
const WAIT_MIN: Duration = Duration::from_millis(50);
/// Pause after an answer that should have been held back and was not.
const SPIN_PAUSE: Duration = Duration::from_secs(1);
/// Pause after an answer that says no (an agent that does not have the endpoint, a filter it refuses).
const REFUSED_PAUSE: Duration = Duration::from_secs(5);

/// A repeated read.
pub(super) struct Watch {
    common: Arc<Common>,
    read: Read,
    counted: bool,
}

impl Watch {
    pub(super) fn new(common: Arc<Common>, read: Read) -> Self {
        let counted = matches!(read, Read::Endpoints(_));
        if counted {
            common.endpoints.fetch_add(1, Relaxed);
        }
        Self { common, read, counted }
    }

    pub(super) async fn run(self) {
        let mut rng = self.common.seed.fork(&format!("{:?}", self.read));
        let (path, query) = request(&self.read);
        let (mut index, mut failures, mut last_refusal) = (0, 0, String::new());
        loop {
            let (held, wait) = self.turn().await;
            let started = Instant::now();
            let mut asked = query.clone();
            asked.push(("index", index.to_string()));
            asked.push(("wait", format!("{}ms", wait.as_millis())));
            let answer = self.common.api.get(&path, &asked, wait + wait / 16 + SLACK).await;
            drop(held);
            match answer {
                Err(error) => {
                    self.common.link.failed(&error);
                    index = 0;
                    tokio::time::sleep(pause(failures, &mut rng)).await;
                    failures += 1;
                }
                Ok(reply) => {
                    failures = 0;
                    self.answered().await;
                    match self.take(&reply, &mut last_refusal) {
                        Some(update) => {
                            // The owner only goes away with everything else.
                            let _ = self.common.updates.send(update).await;
                            let unchanged = reply.index == 0 || reply.index == index;
                            index = if reply.index < index { 0 } else { reply.index };
                            if unchanged && started.elapsed() < wait / 2 {
                                tokio::time::sleep(
                                    SPIN_PAUSE + rng.random_range(Duration::ZERO..=SPIN_PAUSE),
                                )
                                .await;
                            }
                        }
                        None => {
                            index = 0;
                            // As above.
                            let _ = self.common.updates.send(Update::Refused(self.read.clone())).await;
                            tokio::time::sleep(
                                REFUSED_PAUSE + rng.random_range(Duration::ZERO..=REFUSED_PAUSE),
                            )
                            .await;
                        }
                    }
                }
            }
        }
    }

    async fn answered(&self) {
        if self.common.link.answered() {
            self.common.api.returned().await;
        }
    }

    /// Reads of endpoints take turns when there are many; the others always have their connection. Answers how long the agent
    /// may hold the read back.
    async fn turn(&self) -> (Option<SemaphorePermit<'_>>, Duration) {
        if !self.counted {
            return (None, WAIT);
        }
        let held = self.common.places.acquire().await.ok();
        let watches = u32::try_from(self.common.endpoints.load(Relaxed)).unwrap_or(u32::MAX);
        let parallel = u32::try_from(super::PARALLEL).unwrap_or(u32::MAX);
        let wait = if watches <= parallel { WAIT } else { (TURN_AROUND * parallel / watches).max(WAIT_MIN) };
        (held, wait)
    }

    /// The update in an answer; `None` (told once) if it is none.
    fn take(&self, reply: &Reply, last_refusal: &mut String) -> Option<Update> {
        let why = match reply.status {
            200 => match decode(&self.read, &reply.body) {
                Ok(update) => {
                    last_refusal.clear();
                    return Some(update);
                }
                Err(e) => format!("cannot decode the answer: {e}"),
            },
            status => {
                let body: String = String::from_utf8_lossy(&reply.body).trim().chars().take(200).collect();
                format!("status {status}: {body}")
            }
        };
        self.common.link.gateway.metrics().agent_errors.fetch_add(1, Relaxed);
        if *last_refusal != why {
            tracing::warn!(read = %request(&self.read).0, why, "the agent does not answer a question; asking again");
            *last_refusal = why;
        }
        None
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.counted {
            self.common.endpoints.fetch_sub(1, Relaxed);
        }
    }
}

/// Path and parameters of a read.
fn request(read: &Read) -> (String, Vec<(&'static str, String)>) {
    // Any server may answer: routes should not wait for an election.
    let mut query = vec![("stale", String::new())];
    let path = match read {
        Read::Roots => "/v1/connect/ca/roots".to_owned(),
        Read::Servers => "/v1/health/service/consul".to_owned(),
        Read::Federation => "/v1/internal/federation-states/mesh-gateways".to_owned(),
        Read::Services => "/v1/catalog/services".to_owned(),
        Read::Resolvers => "/v1/config/service-resolver".to_owned(),
        Read::Endpoints(InstancesOf { service, subset }) => {
            if let Some((_, subset)) = subset.as_ref().filter(|(_, s)| !s.filter.is_empty()) {
                query.push(("filter", subset.filter.clone()));
            }
            format!("/v1/health/connect/{service}")
        }
    };
    (path, query)
}

fn decode(read: &Read, body: &[u8]) -> Result<Update, String> {
    Ok(match read {
        Read::Roots => Update::TrustDomain(shapes::trust_domain(body)?),
        Read::Servers => Update::Servers(shapes::servers(body)?),
        Read::Federation => Update::Federation(shapes::federation(body)?),
        Read::Services => Update::Services(shapes::services(body)?),
        Read::Resolvers => Update::Resolvers(shapes::resolvers(body)?),
        Read::Endpoints(of) => {
            let only_passing = of.subset.as_ref().is_some_and(|(_, s)| s.only_passing);
            Update::Endpoints(of.clone(), shapes::endpoints(body, only_passing)?)
        }
    })
}

/// Asks until there is an answer that can be read.
pub(super) async fn until_answered<T>(
    common: &Common,
    path: &'static str,
    read: impl Fn(&[u8]) -> Result<T, String>,
) -> T {
    let mut rng = common.seed.fork(path);
    let mut attempt = 0;
    loop {
        let why = match common.api.get(path, &[], SLACK).await {
            Ok(reply) if reply.status == 200 => match read(&reply.body) {
                Ok(found) => {
                    if common.link.answered() {
                        common.api.returned().await;
                    }
                    return found;
                }
                Err(e) => format!("{path}: {e}"),
            },
            Ok(reply) => format!("{path}: status {}", reply.status),
            Err(e) => e,
        };
        common.link.failed(&why);
        tokio::time::sleep(pause(attempt, &mut rng)).await;
        attempt += 1;
    }
}
