//! How this agent finds the others.

use crate::{Agent, bootstrap, members};
use config::RuntimeConfig;
use gossip_driver::{GossipHandle, RetryJoin};
use raft::ServerId;
use rpc::Pool;
use std::sync::Arc;
use types::Str;

impl Agent {
    /// The first cluster, and joining the others.
    pub(crate) async fn form_or_join(&self, config: &Arc<RuntimeConfig>, pool: Pool, server_id: ServerId) {
        if let Some(server) = &self.server {
            if server.consensus.raft().is_initialized() {
                tracing::info!("this server already belongs to a cluster, not bootstrapping");
            } else if config.bootstrap || config.dev_mode {
                if let Err(error) = bootstrap::alone(
                    &server.consensus,
                    server_id.0,
                    &config.node.name,
                    config.net.rpc_advertise,
                )
                .await
                {
                    tracing::error!(%error, "failed to bootstrap");
                }
            } else if config.bootstrap_expect > 0 {
                members::bootstrap_when_ready(
                    server.consensus.clone(),
                    &self.lan,
                    pool,
                    server_id.0,
                    config,
                    &self.tasks,
                );
            }
        }
        let plan = |targets: &[Str], interval, max| RetryJoin {
            targets: targets.iter().map(Str::to_string).collect(),
            interval,
            max,
        };
        let join = &config.join;
        if !join.lan.is_empty() {
            self.keep_joining(self.lan.clone(), plan(&join.lan, join.interval_lan, join.max_lan));
        }
        let node = &config.node;
        if let Some(server) = self.server.as_ref().filter(|s| s.dialer.is_some())
            && node.datacenter != node.primary_datacenter
            && let Some(wan) = server.wan.clone()
        {
            // Any server there will do; its name stands for whatever address it has.
            let any = members::any_server(&node.primary_datacenter);
            self.keep_joining(wan, plan(&[Str::from(any)], join.interval_wan, join.max_wan));
        }
        if !join.wan.is_empty() {
            match self.server.as_ref().and_then(|s| s.wan.clone()) {
                Some(wan) => self.keep_joining(wan, plan(&join.wan, join.interval_wan, join.max_wan)),
                None => tracing::error!("(WAN) couldn't join: Err: Must be a server to join WAN cluster"),
            }
        }
    }

    fn keep_joining(&self, gossip: GossipHandle, plan: RetryJoin) {
        let failed = self.tasks.shutdown().clone();
        self.tasks.spawn("retry join", async move {
            if let Err(error) = gossip.retry_join(plan).await
                && !failed.is_triggered()
            {
                tracing::error!("{error}");
                failed.trigger();
            }
        });
    }
}
