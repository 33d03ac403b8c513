//! Probes, suspicion and our own health.

use super::{Core, Output, Probe, Relay};
use crate::{
    NodeId,
    packet::{Item, Packet},
    sink::Note,
    suspicion::Suspicion,
};
use foca::{Codec as _, Header, Incarnation, Member, Message, State};
use rand::Rng as _;
use std::time::Duration;

/// Probes that we make for others at a time.
const RELAYS_MAX: usize = 256;

impl Core {
    pub(super) fn note_probe(&mut self, now: Duration, note: Note) {
        match note {
            Note::PingSent(number, to) => {
                self.probe = Probe { number, sent: Some((to, now)), ..Probe::default() };
            }
            Note::AckReceived(number) => {
                if number == self.probe.number && !self.probe.answered {
                    self.probe.answered = true;
                    self.awareness.better();
                }
            }
            Note::PingReqSent => self.probe.asked += 1,
            Note::ProbeFailed => {
                self.counters.probes_failed += 1;
                // Helpers that are well say so even if the target is not; their silence speaks against our own link.
                let silent =
                    if self.probe.asked > 0 { self.probe.asked.saturating_sub(self.probe.nacks) } else { 1 };
                self.awareness.worse(silent);
            }
            Note::PingReqReceived { origin, target } => {
                if self.relays.len() < RELAYS_MAX {
                    let due = now + self.timing.probe_timeout.mul_f64(0.8);
                    self.relays.push(Relay { origin, target, due });
                }
            }
            Note::IndirectAckReceived { origin, target } => {
                self.relays.retain(|r| r.origin != origin || r.target != target);
            }
            Note::Up(_) | Note::Down(_) | Note::Renamed(..) | Note::Rejoined => {}
        }
    }

    /// Somebody suspects `id`. `by` is the suspector, where that is known.
    pub(super) fn suspect(
        &mut self,
        now: Duration,
        id: NodeId,
        incarnation: Incarnation,
        by: Option<NodeId>,
    ) {
        let Some(node) = self.roster.run(&id).filter(|n| n.active && incarnation >= n.incarnation) else {
            return;
        };
        let own = self.id();
        let _ = node;
        self.roster.heard(&id, incarnation);
        let known = self.suspicions.get(&id).is_some_and(|s| s.incarnation == incarnation);
        if !known {
            self.suspicions.insert(id, Suspicion::new(incarnation, now));
            if by != Some(own) && self.drawn() {
                // The suspect hears of it from us, and if it cannot answer we have seen so ourselves.
                let wait = self.timing.probe_timeout * self.awareness.factor();
                if let Some(s) = self.suspicions.get_mut(&id) {
                    s.asked_until = Some(now + wait);
                }
                self.send(id.addr(), &Packet::Poke { src: own, dst: id, incarnation });
            }
        }
        if by == Some(own) {
            self.raise(id, incarnation);
            self.send(id.addr(), &Packet::Poke { src: own, dst: id, incarnation });
        }
    }

    /// Whether the lot falls on us to ask a suspect: about twice as many members as can shorten anything.
    fn drawn(&mut self) -> bool {
        let members = self.members_alive();
        let wanted = 2 * (Suspicion::wanted(&self.timing, members) + 1);
        self.rng.random_range(0..members.max(1)) < wanted
    }

    /// Our own finding: count it and tell the others.
    pub(super) fn raise(&mut self, id: NodeId, incarnation: Incarnation) {
        let own = self.id();
        if self.confirm(&id, own) {
            self.counters.suspicions_raised += 1;
            self.broadcast(&Item::Suspect { target: id, incarnation, from: own });
        }
    }

    pub(super) fn confirm(&mut self, id: &NodeId, by: NodeId) -> bool {
        let members = self.members_alive();
        self.suspicions.get_mut(id).is_some_and(|s| s.confirm(by, &self.timing, members))
    }

    /// We are suspected: foca refutes it if it is not an old story.
    pub(super) fn suspected(&mut self, now: Duration, incarnation: Incarnation) {
        let (own, before) = (self.id(), self.sink.incarnation);
        self.with_foca(now, |foca, sink| {
            foca.apply_many(std::iter::once(Member::new(own, incarnation, State::Suspect)), true, sink)
        });
        if self.id() == own && self.sink.incarnation > before {
            self.refuted();
        }
    }

    /// We were suspected without reason, so perhaps we were slow.
    pub(super) fn refuted(&mut self) {
        self.counters.suspicions_refuted += 1;
        self.awareness.worse(1);
    }

    /// Others count us among the dead: come back as a new run.
    pub(super) fn declared_dead(&mut self, now: Duration) {
        let own = self.id();
        self.with_foca(now, |foca, sink| foca.apply_many(std::iter::once(Member::down(own)), true, sink));
    }

    /// A rumour of a later run at our address (our clock went back, or our files were lost): be later still.
    pub(super) fn outrun_rumours(&mut self, now: Duration) {
        let own = self.id();
        if self.rumoured_bump > own.bump()
            && let Some(next) = own.after(self.rumoured_bump)
        {
            self.with_foca(now, |foca, sink| foca.change_identity(next, sink));
            self.rejoined(now);
        }
    }

    /// The stream message that asks `id` whether it is there.
    pub fn ping_request(&self, id: NodeId) -> Vec<u8> {
        crate::sync::StreamMessage::Ping { dst: id }.encode()
    }

    /// A member answered on a stream to the probe `number`: as good as an answer by datagram.
    pub(super) fn pong(&mut self, now: Duration, id: NodeId, incarnation: Incarnation, number: u8) {
        if number != self.probe.number || self.roster.run(&id).is_none() {
            return;
        }
        let header =
            Header { src: id, src_incarnation: incarnation, dst: self.id(), message: Message::Ack(number) };
        let mut bytes = Vec::new();
        if crate::codec::WireCodec.encode_header(&header, &mut bytes).is_ok() {
            self.with_foca(now, |foca, sink| foca.handle_data(&bytes, sink));
        }
        self.tell();
    }

    /// The direct probe of `id` was not answered in time; others are being asked. Try a stream as well.
    pub(super) fn try_stream(&mut self, id: NodeId) {
        if !self.probe.answered {
            let number = self.probe.number;
            self.output(Output::Ping { id, number });
        }
    }
}
