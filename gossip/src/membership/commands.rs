//! What the agent asks for.

use super::{Core, Leave, Output};
use crate::{NodeId, packet::Item};
use foca::Timer;
use std::{collections::BTreeMap, time::Duration};
use types::{Str, member::MemberStatus};

impl Core {
    /// Replaces the tags of this member.
    ///
    /// # Errors
    /// What is too large, in words for the operator; the old tags stay.
    pub fn set_tags(&mut self, tags: BTreeMap<Str, Str>) -> Result<(), String> {
        if tags == self.tags {
            return Ok(());
        }
        self.publish(tags, self.leave != Leave::No)
    }

    /// Starts to leave; [`Output::Left`] says when that has spread. Asking again changes nothing.
    pub fn leave(&mut self, now: Duration) {
        if self.leave != Leave::No {
            return;
        }
        self.leave = Leave::Announcing { until: now + self.timing.leave_propagate };
        // The same tags fitted before.
        let _ = self.publish(self.tags.clone(), true);
        self.with_foca(now, |foca, sink| foca.broadcast(sink));
    }

    pub(super) fn leave_step(&mut self, now: Duration) {
        match self.leave {
            Leave::No | Leave::Done => {}
            Leave::Announcing { until } => {
                let alone = self.foca.num_members() == 0;
                if alone || now >= until || self.foca.custom_broadcast_backlog() == 0 {
                    self.leave = Leave::Spreading { rounds: if alone { 0 } else { 3 } };
                    self.with_foca(now, |foca, sink| foca.leave_cluster(sink));
                }
            }
            Leave::Spreading { rounds: 0 } => {
                self.leave = Leave::Done;
                let own = self.id();
                self.roster.down(&own, now);
                self.output(Output::Left);
            }
            Leave::Spreading { rounds } => {
                // foca tells a few once; should those packets be lost, nobody would know.
                self.leave = Leave::Spreading { rounds: rounds - 1 };
                self.with_foca(now, |foca, sink| foca.gossip(sink));
            }
        }
    }

    /// Turns a failed member into one that left; with `prune` it is forgotten at once. A living one refutes it.
    /// Answers whether there is such a member.
    pub fn force_leave(&mut self, now: Duration, name: &str, prune: bool) -> bool {
        let Some(record) = self.roster.by_name(name) else { return false };
        let target = record.id;
        let version = self.roster.run(&target).and_then(|n| n.meta.as_ref()).map_or(u32::MAX, |m| m.version);
        let item = Item::ForceLeave { target, version, prune };
        if target == self.id() {
            return true;
        }
        self.force(now, &target, version, prune);
        self.broadcast(&item);
        self.tell();
        true
    }

    /// Answers whether that was news.
    pub(super) fn force(&mut self, now: Duration, target: &NodeId, version: u32, prune: bool) -> bool {
        let mut news = self.roster.force(target, version);
        if prune {
            let name = self
                .roster
                .records()
                .find(|r| r.id == *target && matches!(r.status, MemberStatus::Left | MemberStatus::Failed))
                .map(|r| r.member().name);
            if let Some(name) = name
                && let Some(id) = self.roster.forget(&name)
            {
                self.pruned.insert(id, now);
                self.with_foca(now, |foca, sink| foca.handle_timer(Timer::RemoveDown(id), sink));
                news = true;
            }
        }
        news
    }
}
