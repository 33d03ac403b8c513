//! Everything that was read from the files, in the form that handshakes need.

use crate::{
    client::AcceptAny,
    handshake::Lane,
    learned::{self, Enrollment, Learned},
    load::{self, Fault, Own},
    settings::{LoadError, Part, Settings},
    suites,
    verify::ServerVerifier,
};
use runtime::WallClock;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    server::WebPkiClientVerifier,
    sign::{CertifiedKey, SingleCertAndKey},
    time_provider::TimeProvider,
};
use rustls_pki_types::UnixTime;
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// One of the agent's own certificates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnCertificate {
    /// Part of the stanza.
    pub part: &'static str,
    /// `cert_file`
    pub file: PathBuf,
    /// Names that it carries.
    pub names: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
}

/// The value that [`crate::Tls`] swaps as a whole.
#[derive(Default)]
pub struct Material {
    pub(crate) settings: Settings,
    pub(crate) rpc_server: Option<Arc<ServerConfig>>,
    pub(crate) rpc_client: Option<Arc<ClientConfig>>,
    /// One for each [`Lane`], which always looks at names; `None` without a certificate to show.
    pub(crate) tunnel_clients: Option<[Arc<ClientConfig>; Lane::ALL.len()]>,
    /// For clients that have no certificate yet, where they may ask for one.
    pub(crate) rpc_enroll: Option<Arc<ServerConfig>>,
    /// The other side of it, where this agent asks for one.
    pub(crate) rpc_enroll_client: Option<Arc<ClientConfig>>,
    /// What such clients are told.
    pub(crate) enrollment: Enrollment,
    pub(crate) https: Option<Arc<ServerConfig>>,
    /// Authorities and certificate of `internal_rpc`, for probes.
    pub(crate) roots: Option<Arc<RootCertStore>>,
    pub(crate) key: Option<Arc<SingleCertAndKey>>,
    pub(crate) own: Vec<OwnCertificate>,
}

impl fmt::Debug for Material {
    /// Without keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("own", &self.own).finish_non_exhaustive()
    }
}

/// The agent's clock for validity of certificates, so that simulated time counts.
pub(crate) struct Clock(pub(crate) Arc<dyn WallClock>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.unix_ms())))
    }
}

/// What the files of one part hold.
struct Loaded {
    roots: Option<Arc<RootCertStore>>,
    /// Those of clients.
    client_roots: Option<Arc<RootCertStore>>,
    own: Option<Own>,
    /// Its certificate comes from the servers, or will.
    learns: bool,
}

impl Loaded {
    fn read(part: &Part) -> Result<Self, LoadError> {
        Self::read_with(part, &Learned::default(), false)
    }

    fn read_with(part: &Part, learned: &Learned, learns: bool) -> Result<Self, LoadError> {
        let provider = suites::provider(part)?;
        let fault = Fault(part.name);
        let roots = learned::with(load::authorities(part)?, &learned.server_authorities)?;
        let client_roots = learned::with(roots.clone(), &learned.client_authorities)?.map(Arc::new);
        let roots = roots.map(Arc::new);
        let own = match (load::own(part, &provider)?, &learned.own) {
            (None, Some((chain, key))) => Some(learned::own(chain, key, &provider)?),
            (own, _) => own,
        };
        if part.verify_incoming {
            if roots.is_none() {
                return Err(fault.plain("VerifyIncoming set but no CA certificates were provided"));
            }
            if own.is_none() && !learns {
                return Err(fault.plain(
                    "VerifyIncoming requires either a Cert and Key pair in the configuration file, or auto_encrypt/auto_config be enabled",
                ));
            }
        }
        if part.verify_outgoing && roots.is_none() {
            return Err(fault.plain("VerifyOutgoing set but no CA certificates were provided"));
        }
        Ok(Self { roots, client_roots, own, learns })
    }

    fn resolver(&self) -> Option<Arc<SingleCertAndKey>> {
        let own = self.own.as_ref()?;
        Some(Arc::new(SingleCertAndKey::from(CertifiedKey::new(own.key.cert.clone(), own.key.key.clone()))))
    }

