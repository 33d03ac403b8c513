//! What the leader does for others.

use crate::{limit::Limit, unix_s};
use catalog::Store;
use connect_ca::{
    CaError, Csr, Identity, RootParams, Settings, Signer, Signing, SpiffeId, given_config, needs_new_root,
    new_root, trust_domain,
};
use parking_lot::Mutex;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rpc::{Consensus, ViewHub};
use runtime::{BoxFuture, RngSeed, WallClock};
use std::sync::Arc;
use types::{
    DatacenterName, Opaque, RequestError, SecretToken, Str,
    ca::{CSR_RATE_LIMITED, CaAnswer, CaConfig, CaProviderState, CaRequest, CaRoot, CaUpdate, SignedLeaf},
    command::{Command, CommandResponse},
};

/// Characters that tell authorities apart by name.
const NAME_ID_CHARS: usize = 8;

/// Settings of the authority.
#[derive(Clone, Debug)]
pub struct AuthorityConfig {
    /// Own datacenter.
    pub datacenter: DatacenterName,
    /// The one whose root all trust.
    pub primary: DatacenterName,
    /// `connect.enabled`
    pub enabled: bool,
    /// `connect.ca_config`, with which an authority begins.
    pub ca_config: Option<Opaque>,
    /// Token of the leader's own requests to the primary.
    pub token: SecretToken,
}

impl AuthorityConfig {
    /// Whether the root is made here.
    pub fn is_primary(&self) -> bool {
        self.datacenter == self.primary
    }
}

/// What the authority is given.
pub struct Deps {
    /// The state of this server.
    pub hub: Arc<ViewHub>,
    /// Writes, and whether this server leads.
    pub consensus: Arc<dyn Consensus>,
    /// Times of certificates.
    pub clock: Arc<dyn WallClock>,
    /// Names of authorities.
    pub seed: RngSeed,
}

/// The certificate authority of a server; only the leader's acts.
pub struct Authority {
    pub(crate) config: AuthorityConfig,
    hub: Arc<ViewHub>,
    consensus: Arc<dyn Consensus>,
    pub(crate) clock: Arc<dyn WallClock>,
    rng: Mutex<ChaCha8Rng>,
    limit: Limit,
    /// One change at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// Why there is no authority yet.
    problem: Mutex<Str>,
    /// Told when new settings are stored in a secondary datacenter.
    pub(crate) reconfigured: tokio::sync::Notify,
}

/// The authority as it is stored.
pub(crate) struct Stored {
    pub(crate) config: CaConfig,
    pub(crate) state: CaProviderState,
    pub(crate) roots: Vec<CaRoot>,
}

impl Stored {
    pub(crate) fn of(store: &Store) -> Option<Self> {
        let (config, roots) = store.ca()?;
        let state = store.ca_provider_state()?.clone();
        Some(Self { config: config.clone(), state, roots: roots.to_vec() })
    }

    pub(crate) fn active(&self) -> Option<&CaRoot> {
        self.roots.iter().find(|r| r.active)
    }

    pub(crate) fn signer(&self) -> Result<Signer, CaError> {
        Signer::read(&self.state.root_pem, &self.state.private_key_pem)
    }
}

pub(crate) fn refused(why: impl std::fmt::Display) -> RequestError {
    RequestError::Refused(Str::from(why.to_string()))
}

impl Authority {
    /// An authority that acts while its server leads.
    pub fn new(config: AuthorityConfig, deps: Deps) -> Arc<Self> {
        let Deps { hub, consensus, clock, seed } = deps;
        Arc::new(Self {
            config,
            hub,
            consensus,
            clock,
            rng: Mutex::new(seed.fork("authority")),
            limit: Limit::default(),
            changing: tokio::sync::Mutex::default(),
            problem: Mutex::default(),
            reconfigured: tokio::sync::Notify::new(),
        })
    }

    /// The stored authority, as of now.
    pub(crate) async fn stored(&self) -> Result<Option<Stored>, RequestError> {
        // A leader of a fresh term may not have applied all that the one before did.
        self.consensus.read_point().await?;
        Ok(Stored::of(&self.hub.load()))
    }

    async fn ready(&self) -> Result<Stored, RequestError> {
        if !self.config.enabled {
            return Err(refused("Connect must be enabled in order to use this endpoint"));
        }
        self.stored().await?.ok_or_else(|| {
            let problem = self.problem.lock();
            match problem.as_str() {
                "" => refused("the certificate authority is not initialized yet, try again later"),
                why => refused(format!("the certificate authority is not initialized yet: {why}")),
            }
        })
    }

