//! Leaf certificates of this agent.

use crate::{desk::refused, schedule, unix_s};
use connect_ca::{KeyPair, SpiffeId, key_pem, leaf_csr};
use parking_lot::Mutex;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rpc::Query;
use runtime::{RngSeed, Tasks, WallClock};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, time::Instant};
use types::{
    DatacenterName, RequestError, SecretToken, Str,
    ca::{CSR_RATE_LIMITED, CaAnswer, CaRequest, CaRoots, ServiceLeaf},
    query::{Query as Read, QueryOptions, QueryResult},
};

/// Leaves that one agent keeps.
const LEAVES_MAX: usize = 4096;
/// How long a leaf that nobody asks for is kept.
const UNUSED_MAX: Duration = Duration::from_secs(72 * 3600);
/// How often the wall clock is looked at while nothing is due.
const LOOK: Duration = Duration::from_secs(600);
/// Pause after a failure, doubled up to the second value.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What the leaves are given.
pub struct LeavesDeps {
    /// Own datacenter.
    pub datacenter: DatacenterName,
    /// Reads of the roots.
    pub query: Arc<dyn Query>,
    /// Who signs.
    pub authority: Arc<dyn rpc::Authority>,
    /// Times of certificates.
    pub clock: Arc<dyn WallClock>,
    /// Spreads renewals.
    pub seed: RngSeed,
    /// Owner of one task for each leaf.
    pub tasks: Tasks,
}

/// Namespace and name of a service.
type Name = (Str, Str);

/// Leaf certificates by service: made when first asked for, kept current while they are used.
pub struct Leaves {
    deps: LeavesDeps,
    rng: Mutex<ChaCha8Rng>,
    entries: Mutex<HashMap<Name, Arc<Entry>>>,
    /// Key id of the authority that signs now.
    signing: watch::Sender<Str>,
    follows: AtomicBool,
}

struct Entry {
    name: Name,
    current: watch::Sender<Option<Arc<ServiceLeaf>>>,
    /// Held by the one who asks for a leaf.
    asking: tokio::sync::Mutex<()>,
    used: Mutex<Instant>,
    kept: AtomicBool,
}

