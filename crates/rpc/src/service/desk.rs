//! What any server does for others beside the replicated state.

use super::{Service, unexpected};
use crate::{
    message::{DeskAnswer, DeskRequest, Request, Response},
    ports::Desk,
};
use std::sync::Arc;
use tokio::time::Instant;
use types::{RequestError, SecretToken, Str};

impl Service {
    /// Sets who does it on this server; the first one stays.
    pub fn attend(&self, desk: Arc<dyn Desk>) {
        // Called once, when the agent is complete.
        let _first = self.desk.set(desk);
    }

    /// Has a server of a datacenter (`None` = the own one) do something.
    ///
    /// # Errors
    /// When no server there answers, or it refuses.
    pub async fn desk(
        &self,
        datacenter: Option<&str>,
        token: &SecretToken,
        request: DeskRequest,
    ) -> Result<DeskAnswer, RequestError> {
        let wrapped =
            |request| Request::Desk { datacenter: datacenter.map(Str::new), token: token.clone(), request };
        let answer = if self.server.is_none() {
            self.ask_any_server(&wrapped(request), Instant::now() + self.config.hold).await?
        } else if let Some(remote) = self.place(datacenter)? {
            self.ask_remote(&remote, &wrapped(request)).await?
        } else {
            return self.desk.get().ok_or(RequestError::ShuttingDown)?.handle(request);
        };
        match answer {
            Response::Desk(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }
}
