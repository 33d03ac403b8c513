//! Services and checks of this agent.

use crate::Agent;
use http_api::port::{PortError, PortFuture, RegistryPort};
use local::{LocalError, Source};
use runtime::BoxFuture;
use std::{collections::BTreeMap, sync::Arc};
use types::{
    SecretToken, Str,
    definition::{CheckDefinition, ServiceDefinition},
    record::{HealthCheck, NodeService},
};

fn port(e: LocalError) -> PortError {
    match e {
        LocalError::BadRequest(text) => PortError::Invalid(text),
        LocalError::NotFound(text) => PortError::NotFound(text),
        LocalError::Internal(text) => PortError::Failed(text),
    }
}

impl RegistryPort for Agent {
    fn services(&self) -> BTreeMap<Str, Arc<NodeService>> {
        self.local.services().as_ref().clone()
    }
    fn checks(&self) -> BTreeMap<Str, Arc<HealthCheck>> {
        self.local.checks().as_ref().clone()
    }
    fn service(&self, id: &str) -> Option<Arc<NodeService>> {
        self.local.services().get(id).cloned()
    }
    fn services_changed(&self) -> BoxFuture<'static, ()> {
        let mut changed = self.local.changed();
        changed.mark_unchanged();
        Box::pin(async move {
            // An error means that the agent ends, which ends the wait too.
            let _ = changed.changed().await;
        })
    }
    fn register_service(
        &self,
        service: ServiceDefinition,
        replace_checks: bool,
        token: SecretToken,
    ) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.local.register_service(service, Source::Api, replace_checks, token).await.map_err(port)
        })
    }
    fn deregister_service(&self, id: &str, _token: SecretToken) -> PortFuture<'_, ()> {
        let id = Str::new(id);
        Box::pin(async move { self.local.deregister_service(id.as_str()).await.map_err(port) })
    }
    fn register_check(&self, check: CheckDefinition, token: SecretToken) -> PortFuture<'_, ()> {
        Box::pin(async move { self.local.register_check(check, Source::Api, token).await.map_err(port) })
    }
    fn deregister_check(&self, id: &str, _token: SecretToken) -> PortFuture<'_, ()> {
        let id = Str::new(id);
        Box::pin(async move { self.local.deregister_check(id.as_str()).await.map_err(port) })
    }
    fn update_ttl(&self, id: &str, status: &'static str, output: &str) -> PortFuture<'_, ()> {
        let (id, output) = (Str::new(id), output.to_owned());
        Box::pin(async move { self.local.update_ttl(id.as_str(), status, &output).await.map_err(port) })
    }
    fn node_maintenance(&self, enable: bool, reason: &str, token: SecretToken) -> PortFuture<'_, ()> {
        let reason = reason.to_owned();
        Box::pin(async move { self.local.node_maintenance(enable, &reason, token).await.map_err(port) })
    }
    fn service_maintenance(
        &self,
        id: &str,
        enable: bool,
        reason: &str,
        token: SecretToken,
    ) -> PortFuture<'_, ()> {
        let (id, reason) = (Str::new(id), reason.to_owned());
        Box::pin(async move {
            self.local.service_maintenance(id.as_str(), enable, &reason, token).await.map_err(port)
        })
    }
}
