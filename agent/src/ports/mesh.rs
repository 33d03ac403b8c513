//! Certificates of the mesh.

use crate::Agent;
use http_api::port::{MeshPort, PortFuture};
use rpc::Authority as _;
use std::{sync::Arc, time::Duration};
use types::{
    SecretToken, Str, Tenancy,
    ca::{CaRequest, CaUpdate, ServiceLeaf},
};

impl MeshPort for Agent {
    fn leaf(
        &self,
        tenancy: &Tenancy,
        service: &str,
        min_index: u64,
        wait: Duration,
        token: SecretToken,
    ) -> PortFuture<'_, (Arc<ServiceLeaf>, bool)> {
        let (namespace, service) = (Str::new(tenancy.namespace()), Str::new(service));
        Box::pin(async move { Ok(self.leaves.get(&namespace, &service, &token, min_index, wait).await?) })
    }

    fn configure_ca(
        &self,
        datacenter: Option<&str>,
        update: CaUpdate,
        token: SecretToken,
    ) -> PortFuture<'_, ()> {
        let datacenter = datacenter.map(Str::new);
        Box::pin(async move {
            let request = CaRequest::Configure(update);
            self.service.authority(datacenter.as_deref(), &token, request).await?;
            Ok(())
        })
    }
}
