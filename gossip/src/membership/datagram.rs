//! Datagrams.

use super::{CONTENT_BYTES_MAX, Core, Leave};
use crate::{
    NodeId,
    codec::SwimPacket,
    meta::Meta,
    packet::{Item, Packet},
};
use foca::{Header, Incarnation, Member, Message, State};
use std::{net::SocketAddr, time::Duration};
use types::coordinate::Coordinate;

impl Core {
    /// A datagram arrived.
    pub fn handle_datagram(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) {
        self.counters.packets_in += 1;
        self.counters.bytes_in += datagram.len() as u64;
        if self.leave == Leave::Done {
            return;
        }
        if datagram.len() > super::PACKET_BYTES_MAX {
            self.counters.dropped_malformed += 1;
            return;
        }
        let Some(content) = self.seal.open_packet(datagram, &mut self.counters) else { return };
        let packet = match Packet::decode(&content) {
            Ok(packet) => packet,
            Err(error) => {
                self.counters.dropped_malformed += 1;
                tracing::trace!(%from, %error, "packet dropped");
                return;
            }
        };
        match packet {
            Packet::Swim { digest, bytes } => self.swim(now, from, digest, None, bytes),
            Packet::Placed { digest, coordinate, bytes } => {
                self.swim(now, from, digest, Some(&coordinate), bytes);
            }
            Packet::Ask { src, wanted } => self.answer_ask(src, &wanted),
            Packet::Tell { records } => {
                for record in records {
                    self.learn(record);
                }
            }
            Packet::Poke { src, dst, incarnation } => {
                if dst == self.id() {
                    self.suspected(now, incarnation);
                    let incarnation = self.sink.incarnation;
                    self.send(src.addr(), &Packet::Alive { src: dst, dst: src, incarnation });
                }
            }
            Packet::Alive { src, dst, incarnation } => {
                if dst == self.id() && self.roster.run(&src).is_some_and(|n| n.active) {
                    if let Some(s) = self.suspicions.get_mut(&src) {
                        s.asked_until = None;
                    }
                    let alive = Member::new(src, incarnation, State::Alive);
                    self.apply(now, vec![alive], true);
                }
            }
            Packet::Nack { dst, target: _, .. } => {
                if dst == self.id() {
                    self.probe.nacks += 1;
                }
            }
            Packet::Dead { dst } => {
                if dst == self.id() {
                    self.declared_dead(now);
                }
            }
        }
        self.ask(now);
        self.tell();
    }

    fn swim(
        &mut self,
        now: Duration,
        from: SocketAddr,
        digest: u64,
        coordinate: Option<&Coordinate>,
        bytes: &[u8],
    ) {
        match SwimPacket::parse(bytes) {
            Ok(swim) => {
                if let (Some(coordinate), Message::Ack(number)) = (coordinate, &swim.header.message) {
                    self.observe(now, swim.header.src, *number, coordinate);
                }
                self.handle_swim(now, &swim);
                self.compare(now, swim.header.src, digest);
            }
            Err(error) => {
                self.counters.dropped_malformed += 1;
                tracing::trace!(%from, %error, "packet dropped");
            }
        }
    }

    fn handle_swim(&mut self, now: Duration, swim: &SwimPacket<'_>) {
        let Header { src, src_incarnation, dst, ref message } = swim.header;
        let own = self.id();
        let ours = dst == own || (*message == Message::Announce && dst.addr() == own.addr());
        if !ours || src.addr() == own.addr() {
            return;
        }
        self.informant = Some(src);
        // foca stops refuting once it has bumped its incarnation, so this is the moment to notice that it did.
        let before = self.sink.incarnation;
        let condensed = swim.condensed(|update| self.is_news(update));
        self.with_foca(now, |foca, sink| foca.handle_data(&condensed, sink));
        if self.id() == own && self.sink.incarnation > before {
            self.refuted();
        }
        if self.roster.run(&src).is_some_and(|n| n.active) {
            self.heard_alive(&src, src_incarnation);
            for (update, _) in &swim.updates {
                self.heard(now, update);
            }
            for item in &swim.items {
                match Item::decode(item) {
                    Ok(decoded) => self.handle_item(now, item, &decoded),
                    Err(_) => self.counters.dropped_malformed += 1,
                }
            }
        }
        self.informant = None;
        self.outrun_rumours(now);
    }

    /// Compares views with a member that we just heard from.
    fn compare(&mut self, now: Duration, src: NodeId, digest: u64) {
        let ours = self.roster.digest();
        if ours != self.repair.digest {
            self.repair = super::Repair { digest: ours, since: now, next: now, tries: 0 };
        }
        // News needs a moment to get around, so only a view that has settled is worth comparing.
        let settled = now.saturating_sub(self.repair.since) >= self.timing.gossip_interval * 5;
        if digest != ours
            && settled
            && now >= self.repair.next
            && self.leave == Leave::No
            && self.roster.run(&src).is_some_and(|n| n.active)
        {
            let wait = self.timing.gossip_interval * 5 * (1 << self.repair.tries.min(6));
            self.repair.tries += 1;
            self.repair.next = now + wait / 2 + self.jitter(wait);
            self.output(super::Output::Sync { to: src.addr() });
        }
    }