    /// Remembers why there is no authority; the text is shown to those who need one. True when it is news.
    pub(crate) fn set_problem(&self, why: &str) -> bool {
        let mut problem = self.problem.lock();
        let news = problem.as_str() != why;
        *problem = Str::new(why);
        news
    }

    /// Letters and digits that tell authorities apart.
    pub(crate) fn name_id(&self) -> String {
        let mut rng = self.rng.lock();
        (0..NAME_ID_CHARS).map(|_| char::from_digit(rng.random_range(0..36), 36).unwrap_or('0')).collect()
    }

    /// A serial number, and the index at which it was taken.
    async fn serial(&self) -> Result<(u64, u64), RequestError> {
        match self.consensus.propose(Command::CaSerial).await? {
            (index, CommandResponse::Number(serial)) => Ok((index, serial)),
            (_, other) => Err(RequestError::Malformed(Str::from(format!("serial number: {other:?}")))),
        }
    }

    /// Stores everything in one step, if nothing was stored since `expect` was read.
    pub(crate) async fn store(&self, expect: u64, new: Stored) -> Result<(), RequestError> {
        let Stored { config, state, roots } = new;
        let command = Command::CaSet { expect_index: expect, config, state, roots };
        match self.consensus.propose(command).await? {
            (_, CommandResponse::Bool(false)) => {
                Err(refused("the certificate authority was changed at the same time, try again"))
            }
            (_, CommandResponse::Refused(text)) => Err(RequestError::Refused(text)),
            _ => Ok(()),
        }
    }

    /// `agents`: for an agent, and for nobody else.
    async fn sign(&self, csr: &str, agents: bool) -> Result<SignedLeaf, RequestError> {
        let csr = Csr::parse(csr).map_err(refused)?;
        let stored = self.ready().await?;
        let domain = trust_domain(&stored.config.cluster_id);
        let id = self.identity(&csr, &domain, agents)?;
        let settings = Settings::of(&stored.config).map_err(refused)?;
        let Some(_place) = self.limit.admit(&settings).await else { return Err(refused(CSR_RATE_LIMITED)) };
        let signer = stored.signer().map_err(refused)?;
        let active = stored.active().ok_or_else(|| refused("there is no active root"))?;
        let now = unix_s(&*self.clock);
        for (what, end) in [("root", active.not_after), ("intermediate", signer.not_after())] {
            if end <= now {
                return Err(refused(format!("{what} expired: it ended at {end} (Unix time)")));
            }
        }
        let (index, serial) = self.serial().await?;
        let signing = Signing { serial, now, ttl: settings.leaf_ttl };
        let leaf = signer.leaf(&csr, &id, signing).map_err(refused)?;
        let mut cert_pem = leaf.cert_pem;
        for pem in &active.intermediate_certs {
            cert_pem.push_str(pem);
        }
        Ok(SignedLeaf {
            serial_number: Str::from(leaf.serial_number),
            cert_pem: Str::from(cert_pem),
            signing_key_id: Str::new(signer.key_id()),
            uri: Str::from(id.to_string()),
            valid_after: leaf.not_before,
            valid_before: leaf.not_after,
            index,
        })
    }

    /// Whom a leaf is for, if that is ours to say.
    fn identity(&self, csr: &Csr, domain: &str, agents: bool) -> Result<SpiffeId, RequestError> {
        let id = &csr.id;
        match &id.who {
            Identity::Agent { .. } if agents => {}
            Identity::Service { .. } | Identity::MeshGateway { .. } if !agents => {}
            _ if agents => return Err(refused(format!("SPIFFE ID in CSR must be an agent: {id}"))),
            _ => return Err(refused(format!("SPIFFE ID in CSR must be a service or a mesh gateway: {id}"))),
        }
        let (asked, own) = (id.datacenter().unwrap_or_default(), self.config.datacenter.as_str());
        if !asked.eq_ignore_ascii_case(own) {
            return Err(refused(format!(
                "SPIFFE ID in CSR from a different datacenter: {asked}, we are {own}"
            )));
        }
        // What servers show each other must not be had for the asking.
        if let Some(name) = csr.dns_names.iter().find(|n| n.to_ascii_lowercase().starts_with("server.")) {
            return Err(refused(format!("CSR SAN must not carry the name of a server: {name}")));
        }
        if matches!(id.who, Identity::Agent { .. }) {
            // Agents ask before they know the trust domain.
            return Ok(SpiffeId { trust_domain: domain.to_owned(), who: id.who.clone() });
        }
        if id.trust_domain != domain {
            return Err(refused(format!(
                "SPIFFE ID in CSR from a different trust domain: {}, we are {domain}",
                id.trust_domain
            )));
        }
        Ok(id.clone())
    }

