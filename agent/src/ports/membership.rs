//! Identity, members, joining, leaving, reloading.

use crate::{Agent, convert, stats, tags};
use gossip_driver::{ForceLeaveError, GossipHandle};
use http_api::port::{
    AgentTokenKind, MembershipPort, PortError, PortFuture, SelfConfig, SelfInfo, VersionInfo, XdsPorts,
};
use types::{API_LEVEL, SecretToken, Str, member::Member};

fn failed(e: impl ToString) -> PortError {
    PortError::Failed(Str::from(e.to_string()))
}

/// Makes a member of the pool leave; whether it was a member.
async fn leave_pool(pool: &GossipHandle, node: &str, prune: bool) -> Result<bool, PortError> {
    match pool.force_leave(node, prune).await {
        Ok(()) => Ok(true),
        Err(ForceLeaveError::UnknownMember(_)) => Ok(false),
        Err(other @ ForceLeaveError::Shutdown) => Err(failed(other)),
    }
}

impl MembershipPort for Agent {
    fn self_info(&self) -> SelfInfo {
        let config = self.config.load();
        SelfInfo {
            config: SelfConfig {
                datacenter: Str::new(config.node.datacenter.as_str()),
                primary_datacenter: Str::new(config.node.primary_datacenter.as_str()),
                node_name: config.node.name.0.clone(),
                node_id: self.node_id.clone(),
                partition: Str::default(),
                revision: Str::new_static(stats::REVISION),
                server: config.server,
                version: Str::new_static(API_LEVEL),
                build_date: Str::new_static(stats::BUILD_DATE),
            },
            debug_config: config::debug_config(&config),
            coord: self.lan.coordinate().map_or(serde_json::Value::Null, |c| {
                serde_json::json!({ "Vec": c.vec, "Error": c.error, "Adjustment": c.adjustment, "Height": c.height })
            }),
            member: Some(self.lan.local_member()),
            stats: self.stats(),
            meta: convert::node_meta(&config),
            xds: (config.net.ports.grpc.is_some() || config.net.ports.grpc_tls.is_some()).then(|| XdsPorts {
                plaintext: config.net.ports.grpc.map_or(-1, i64::from),
                tls: config.net.ports.grpc_tls.map_or(-1, i64::from),
            }),
        }
    }

    fn version(&self) -> VersionInfo {
        VersionInfo {
            sha: Str::new_static(stats::REVISION),
            build_date: Str::new_static(stats::BUILD_DATE),
            human_version: Str::new_static(API_LEVEL),
        }
    }

    fn host(&self) -> PortFuture<'_, serde_json::Value> {
        let now = self.world.clock.unix_ms();
        Box::pin(async move { stats::host(now).map_err(failed) })
    }

    fn members(&self, wan: bool) -> Option<Vec<Member>> {
        if !wan {
            return Some(self.lan.members().as_ref().clone());
        }
        let pool = self.server.as_ref()?.wan.as_ref()?;
        Some(pool.members().iter().cloned().map(federation::names::shown).collect())
    }

    fn join(&self, address: &str, wan: bool) -> PortFuture<'_, ()> {
        let target = address.to_owned();
        Box::pin(async move {
            let pool = match (wan, &self.server) {
                (false, _) => &self.lan,
                (true, None) => return Err(failed("Must be a server to join WAN cluster")),
                (true, Some(server)) if server.dialer.is_some() => {
                    let why = "WAN join is disabled when wan federation via mesh gateways is enabled";
                    return Err(failed(why));
                }
                (true, Some(server)) => {
                    server.wan.as_ref().ok_or_else(|| failed("WAN gossip is disabled"))?
                }
            };
            pool.join(&[target]).await.map_err(failed)?;
            Ok(())
        })
    }

    fn leave(&self) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.leave_gracefully().await;
            self.leaving.trigger();
            Ok(())
        })
    }

    fn force_leave(&self, node: &str, prune: bool, wan: bool) -> PortFuture<'_, ()> {
        let node = node.to_owned();
        Box::pin(async move {
            let wan_pool = self.server.as_ref().and_then(|server| server.wan.as_ref());
            if !wan {
                // The WAN pool knows the servers of this datacenter by their long names.
                let suffix = format!(".{}", self.config.load().node.datacenter);
                let long = if node.ends_with(&suffix) { node.clone() } else { node.clone() + &suffix };
                let mut found = leave_pool(&self.lan, &node, prune).await?;
                if let Some(pool) = wan_pool {
                    found |= leave_pool(pool, &long, prune).await?;
                }
                return if found {
                    Ok(())
                } else {
                    Err(failed(format!("agent: No node found with name '{node}'")))
                };
            }
            let pool = match (&self.server, wan_pool) {
                (None, _) => {
                    return Err(failed("Must be a server to force-leave a node from the WAN cluster"));
                }
                (Some(_), None) => return Err(failed("WAN gossip is disabled")),
                (Some(_), Some(pool)) => pool,
            };
            if leave_pool(pool, &node, prune).await? {
                Ok(())
            } else {
                // The name that it was not found by is the LAN name, and there is none.
                Err(failed("agent: No node found with name ''"))
            }
        })
    }

    fn reload(&self) -> PortFuture<'_, ()> {
        Box::pin(async move { self.reload_config().await.map_err(failed) })
    }

    fn datacenters(&self) -> PortFuture<'_, Vec<Str>> {
        Box::pin(async move { Ok(self.service.datacenters().await?.into_iter().map(|dc| dc.0).collect()) })
    }

    fn set_token(&self, kind: AgentTokenKind, token: SecretToken) -> PortFuture<'_, ()> {
        if kind == AgentTokenKind::Default {
            self.local.set_default_token(token.clone());
        }
        // Kept for what will act in its name: tokens are not checked yet.
        self.tokens.lock().insert(kind, token);
        Box::pin(async { Ok(()) })
    }
}