    /// The listening side; `None` without a certificate.
    fn server(&self, part: &Part, clock: &Arc<Clock>) -> Result<Option<Arc<ServerConfig>>, LoadError> {
        let Some(resolver) = self.resolver() else { return Ok(None) };
        let fail = |e: &dyn fmt::Display| Fault(part.name).plain(format!("TLS cannot be set up: {e}"));
        let provider = Arc::new(suites::provider(part)?);
        let builder = ServerConfig::builder_with_details(provider.clone(), clock.clone())
            .with_protocol_versions(suites::versions(part))
            .map_err(|e| fail(&e))?;
        let builder = match &self.client_roots {
            Some(roots) if part.verify_incoming => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider)
                    .build()
                    .map_err(|e| fail(&e))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Some(Arc::new(builder.with_cert_resolver(resolver))))
    }

    /// The connecting side; `None` unless it is to verify.
    fn client(
        &self,
        part: &Part,
        names: bool,
        clock: &Arc<Clock>,
    ) -> Result<Option<Arc<ClientConfig>>, LoadError> {
        let secured = part.verify_outgoing || (self.learns && self.own.is_some());
        let Some(roots) = self.roots.clone().filter(|_| secured) else { return Ok(None) };
        let fail = |e: &dyn fmt::Display| Fault(part.name).plain(format!("TLS cannot be set up: {e}"));
        let provider = Arc::new(suites::provider(part)?);
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_details(provider, clock.clone())
            .with_protocol_versions(suites::versions(part))
            .map_err(|e| fail(&e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ServerVerifier { roots, algorithms, names }));
        let mut config = match self.resolver() {
            Some(resolver) => builder.with_client_cert_resolver(resolver),
            None => builder.with_no_client_auth(),
        };
        // A resumed session would not look at the certificates again, which may have been replaced.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Some(Arc::new(config)))
    }
}

impl Material {
    /// Reads all files; what was learned counts beside them.
    pub(crate) fn load(settings: Settings, clock: &Arc<Clock>, learned: &Learned) -> Result<Self, LoadError> {
        let names = settings.verify_server_hostname || learned.verify_server_hostname;
        let (rpc, https, grpc) = (
            Loaded::read_with(&settings.internal_rpc, learned, settings.learns)?,
            Loaded::read(&settings.https)?,
            Loaded::read(&settings.grpc)?,
        );
        let mut own = Vec::new();
        for (part, loaded) in
            [(&settings.internal_rpc, &rpc), (&settings.https, &https), (&settings.grpc, &grpc)]
        {
            own.extend(loaded.own.as_ref().map(|o| OwnCertificate {
                part: part.name,
                file: o.file.clone(),
                names: o.facts.shown(),
                not_before: o.facts.not_before,
                not_after: o.facts.not_after,
            }));
        }
        let https = https.server(&settings.https, clock)?.map(|config| {
            let mut config = ServerConfig::clone(&config);
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Arc::new(config)
        });
        let rpc_server = rpc.server(&settings.internal_rpc, clock)?.map(|config| {
            let mut config = ServerConfig::clone(&config);
            config.alpn_protocols = Lane::ALL.map(|lane| lane.alpn().to_vec()).into();
            Arc::new(config)
        });
        let tunnel_clients = match &rpc.own {
            Some(_) => rpc.client(&settings.internal_rpc, true, clock)?.map(|config| {
                Lane::ALL.map(|lane| {
                    let mut config = ClientConfig::clone(&config);
                    config.alpn_protocols = vec![lane.alpn().to_vec()];
                    Arc::new(config)
                })
            }),
            None => None,
        };
        let open = Part { verify_incoming: false, ..settings.internal_rpc.clone() };
        let rpc_enroll = if settings.enrolls { rpc.server(&open, clock)? } else { None };
        let rpc_enroll_client =
            if settings.learns { Some(first_client(&settings, &rpc, names, clock)?) } else { None };
        let enrollment = Enrollment {
            authorities: load::authority_texts(&settings.internal_rpc),
            verify_server_hostname: settings.verify_server_hostname,
        };
        Ok(Self {
            rpc_server,
            tunnel_clients,
            rpc_client: rpc.client(&settings.internal_rpc, names, clock)?,
            rpc_enroll,
            rpc_enroll_client,
            enrollment,
            https,
            roots: rpc.roots.clone(),
            key: rpc.resolver(),
            own,
            settings,
        })
    }
}

/// A client that has no certificate to show; it verifies the server if the settings want servers verified.
fn first_client(
    settings: &Settings,
    rpc: &Loaded,
    names: bool,
    clock: &Arc<Clock>,
) -> Result<Arc<ClientConfig>, LoadError> {
    let part = &settings.internal_rpc;
    let fail = |e: &dyn fmt::Display| Fault(part.name).plain(format!("TLS cannot be set up: {e}"));
    let provider = Arc::new(suites::provider(part)?);
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_details(provider, clock.clone())
        .with_protocol_versions(suites::versions(part))
        .map_err(|e| fail(&e))?
        .dangerous();
    let builder = match rpc.roots.clone().filter(|_| part.verify_outgoing) {
        Some(roots) => {
            builder.with_custom_certificate_verifier(Arc::new(ServerVerifier { roots, algorithms, names }))
        }
        None => builder.with_custom_certificate_verifier(Arc::new(AcceptAny(algorithms))),
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}
