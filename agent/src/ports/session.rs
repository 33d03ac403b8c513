//! Sessions, and the ids of new ones.

use crate::Agent;
use http_api::port::{IdPort, PortFuture, SessionPort};
use std::sync::Arc;
use types::{SecretToken, Str, Tenancy, record::Session};

impl IdPort for Agent {
    fn fresh_id(&self) -> Str {
        let bytes = rand::Rng::random(&mut *self.ids.lock());
        Str::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }
}

impl SessionPort for Agent {
    fn renew_session(
        &self,
        datacenter: Option<&str>,
        tenancy: &Tenancy,
        id: &str,
        token: SecretToken,
    ) -> PortFuture<'_, Option<Arc<Session>>> {
        let (datacenter, tenancy, id) = (datacenter.map(Str::new), tenancy.clone(), Str::new(id));
        Box::pin(
            async move { Ok(self.service.renew_session(datacenter.as_deref(), &token, tenancy, id).await?) },
        )
    }
}