    async fn sign_intermediate(&self, csr: &str) -> Result<Str, RequestError> {
        let csr = Csr::parse(csr).map_err(refused)?;
        if !self.config.is_primary() {
            return Err(refused(format!(
                "only the primary datacenter signs the authorities of others, and that is {}, not {}: primary_datacenter of the one that asks is wrong",
                self.config.primary, self.config.datacenter
            )));
        }
        let stored = self.ready().await?;
        let settings = Settings::of(&stored.config).map_err(refused)?;
        let signer = stored.signer().map_err(refused)?;
        let (_, serial) = self.serial().await?;
        let signing = Signing { serial, now: unix_s(&*self.clock), ttl: settings.intermediate_ttl };
        let pem = signer.intermediate(&csr, signing).map_err(refused)?;
        tracing::info!("signed the certificate authority of a secondary datacenter");
        Ok(Str::from(pem))
    }

    async fn configure(&self, update: CaUpdate) -> Result<(), RequestError> {
        let _one = self
            .changing
            .try_lock()
            .map_err(|_busy| refused("the certificate authority is being changed right now, try again"))?;
        let mut stored = self.ready().await?;
        let expect = stored.config.index.modify;
        let (config, settings) =
            given_config(&stored.config.cluster_id, &update.provider, &update.config).map_err(refused)?;
        if !self.config.is_primary() {
            if !settings.private_key.is_empty() || !settings.root_cert.is_empty() {
                return Err(refused(format!(
                    "error configuring provider: PrivateKey and RootCert are set in the primary datacenter, {}",
                    self.config.primary
                )));
            }
            // Refused now rather than at the next renewal.
            connect_ca::new_key(settings.key).map_err(refused)?;
            if stored.config.config != config.config {
                stored.config = CaConfig { index: stored.config.index, ..config };
                self.store(expect, stored).await?;
                self.reconfigured.notify_one();
            }
            return Ok(());
        }
        let active = stored.active().ok_or_else(|| refused("there is no active root"))?;
        let rotates = needs_new_root(&settings, active, &stored.state).map_err(refused)?;
        if !rotates && stored.config.config == config.config {
            return Ok(());
        }
        if rotates {
            self.rotate(&mut stored, &settings, update.force_without_cross_signing).await?;
        }
        stored.config = CaConfig { index: stored.config.index, ..config };
        self.store(expect, stored).await?;
        tracing::info!(new_root = rotates, "certificate authority configured");
        Ok(())
    }

    /// Puts a new root in place of the active one.
    async fn rotate(
        &self,
        stored: &mut Stored,
        settings: &Settings,
        force: bool,
    ) -> Result<(), RequestError> {
        let now = unix_s(&*self.clock);
        let (_, serial_number) = self.serial().await?;
        let params = RootParams {
            cluster_id: stored.config.cluster_id.clone(),
            name_id: Str::from(self.name_id()),
            serial_number,
            now,
        };
        let (mut root, state) = new_root(&params, settings).map_err(refused)?;
        if !force {
            let (_, serial) = self.serial().await?;
            let cross = stored.signer().and_then(|old| old.cross_sign(&root.root_cert, serial, now));
            let cross = cross.map_err(|why| {
                refused(format!(
                    "The current CA Provider does not support cross-signing ({why}). You can set ForceWithoutCrossSigning to true to change the root at once; connections fail until every proxy has its new certificate."
                ))
            })?;
            root.intermediate_certs = vec![Str::from(cross)];
        }
        // One that was rotated out may come back.
        stored.roots.retain(|r| r.id != root.id);
        for old in stored.roots.iter_mut().filter(|r| r.active) {
            old.active = false;
            old.rotated_out_at = now;
        }
        stored.roots.push(root);
        stored.state = state;
        Ok(())
    }
}

impl rpc::Authority for Authority {
    fn authority(
        &self,
        _datacenter: Option<&str>,
        _token: &SecretToken,
        request: CaRequest,
    ) -> BoxFuture<'_, Result<CaAnswer, RequestError>> {
        Box::pin(async move {
            match request {
                CaRequest::Sign { csr } => self.sign(&csr, false).await.map(CaAnswer::Leaf),
                CaRequest::SignIntermediate { csr } => {
                    self.sign_intermediate(&csr).await.map(CaAnswer::Intermediate)
                }
                CaRequest::Enroll { csr } => self.sign(&csr, true).await.map(CaAnswer::Leaf),
                CaRequest::Configure(update) => self.configure(update).await.map(|()| CaAnswer::Done),
            }
        })
    }
}
