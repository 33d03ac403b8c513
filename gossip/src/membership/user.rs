//! User events and coordinates.

use super::{Core, Output};
use crate::{
    NodeId,
    packet::Item,
    sync::SyncEvent,
    user::{USER_EVENT_BYTES_MAX, UserEvent},
};
use bytes::Bytes;
use std::{net::SocketAddr, time::Duration};
use types::{Str, coordinate::Coordinate};

impl Core {
    /// Tells all members of the pool, this one included; answers the Lamport time of the event.
    ///
    /// # Errors
    /// What is too large, in words; nothing was sent then.
    pub fn fire_event(&mut self, name: Str, payload: Bytes) -> Result<u64, String> {
        if name.len() > usize::from(u8::MAX) || name.len() + payload.len() > USER_EVENT_BYTES_MAX {
            return Err(format!(
                "the name and content of an event have more than {USER_EVENT_BYTES_MAX} bytes"
            ));
        }
        let event = self.user.fire(name, payload);
        let ltime = event.ltime;
        self.broadcast(&Item::User { ltime, name: event.name.clone(), payload: &event.payload });
        self.news(event);
        Ok(ltime)
    }

    /// Lamport time of the next user event.
    pub fn event_time(&self) -> u64 {
        self.user.clock()
    }

    /// Takes an event that others told; answers whether it was news.
    pub(super) fn hear(&mut self, ltime: u64, name: Str, payload: &[u8]) -> bool {
        self.news(UserEvent { ltime, name, payload: Bytes::copy_from_slice(payload) })
    }

    fn news(&mut self, event: UserEvent) -> bool {
        let news = self.user.take(&event);
        if news {
            self.counters.user_events += 1;
            self.output(Output::User(event));
        }
        news
    }

    /// What another member remembers; `joining`: only its clock is for us.
    pub(super) fn catch_up(&mut self, clock: u64, events: &[SyncEvent<'_>], joining: bool) {
        self.user.witness(clock, joining);
        for e in events {
            self.hear(e.ltime, e.name.clone(), e.payload);
        }
    }

    /// An answer to a direct probe that says where the other is.
    pub(super) fn observe(&mut self, now: Duration, src: NodeId, number: u8, coordinate: &Coordinate) {
        let Some((_, sent)) = self.probe.sent.filter(|(to, _)| *to == src && number == self.probe.number)
        else {
            return;
        };
        // One answer is one measurement, however often it arrives.
        self.probe.sent = None;
        if let Some(vivaldi) = &mut self.vivaldi {
            vivaldi.observe(src, coordinate, now.saturating_sub(sent), &mut self.rng);
        }
    }

    pub(super) fn displaced(&mut self, id: &NodeId) {
        if let Some(vivaldi) = &mut self.vivaldi {
            vivaldi.forget(id);
        }
    }

    /// Where this member is; `None` when coordinates are off.
    pub fn coordinate(&self) -> Option<&Coordinate> {
        self.vivaldi.as_ref().map(|v| v.own())
    }

    /// Where the member at `addr` was when it answered a probe of ours last; our own place for our own address.
    pub fn coordinate_of(&self, addr: SocketAddr) -> Option<&Coordinate> {
        let vivaldi = self.vivaldi.as_ref()?;
        if addr == self.id().addr() {
            return Some(vivaldi.own());
        }
        let id = self.roster.nodes().find(|n| n.id.addr() == addr).map(|n| n.id)?;
        vivaldi.of(&id)
    }

    /// How often the coordinate made no sense and began anew.
    pub fn coordinate_resets(&self) -> u64 {
        self.vivaldi.as_ref().map_or(0, |v| v.resets)
    }
}
