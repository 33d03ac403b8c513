//! Sessions.

use crate::Agent;
use http_api::port::{PortFuture, SessionPort};
use std::sync::Arc;
use types::{SecretToken, Str, Tenancy, record::Session};

impl SessionPort for Agent {
    fn new_session_id(&self) -> Str {
        let mut bytes = [0; 16];
        rand::RngCore::fill_bytes(&mut *self.ids.lock(), &mut bytes);
        Str::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
    }

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