    /// Whether an update could change anything in foca. In doubt it does.
    fn is_news(&self, update: &Member<NodeId>) -> bool {
        let (id, incarnation) = (update.id(), update.incarnation());
        let Some(node) = self.roster.run(id) else { return true };
        match update.state() {
            // What we have heard foca has seen first, so it knows of no earlier incarnation than we do.
            State::Alive => !node.active || incarnation > node.incarnation || *id == self.id(),
            State::Suspect => {
                !node.active
                    || self.suspicions.get(id).is_none_or(|s| s.incarnation < incarnation)
                    || *id == self.id()
            }
            State::Down => node.active,
        }
    }

    /// An update that foca has seen, too.
    pub(super) fn heard(&mut self, now: Duration, update: &Member<NodeId>) {
        let (id, incarnation) = (update.id(), update.incarnation());
        if id.addr() == self.id().addr() {
            self.rumoured_bump = self.rumoured_bump.max(id.bump());
            return;
        }
        match update.state() {
            State::Alive => self.heard_alive(id, incarnation),
            State::Suspect => self.suspect(now, *id, incarnation, None),
            State::Down => {}
        }
    }

    fn heard_alive(&mut self, id: &NodeId, incarnation: Incarnation) {
        self.roster.heard(id, incarnation);
        if self.suspicions.get(id).is_some_and(|s| s.incarnation < incarnation) {
            self.suspicions.remove(id);
        }
    }

    /// Hands updates to foca and keeps the mirror in step.
    pub(super) fn apply(&mut self, now: Duration, updates: Vec<Member<NodeId>>, spread: bool) {
        let copy = updates.clone();
        self.with_foca(now, |foca, sink| foca.apply_many(updates.into_iter(), spread, sink));
        for update in &copy {
            self.heard(now, update);
        }
    }

    fn handle_item(&mut self, now: Duration, raw: &[u8], item: &Item<'_>) {
        match *item {
            Item::User { ltime, ref name, payload } => {
                if self.hear(ltime, name.clone(), payload) {
                    self.pass_on(raw);
                }
            }
            Item::Meta(record) => {
                if self.learn(record) {
                    self.pass_on(raw);
                }
            }
            Item::Suspect { target, incarnation, from } => {
                if target == self.id() {
                    self.suspected(now, incarnation);
                } else if self.roster.run(&target).is_some_and(|n| n.active && incarnation >= n.incarnation) {
                    let known = self.suspicions.get(&target).is_some_and(|s| s.is_confirmed_by(&from));
                    if !known {
                        self.apply(now, vec![Member::new(target, incarnation, State::Suspect)], true);
                        if self.confirm(&target, from) {
                            self.pass_on(raw);
                        }
                    }
                }
            }
            Item::ForceLeave { target, version, prune } => {
                if target == self.id() {
                    // Whoever says so is wrong; a newer record takes the mark off again.
                    if self.leave == Leave::No && version >= self.meta.version {
                        // The tags fitted before.
                        let _ = self.publish(self.tags.clone(), false);
                    }
                } else if self.force(now, &target, version, prune) {
                    self.pass_on(raw);
                }
            }
        }
    }

    fn pass_on(&mut self, raw: &[u8]) {
        if self.foca.custom_broadcast_backlog() >= super::BROADCASTS_MAX {
            self.counters.dropped_full += 1;
        } else if let Err(error) = self.foca.add_broadcast(raw) {
            tracing::debug!(%error, "broadcast refused");
        }
    }

    /// Takes a record. Answers whether it was news.
    pub(super) fn learn(&mut self, record: &[u8]) -> bool {
        let Ok(meta) = Meta::decode(record) else {
            self.counters.dropped_malformed += 1;
            return false;
        };
        if meta.id.addr() == self.id().addr() {
            self.rumoured_bump = self.rumoured_bump.max(meta.id.bump());
            return false;
        }
        let id = meta.id;
        let news = self.roster.learn(meta);
        if news {
            self.wants.remove(&id);
        }
        news
    }

    fn answer_ask(&mut self, src: NodeId, wanted: &[NodeId]) {
        let mut batches: Vec<Vec<Vec<u8>>> = vec![Vec::new()];
        let mut room = CONTENT_BYTES_MAX - 1;
        for id in wanted {
            let Some(meta) = self.roster.run(id).and_then(|n| n.meta.as_ref()).filter(|m| m.id == *id) else {
                continue;
            };
            let record = meta.encoded().to_vec();
            if record.len() + 2 > room {
                batches.push(Vec::new());
                room = CONTENT_BYTES_MAX - 1;
            }
            room -= record.len() + 2;
            if let Some(batch) = batches.last_mut() {
                batch.push(record);
            }
        }
        for batch in batches.iter().filter(|b| !b.is_empty()) {
            let records = batch.iter().map(Vec::as_slice).collect();
            self.send(src.addr(), &Packet::Tell { records });
        }
    }
}