impl Leaves {
    /// None yet.
    pub fn new(deps: LeavesDeps) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(deps.seed.fork("leaf renewal")),
            deps,
            entries: Mutex::default(),
            signing: watch::channel(Str::default()).0,
            follows: AtomicBool::new(false),
        })
    }

    /// The leaf of a service, and whether it was there already. With `min_index`, waits for one that is newer, at most `wait`;
    /// else the leaf is one of the authority that signs now, if the servers can be asked.
    ///
    /// # Errors
    /// When there is no leaf yet and none can be had; [`RequestError::Overloaded`] when there are too many.
    pub async fn get(
        self: &Arc<Self>,
        namespace: &str,
        service: &str,
        token: &SecretToken,
        min_index: u64,
        wait: Duration,
    ) -> Result<(Arc<ServiceLeaf>, bool), RequestError> {
        let entry = self.entry((Str::new(namespace), Str::new(service)))?;
        let known = entry.current.borrow().clone();
        let (leaf, hit) = match known {
            Some(leaf) if min_index > 0 => (leaf, true),
            _ => match self.ensure(&entry, token).await {
                Ok(found) => found,
                Err(error) => {
                    // A name that never had a leaf is not remembered.
                    self.entries
                        .lock()
                        .retain(|_, e| !Arc::ptr_eq(e, &entry) || e.current.borrow().is_some());
                    return Err(error);
                }
            },
        };
        self.keep(&entry);
        if min_index == 0 || leaf.cert.index > min_index {
            return Ok((leaf, hit));
        }
        let mut updates = entry.current.subscribe();
        let newer = updates.wait_for(|l| l.as_ref().is_some_and(|l| l.cert.index > min_index));
        // Nothing newer in time is an answer too: what there is.
        let _ = tokio::time::timeout(wait, newer).await;
        let now = entry.current.borrow().clone().unwrap_or(leaf);
        Ok((now, true))
    }

    fn entry(&self, name: Name) -> Result<Arc<Entry>, RequestError> {
        let mut entries = self.entries.lock();
        if let Some(entry) = entries.get(&name) {
            *entry.used.lock() = Instant::now();
            return Ok(entry.clone());
        }
        if entries.len() >= LEAVES_MAX {
            return Err(RequestError::Overloaded);
        }
        let entry = Arc::new(Entry {
            name: name.clone(),
            current: watch::channel(None).0,
            asking: tokio::sync::Mutex::default(),
            used: Mutex::new(Instant::now()),
            kept: AtomicBool::new(false),
        });
        entries.insert(name, entry.clone());
        Ok(entry)
    }

    async fn roots(&self, token: &SecretToken) -> Result<CaRoots, RequestError> {
        let options = QueryOptions { token: token.clone(), ..QueryOptions::default() };
        match self.deps.query.query(Read::CaRoots, options).await?.result {
            QueryResult::CaRoots(roots) => Ok(roots),
            _ => Err(RequestError::Malformed("roots expected".into())),
        }
    }

    /// A leaf of the authority that signs now; one of an older authority while the servers cannot be asked.
    async fn ensure(
        &self,
        entry: &Entry,
        token: &SecretToken,
    ) -> Result<(Arc<ServiceLeaf>, bool), RequestError> {
        let _one = entry.asking.lock().await;
        let now = unix_s(&*self.deps.clock);
        let known = entry.current.borrow().clone().filter(|l| l.cert.valid_before > now);
        let fresh = async {
            let roots = self.roots(token).await?;
            let Some(active) = roots.roots.iter().find(|r| r.active) else {
                return Err(refused(
                    "Failed to find the active CA root: the certificate authority is not initialized yet, try again later",
                ));
            };
            match &known {
                Some(leaf)
                    if leaf.cert.signing_key_id == active.signing_key_id
                        && !schedule::is_overdue(leaf.cert.valid_after, leaf.cert.valid_before, now) =>
                {
                    Ok((leaf.clone(), true))
                }
                _ => self.ask(entry, &roots.trust_domain, token).await.map(|leaf| (leaf, false)),
            }
        };
        match (fresh.await, &known) {
            (Ok(found), _) => Ok(found),
            (Err(error), Some(leaf)) => {
                tracing::debug!(service = %entry.name.1, %error, "leaf certificate not renewed now");
                Ok((leaf.clone(), true))
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Has a fresh key certified.
    async fn ask(
        &self,
        entry: &Entry,
        trust_domain: &str,
        token: &SecretToken,
    ) -> Result<Arc<ServiceLeaf>, RequestError> {
        let (namespace, service) = &entry.name;
        let key = KeyPair::generate().map_err(refused)?;
        let id = SpiffeId::service(trust_domain, namespace, &self.deps.datacenter, service);
        let csr = leaf_csr(&key, &id, &[], &[]).map_err(refused)?;
        let request = CaRequest::Sign { csr: Str::from(csr) };
        let CaAnswer::Leaf(cert) = self.deps.authority.authority(None, token, request).await? else {
            return Err(RequestError::Malformed("leaf certificate expected".into()));
        };
        let private_key_pem = key_pem(&key).ok_or_else(|| refused("the key has no text form"))?;
        let leaf = Arc::new(ServiceLeaf {
            service: service.clone(),
            cert,
            private_key_pem: SecretToken::new(private_key_pem),
        });
        entry.current.send_replace(Some(leaf.clone()));
        Ok(leaf)
    }

    /// Starts what keeps a leaf current, once.
    fn keep(self: &Arc<Self>, entry: &Arc<Entry>) {
        if entry.kept.swap(true, Ordering::Relaxed) {
            return;
        }
        let tasks = &self.deps.tasks;
        if !self.follows.swap(true, Ordering::Relaxed) {
            tasks.spawn("roots of leaves", self.clone().follow_roots());
        }
        let (this, entry, stop) = (self.clone(), entry.clone(), tasks.shutdown().clone());
        tasks.spawn("leaf certificate", async move {
            tokio::select! {
                () = stop.wait() => {}
                () = this.keep_current(&entry) => {}
            }
        });
    }

    /// Publishes which authority signs.
    async fn follow_roots(self: Arc<Self>) {
        let stop = self.deps.tasks.shutdown().clone();
        let (mut index, mut pause) = (0, RETRY.0);
        loop {
            let options = QueryOptions { min_index: index, ..QueryOptions::default() };
            let answer = tokio::select! {
                () = stop.wait() => return,
                answer = self.deps.query.query(Read::CaRoots, options) => answer,
            };
            match answer {
                Ok(answer) => {
                    (index, pause) = (answer.meta.index, RETRY.0);
                    if let QueryResult::CaRoots(roots) = answer.result
                        && let Some(active) = roots.roots.into_iter().find(|r| r.active)
                    {
                        let id = active.signing_key_id;
                        self.signing.send_if_modified(|old| {
                            let news = *old != id;
                            *old = id;
                            news
                        });
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "roots of the certificate authority cannot be followed");
                    index = 0;
                    tokio::select! {
                        () = stop.wait() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
    }

    fn chance(&self) -> f64 {
        self.rng.lock().random()
    }

    /// Renews a leaf until nobody uses it.
    async fn keep_current(&self, entry: &Arc<Entry>) {
        let token = SecretToken::default();
        let mut signing = self.signing.subscribe();
        let mut updates = entry.current.subscribe();
        let mut pause = RETRY.0;
        loop {
            let Some(leaf) = updates.borrow_and_update().clone() else { return };
            let cert = &leaf.cert;
            let renew_at = schedule::renew_at(cert.valid_after, cert.valid_before, self.chance());
            let mut replaced_at: Option<Instant> = None;
            let mut window = Instant::now();
            let mut retry_at: Option<Instant> = None;
            while !updates.has_changed().unwrap_or(true) {
                if entry.used.lock().elapsed() > UNUSED_MAX {
                    self.entries.lock().retain(|_, e| !Arc::ptr_eq(e, entry));
                    return;
                }
                let active = signing.borrow_and_update().clone();
                let is_old = !active.is_empty() && active != cert.signing_key_id;
                let left = renew_at.saturating_sub(unix_s(&*self.deps.clock)).max(0).unsigned_abs();
                let due = Instant::now() + Duration::from_secs(left).min(LOOK);
                if is_old && replaced_at.is_none() {
                    // Soon, though not by all agents at once.
                    replaced_at = Some(Instant::now() + schedule::WINDOW.mul_f64(self.chance()));
                }
                let replaced_at = replaced_at.filter(|_| is_old);
                let due = retry_at.or(replaced_at).unwrap_or(due);
                tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    _ = signing.changed() => continue,
                    _ = updates.changed() => break,
                }
                if left > LOOK.as_secs() && !is_old && retry_at.is_none() {
                    continue;
                }
                match self.renew(entry, &token).await {
                    Ok(()) => pause = RETRY.0,
                    Err(RequestError::Refused(why)) if why == CSR_RATE_LIMITED => {
                        let wait = schedule::next_window(window.elapsed(), self.chance());
                        window += schedule::WINDOW;
                        retry_at = Some(Instant::now() + wait);
                    }
                    Err(error) => {
                        tracing::warn!(service = %entry.name.1, %error, "cannot renew a leaf certificate, trying again");
                        retry_at = Some(Instant::now() + pause);
                        pause = (pause * 2).min(RETRY.1);
                    }
                }
            }
        }
    }

    async fn renew(&self, entry: &Entry, token: &SecretToken) -> Result<(), RequestError> {
        let _one = entry.asking.lock().await;
        let roots = self.roots(token).await?;
        self.ask(entry, &roots.trust_domain, token).await.map(drop)
    }
}