impl Agent {
    /// Tells the others that this agent leaves for good: leadership is handed over, the server gives up its vote, gossip hears
    /// of it.
    pub async fn leave_gracefully(&self) {
        if self.tasks.shutdown().is_triggered() {
            return;
        }
        if let Some(server) = &self.server {
            let raft = server.consensus.raft();
            let others = raft.membership().voters().filter(|s| s.id.to_string() != *self.node_id).count();
            if others > 0 {
                if raft.status_now().is_leader()
                    && let Err(error) = raft.transfer_leader(None).await
                {
                    tracing::warn!(%error, "failed to hand over leadership");
                }
                if let Ok(id) = self.node_id.parse::<raft::ServerId>()
                    && let Err(error) = self.service.remove_server(None, id.0).await
                {
                    tracing::warn!(%error, "failed to leave the Raft configuration");
                }
            }
            if let Some(wan) = &server.wan {
                wan.leave().await;
            }
        }
        self.lan.leave().await;
    }

    /// Reads the configuration again and applies what can change while running.
    ///
    /// # Errors
    /// The text for the operator. When reading or checking fails nothing was changed.
    pub async fn reload_config(&self) -> Result<(), String> {
        // One at a time: two reloads at once would mix.
        let _turn = self.reloading.lock().await;
        let (mut new, warnings) = (self.reloader)()?;
        let watches =
            config::watch::parse_all(&new.watches).map_err(|e| format!("Failed reloading watches: {e}"))?;
        let old = self.config.load_full();
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let dns = convert::dns(&new).await?;
        let material = self
            .tls
            .prepare(convert::tls(&new))
            .map_err(|e| format!("Failed reloading tls configuration: {e}"))?;
        match new.log.level.parse::<telemetry::Level>() {
            Ok(level) => self.world.logs.set_level(level),
            Err(_unknown) => {
                tracing::warn!(level = %new.log.level, "invalid log level, keeping the old one");
                new.log.level = old.log.level.clone();
            }
        }
        let report = config::diff(&old, &new);
        for key in &report.needs_restart {
            tracing::warn!(%key, "changed, but takes effect only after a restart");
        }
        self.dns_config.store(std::sync::Arc::new(dns));
        self.tls.install(material);
        self.service.limits().set(convert::rates(&new));
        if let Some(http) = self.http.get() {
            let mut settings = convert::http(&old);
            settings.enable_debug = new.http.enable_debug;
            settings.max_conns_per_client = new.http.max_conns_per_client as usize;
            http.reconfigure(settings);
        }
        if let Some(running) = self.watches.get() {
            running.set(watches);
        }
        let mut local = convert::local(&old, &self.node_id, None);
        local.node.meta = convert::node_meta(&new);
        local.discard_check_output = new.check.discard_output;
        local.data_dir = old.data_dir.clone();
        local.probe_tls = old.tls.for_checks.then(|| self.tls.clone());
        self.local.reconfigure(local);
        self.local.set_default_token(new.acl.tokens.default.clone());
        let files = checks::FileDefinitions { services: new.services.clone(), checks: new.checks.clone() };
        let result = self.local.reload(files).await.map_err(|e| format!("Failed reloading services: {e}"));
        if old.node.meta != new.node.meta {
            self.lan.set_tags(tags::lan(&old, &self.node_id)).await.map_err(|e| e.to_string())?;
        }
        self.config.store(std::sync::Arc::new(new));
        result?;
        tracing::info!("configuration reloaded");
        Ok(())
    }
}
