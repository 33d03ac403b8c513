//! Watches of the configuration: each runs as a task, asks the agent's own API and calls its handler on a change.

mod handler;

use config::watch::Watch;
use http_api::Loopback;
use parking_lot::Mutex;
use runtime::{Shutdown, Tasks};
use std::time::Duration;
use watch::{Progress, Step};

/// Longest a blocked request may take: the API's own wait is at most eleven minutes.
const ANSWER_LIMIT: Duration = Duration::from_secs(15 * 60);

/// The watches that run.
pub struct Watches {
    running: Mutex<Vec<(Watch, Shutdown)>>,
    api: Loopback,
    tasks: Tasks,
}

impl Watches {
    /// None yet.
    pub fn new(api: Loopback, tasks: Tasks) -> Self {
        Self { running: Mutex::default(), api, tasks }
    }

    /// Makes `wanted` the watches: those that run already go on, others end, new ones start.
    pub fn set(&self, wanted: Vec<Watch>) {
        let mut running = self.running.lock();
        let (mut kept, mut ended) = (Vec::new(), std::mem::take(&mut *running));
        for watch in wanted {
            if let Some(at) = ended.iter().position(|(old, _)| *old == watch) {
                kept.push(ended.swap_remove(at));
                continue;
            }
            let stop = self.tasks.shutdown().child();
            let (api, signal) = (self.api.clone(), stop.clone());
            self.tasks.spawn("watch", run(api, watch.clone(), signal));
            kept.push((watch, stop));
        }
        for (_, stop) in ended {
            stop.trigger();
        }
        *running = kept;
    }
}

async fn run(api: Loopback, watch: Watch, stop: Shutdown) {
    let mut progress = Progress::new(watch.plan.clone());
    let follow = async {
        loop {
            match step(&api, &mut progress).await {
                Ok(Step::Quiet) => {}
                Ok(Step::Fire { index, json }) => {
                    if let Err(error) = handler::call(&watch.handler, &index, &json).await {
                        tracing::error!(%error, "a watch handler failed");
                    }
                }
                Err(error) => {
                    let wait = progress.failed();
                    tracing::error!(%error, retry = ?wait, "a watch failed");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    };
    tokio::select! {
        () = follow => {}
        () = stop.wait() => {}
    }
}

async fn step(api: &Loopback, progress: &mut Progress) -> Result<Step, String> {
    let request = progress.request();
    let token = progress.plan().token.clone();
    let answer = api
        .call(http::Method::GET, &request.path, &request.query, &token, bytes::Bytes::new(), ANSWER_LIMIT)
        .await?;
    let text = String::from_utf8_lossy(&answer.body);
    let body = match answer.status {
        200 => Some(text.as_ref()),
        404 if request.may_be_missing => None,
        status => return Err(format!("Unexpected response code: {status} ({})", text.trim())),
    };
    progress.answered(answer.index, answer.hash.as_deref(), body)
}
