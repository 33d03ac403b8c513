//! User events, and places in the network.

use crate::Agent;
use http_api::port::{IdPort, NetworkPort, PortError, PortFuture};
use rpc::message::{DeskAnswer, DeskRequest};
use runtime::BoxFuture;
use std::sync::Arc;
use types::{
    RequestError, SecretToken, Str,
    coordinate::{CoordinateRow, DatacenterCoordinates},
    event::UserEvent,
};

impl NetworkPort for Agent {
    fn fire_event(
        &self,
        datacenter: Option<&str>,
        event: UserEvent,
        token: SecretToken,
    ) -> PortFuture<'_, UserEvent> {
        let datacenter = datacenter.map(Str::new);
        let event = UserEvent { id: self.fresh_id(), ..event };
        Box::pin(async move {
            let failed = |text: String| PortError::Failed(Str::from(text));
            match datacenter {
                None => self.fire(&event).map_err(failed)?,
                Some(dc) => {
                    Self::check_event(&event).map_err(failed)?;
                    self.service.desk(Some(&dc), &token, DeskRequest::Fire(event.clone())).await?;
                }
            }
            Ok(event)
        })
    }

    fn events(&self) -> Vec<Arc<UserEvent>> {
        self.events.all()
    }

    fn events_changed(&self) -> BoxFuture<'static, ()> {
        Box::pin(self.events.arrival())
    }

    fn update_coordinate(
        &self,
        datacenter: Option<&str>,
        row: CoordinateRow,
        token: SecretToken,
    ) -> PortFuture<'_, ()> {
        let datacenter = datacenter.map(Str::new);
        Box::pin(async move {
            self.service.desk(datacenter.as_deref(), &token, DeskRequest::Coordinate(row)).await?;
            Ok(())
        })
    }

    fn wan_coordinates(&self) -> PortFuture<'_, Vec<DatacenterCoordinates>> {
        Box::pin(async move {
            match self.service.desk(None, &SecretToken::default(), DeskRequest::WanCoordinates).await? {
                DeskAnswer::WanCoordinates(all) => Ok(all),
                DeskAnswer::Ok => {
                    Err(RequestError::Malformed(Str::new_static("coordinates expected")).into())
                }
            }
        })
    }
}
