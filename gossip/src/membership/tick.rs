//! Time.

use super::{CONTENT_BYTES_MAX, Core, Due, Leave, Output};
use crate::{
    NodeId,
    packet::{Packet, WANTED_MAX},
};
use foca::Timer;
use rand::Rng as _;
use std::{collections::BTreeMap, time::Duration};

const REAP_EVERY: Duration = Duration::from_secs(1);
const PRUNED_MAX: usize = 4096;
/// After this many requests a record is asked for no more until the next full exchange.
const TRIES_MAX: u32 = 12;

impl Core {
    /// Does what is due. Call it when [`Self::next_deadline`] has come; being late is harmless.
    pub fn handle_timers(&mut self, now: Duration) {
        // Timers that are armed meanwhile wait for the next call, so this ends.
        let later = self.timers.split_off(&(now + Duration::from_nanos(1), 0));
        let due = std::mem::replace(&mut self.timers, later);
        for due in due.into_values() {
            match due {
                Due::Foca(timer) => self.fire(now, timer),
                Due::Tick => self.tick(now),
                Due::Sync => self.sync_due(now),
                Due::Reconnect => self.reconnect_due(now),
            }
        }
        self.ask(now);
        self.tell();
    }

    /// foca wants `timer` back after a while.
    pub(super) fn schedule(&mut self, now: Duration, timer: Timer<NodeId>, after: Duration) {
        let factor = self.awareness.factor();
        let at = match timer {
            Timer::ChangeSuspectToDown { member_id, incarnation, token } => {
                self.token = Some(token);
                let own = self.id();
                self.suspect(now, member_id, incarnation, Some(own));
                return;
            }
            Timer::ProbeRandomMember(token) => {
                // A first probe at a random moment keeps members that started together apart.
                let first = self.token.replace(token) != Some(token);
                if first { now + self.jitter(after) } else { now + after * factor }
            }
            Timer::SendIndirectProbe { .. } => now + after * factor,
            Timer::PeriodicAnnounceDown(_) => now + after / 2 + self.jitter(after),
            Timer::PeriodicGossip(_) | Timer::PeriodicAnnounce(_) | Timer::RemoveDown(_) => now + after,
        };
        self.arm(at, Due::Foca(timer));
    }

    fn fire(&mut self, now: Duration, timer: Timer<NodeId>) {
        if self.leave == Leave::Done {
            return;
        }
        match &timer {
            Timer::SendIndirectProbe { probed_id, .. } => self.try_stream(*probed_id),
            Timer::PeriodicGossip(_) => {
                // Broadcasts ride in what room membership updates leave. Under churn that is none, so they get
                // packets of their own then.
                let full = self.foca.updates_backlog() * 20 > CONTENT_BYTES_MAX / 2;
                if full && self.foca.custom_broadcast_backlog() > 0 {
                    self.with_foca(now, |foca, sink| foca.broadcast(sink));
                }
            }
            _ => {}
        }
        self.with_foca(now, |foca, sink| foca.handle_timer(timer, sink));
    }

    fn tick(&mut self, now: Duration) {
        if self.leave == Leave::Done {
            return;
        }
        self.arm(now + self.timing.gossip_interval, Due::Tick);
        self.judge_suspects(now);
        let own = self.id();
        for relay in std::mem::take(&mut self.relays) {
            if relay.due > now {
                self.relays.push(relay);
            } else {
                self.send(
                    relay.origin.addr(),
                    &Packet::Nack { src: own, dst: relay.origin, target: relay.target },
                );
            }
        }
        self.leave_step(now);
        let transmissions = self.timing.transmissions(self.members_alive());
        if transmissions != self.transmissions {
            self.transmissions = transmissions;
            let longest = self.reconnect_timeout.max(self.tombstone_timeout);
            let config = super::foca_config(&self.timing, transmissions, longest);
            // Only fields that may change differ.
            self.with_foca(now, |foca, _| foca.set_config(config));
        }
        if now >= self.next_reap {
            self.next_reap = now + REAP_EVERY;
            for id in self.roster.reap(now, self.reconnect_timeout, self.tombstone_timeout) {
                self.with_foca(now, |foca, sink| foca.handle_timer(Timer::RemoveDown(id), sink));
            }
            let memory = self.reconnect_timeout;
            self.pruned.retain(|_, at| now.saturating_sub(*at) < memory);
            while self.pruned.len() > PRUNED_MAX {
                self.pruned.pop_first();
            }
        }
    }

    fn judge_suspects(&mut self, now: Duration) {
        let members = self.members_alive();
        let mut silent = Vec::new();
        let mut over = Vec::new();
        for (id, s) in &mut self.suspicions {
            if s.asked_until.is_some_and(|at| at <= now) {
                s.asked_until = None;
                silent.push((*id, s.incarnation));
            }
            if s.deadline(&self.timing, members) <= now {
                over.push((*id, s.incarnation));
            }
        }
        for (id, incarnation) in silent {
            self.raise(id, incarnation);
        }
        for (id, incarnation) in over {
            self.suspicions.remove(&id);
            let Some(token) = self.token else { continue };
            let timer = Timer::ChangeSuspectToDown { member_id: id, incarnation, token };
            self.with_foca(now, |foca, sink| foca.handle_timer(timer, sink));
        }
    }

    fn sync_due(&mut self, now: Duration) {
        if self.leave != Leave::No {
            return;
        }
        let every = self.timing.push_pull_every(self.members_alive());
        let next = every.mul_f64(0.75) + self.jitter(every / 2);
        self.arm(now + next, Due::Sync);
        let known: Vec<NodeId> = self.foca.iter_members().map(|m| *m.id()).collect();
        if !known.is_empty() {
            let chosen = known[self.rng.random_range(0..known.len())];
            self.output(Output::Sync { to: chosen.addr() });
        }
    }

    fn reconnect_due(&mut self, now: Duration) {
        if self.leave != Leave::No {
            return;
        }
        let every = self.timing.reconnect_interval;
        let next = every.mul_f64(0.75) + self.jitter(every / 2);
        self.arm(now + next, Due::Reconnect);
        let failed: Vec<NodeId> =
            self.roster.nodes().filter(|n| !n.active && !n.left).map(|n| n.id).collect();
        // The more have failed the more often one is tried, so that a large half is found again as soon as a small one.
        let share = failed.len() as f64 / (self.members_alive() + failed.len()) as f64;
        let alone = self.foca.num_members() == 0;
        if !failed.is_empty() && (alone || self.rng.random_range(0.0..1.0) < (share * 4.0).max(0.1)) {
            let chosen = failed[self.rng.random_range(0..failed.len())];
            self.output(Output::Sync { to: chosen.addr() });
        }
    }

    /// Asks for records: first whoever told us of the member, then the member, then anybody.
    pub(super) fn ask(&mut self, now: Duration) {
        if self.wants.values().all(|w| w.next > now) {
            return;
        }
        let own = self.id();
        let mut asks: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        let mut done = Vec::new();
        for (id, want) in &mut self.wants {
            if want.next > now {
                continue;
            }
            if want.tries >= TRIES_MAX || !self.roster.wants(id) {
                done.push(*id);
                continue;
            }
            let whom = match want.informant {
                Some(informant) if want.tries % 2 == 0 && informant != own => informant,
                _ => *id,
            };
            want.next = now + self.timing.gossip_interval * (1 << want.tries.min(5));
            want.tries += 1;
            asks.entry(whom).or_default().push(*id);
        }
        for id in done {
            self.wants.remove(&id);
        }
        for (whom, wanted) in asks {
            for part in wanted.chunks(WANTED_MAX) {
                self.send(whom.addr(), &Packet::Ask { src: own, wanted: part.to_vec() });
            }
        }
    }
}
