//! What is done to the servers, and how it is taken back.

use crate::{
    client::{Client, Reply},
    cluster::{Cluster, PATIENCE},
};
use anyhow::{Context, Result, bail, ensure};
use rand::{Rng, rngs::SmallRng, seq::SliceRandom};
use rustix::process::Signal;
use std::{
    collections::BTreeSet,
    process::ExitStatus,
    time::{Duration, Instant},
};

/// Kinds of harm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Nemesis {
    /// Nothing.
    None,
    /// SIGKILL of one server, the leader, a majority, all.
    Kill,
    /// SIGSTOP of the same.
    Pause,
    /// Lost connections: halves, the leader alone, pairs that see a third but not each other, one way alone.
    Partition,
    /// Packets between servers take their time, some longer than others.
    Delay,
    /// A share of the packets between servers is lost.
    Loss,
    /// Wall clocks jump, forth and back.
    Clock,
    /// Disks are full.
    DiskFull,
    /// A server leaves and comes back, with and without what it had stored.
    Membership,
    /// Gossip packets of the past arrive again.
    Replay,
}

impl Nemesis {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::Kill,
        Self::Pause,
        Self::Partition,
        Self::Delay,
        Self::Loss,
        Self::Clock,
        Self::DiskFull,
        Self::Membership,
        Self::Replay,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::Clock => "clock",
            Self::DiskFull => "disk-full",
            Self::Membership => "membership",
            Self::Replay => "replay",
        }
    }

    /// What it does, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Kill => "SIGKILL of one server, the leader, a majority, all; restarted after a while",
            Self::Pause => "SIGSTOP and SIGCONT of one server, the leader, a majority",
            Self::Partition => "halves, the leader alone, partial (not transitive), one way in, one way out",
            Self::Delay => "packets between servers take 20 to 240 ms, out of order",
            Self::Loss => "5 to 30 % of the packets between servers are lost",
            Self::Clock => "wall clocks of single servers jump by up to a day, forth and back",
            Self::DiskFull => "the disk of one server, or of the leader, is full for a while",
            Self::Membership => "a server leaves and joins again, with its data and without",
            Self::Replay => "gossip packets of the past arrive once more",
        }
    }

    /// Whether it needs the switch between namespaces.
    pub const fn needs_net(self) -> bool {
        matches!(self, Self::Partition | Self::Delay | Self::Loss | Self::Replay)
    }

    /// Fewer servers cannot be harmed so: there is nothing between them, or nothing is left.
    pub const fn servers_min(self) -> usize {
        match self {
            Self::Partition | Self::Delay | Self::Loss | Self::Membership | Self::Replay => 2,
            Self::None | Self::Kill | Self::Pause | Self::Clock | Self::DiskFull => 1,
        }
    }

    /// The kinds that a list of names means.
    ///
    /// # Errors
    /// For a name that there is not.
    pub fn of(names: &str) -> Result<Vec<Self>> {
        if names == "all" {
            return Ok(Self::ALL.to_vec());
        }
        let find = |name: &str| {
            let Some(found) = Self::ALL.into_iter().find(|n| n.name() == name) else {
                let known = Self::ALL.map(Self::name).join(", ");
                bail!("there is no nemesis {name:?}; there are {known}, all");
            };
            Ok(found)
        };
        names.split(',').map(find).collect()
    }
}

/// One attack under way.
pub struct Attack<'a> {
    kind: Nemesis,
    cluster: &'a Cluster,
    rng: SmallRng,
    round: usize,
    /// Whether any harm was done.
    harmed: bool,
    /// Servers whose disk was full: they may end.
    full: BTreeSet<usize>,
    /// What went wrong with servers meanwhile.
    troubles: Vec<String>,
    /// Counts of refused gossip packets, as far as servers told.
    refused: u64,
}

/// Times of harm and of rest, ms.
const HARM_MS: std::ops::Range<u64> = 2500..4500;
const REST_MS: std::ops::Range<u64> = 1200..2500;
/// So many repeated packets should have been noticed.
const REPEATED_MIN: u64 = 20;
const STEP: Duration = Duration::from_millis(20);

fn pause(length: Duration, stop: &dyn Fn() -> bool) {
    let begin = Instant::now();
    while begin.elapsed() < length && !stop() {
        std::thread::sleep(STEP.min(length));
    }
}

impl<'a> Attack<'a> {
    /// An attack that has not begun.
    pub fn new(kind: Nemesis, cluster: &'a Cluster, rng: SmallRng) -> Self {
        let (full, troubles) = (BTreeSet::new(), Vec::new());
        Self { kind, cluster, rng, round: 0, harmed: false, full, troubles, refused: 0 }
    }

    /// Harms and repairs in turn until `stop`; ends with everything repaired. `tell` hears of each step.
    ///
    /// # Errors
    /// When harm cannot be done; everything is repaired then, too.
    pub fn run(&mut self, stop: &dyn Fn() -> bool, tell: &dyn Fn(&str)) -> Result<()> {
        let mut result = Ok(());
        while !stop() && result.is_ok() {
            let rest = self.rng.random_range(REST_MS);
            pause(Duration::from_millis(rest), stop);
            if stop() {
                break;
            }
            // Those do not end by the harm that comes now.
            self.look_for_ended();
            result = self.harm().map(|what| tell(&what));
            if result.is_ok() {
                self.harmed = true;
                let harm = self.rng.random_range(HARM_MS);
                pause(Duration::from_millis(harm), stop);
            }
            tell("repair");
            result = result.and(self.repair());
            self.round += 1;
        }
        result.and(self.repair())
    }

    /// Whether it did what it is for.
    pub fn has_harmed(&self) -> bool {
        self.harmed || self.kind == Nemesis::None
    }

    /// What went wrong with servers until now.
    pub fn troubles(&mut self) -> Vec<String> {
        self.look_for_ended();
        std::mem::take(&mut self.troubles)
    }

    /// Notes servers that ended by themselves.
    fn look_for_ended(&mut self) {
        for (n, server) in self.cluster.servers.iter().enumerate() {
            if let Some(status) = server.take_ended()
                && !(self.full.contains(&n) && may_end_on_full_disk(status))
            {
                self.troubles.push(format!("{} ended by itself: {status}", server.name));
            }
        }
    }

    fn servers(&self) -> usize {
        self.cluster.servers.len()
    }

    fn any(&mut self) -> usize {
        let n = self.servers();
        self.rng.random_range(0..n)
    }

    /// The leader, or anyone.
    fn leader(&mut self) -> usize {
        self.cluster.leader().unwrap_or_else(|| self.any())
    }

    /// Servers in a random order.
    fn shuffled(&mut self) -> Vec<usize> {
        let mut all: Vec<_> = (0..self.servers()).collect();
        all.shuffle(&mut self.rng);
        all
    }

    /// One server, the leader, a majority, all: in turn, `kinds` of them.
    fn victims(&mut self, kinds: usize) -> Vec<usize> {
        match self.round % kinds {
            0 => vec![self.any()],
            1 => vec![self.leader()],
            2 => {
                let most = self.servers() / 2 + 1;
                self.shuffled().into_iter().take(most).collect()
            }
            _ => self.shuffled(),
        }
    }

    fn names(&self, servers: &[usize]) -> String {
        servers.iter().map(|n| self.cluster.servers[*n].name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn harm(&mut self) -> Result<String> {
        let cluster = self.cluster;
        Ok(match self.kind {
            Nemesis::None => "nothing".into(),
            Nemesis::Kill => {
                // All at once first: it is what nothing but the disk survives.
                self.round += usize::from(self.round == 0) * 3;
                let victims = self.victims(4);
                victims.iter().for_each(|n| cluster.servers[*n].kill());
                format!("kill {}", self.names(&victims))
            }
            Nemesis::Pause => {
                self.round += usize::from(self.round == 0);
                let victims = self.victims(3);
                for n in &victims {
                    cluster.servers[*n].signal(Signal::STOP)?;
                }
                format!("pause {}", self.names(&victims))
            }
            Nemesis::Partition => self.partition()?,
            Nemesis::Delay => {
                let ms = self.rng.random_range(20..=120);
                self.rules(|rules| {
                    rules.delay = Duration::from_millis(ms);
                    rules.jitter = Duration::from_millis(ms);
                })?;
                format!("delay of {ms} to {} ms", 2 * ms)
            }
            Nemesis::Loss => {
                let loss = self.rng.random_range(0.05..0.3);
                self.rules(|rules| rules.loss = loss)?;
                format!("loss of {:.0} %", loss * 100.0)
            }
            Nemesis::Clock => {
                let victim = if self.round.is_multiple_of(2) { self.leader() } else { self.any() };
                let jumps = [3600, -3600, 86_400, -30, 15];
                let seconds = jumps[self.round % jumps.len()];
                cluster.servers[victim].clock()?.set(seconds)?;
                if self.round == 0 {
                    self.seen_clock(victim, seconds)?;
                }
                format!("clock of {} by {seconds} s", self.names(&[victim]))
            }
            Nemesis::DiskFull => {
                let victim = if self.round.is_multiple_of(2) { self.leader() } else { self.any() };
                self.full.insert(victim);
                cluster.servers[victim].disk()?.fill()?;
                format!("full disk of {}", self.names(&[victim]))
            }
            Nemesis::Membership => self.leave()?,
            Nemesis::Replay => {
                let switch = &cluster.net.as_ref().context("no switch")?.switch;
                let n = switch.repeat(400);
                self.count_refused();
                format!("{n} old gossip packets")
            }
        })
    }

    fn rules(&self, change: impl FnOnce(&mut crate::net::Rules)) -> Result<()> {
        self.cluster.net.as_ref().context("no switch between the servers")?.switch.set(change);
        Ok(())
    }

    fn partition(&mut self) -> Result<String> {
        let (all, leader) = (self.shuffled(), self.leader());
        let others: Vec<_> = all.iter().copied().filter(|n| *n != leader).collect();
        let mut cut = BTreeSet::new();
        let mut apart = |a: &[usize], b: &[usize], both: bool| {
            for (from, to) in a.iter().flat_map(|a| b.iter().map(move |b| (*a, *b))) {
                cut.insert((from, to));
                if both {
                    cut.insert((to, from));
                }
            }
        };
        let what = match self.round % 5 {
            0 => {
                apart(&[leader], &others, true);
                format!("{} (leads) alone", self.names(&[leader]))
            }
            1 => {
                let (few, most) = all.split_at(all.len() / 2);
                apart(few, most, true);
                format!("{} without {}", self.names(few), self.names(most))
            }
            2 if others.len() > 1 => {
                // Everyone sees the first of the others; the leader sees nobody else.
                apart(&[leader], &others[1..], true);
                format!("{} sees {} alone", self.names(&[leader]), self.names(&others[..1]))
            }
            3 => {
                apart(&[leader], &others, false);
                format!("{} hears and is not heard", self.names(&[leader]))
            }
            _ => {
                apart(&others, &[leader], false);
                format!("{} is heard and does not hear", self.names(&[leader]))
            }
        };
        self.rules(|rules| rules.cut = cut)?;
        Ok(what)
    }

    /// A clock that nobody reads would attack nothing: the server's own answer has to show it. That is so after a jump forward
    /// alone, since servers make the header anew when a second has passed.
    fn seen_clock(&self, victim: usize, seconds: i64) -> Result<()> {
        let mut client = Client::new(self.cluster.servers[victim].http(), Duration::from_secs(3));
        let date = |client: &mut Client| match client.send("GET", "/v1/status/leader", "") {
            Reply::Answer { date, .. } => seconds_of(&date),
            _ => None,
        };
        let begin = Instant::now();
        let shown = loop {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
            let shown = date(&mut client).map(|d| d - i64::try_from(now).unwrap_or(0) % 86_400);
            // The time of day is enough; headers are made once a second.
            let wanted = |d: i64| (d - seconds).rem_euclid(86_400).min((seconds - d).rem_euclid(86_400)) < 5;
            if shown.is_some_and(wanted) || begin.elapsed() > Duration::from_secs(5) {
                break shown.map(|d| (d - seconds).rem_euclid(86_400).min((seconds - d).rem_euclid(86_400)));
            }
            std::thread::sleep(STEP * 5);
        };
        // Without an answer there is nothing to say: it may be busy with other harm.
        ensure!(
            shown.is_none_or(|off| off < 5),
            "the clock of the server does not follow: it is off by {shown:?} s"
        );
        Ok(())
    }

    fn leave(&mut self) -> Result<String> {
        let victim = if self.round.is_multiple_of(2) { self.any() } else { self.leader() };
        let cluster = self.cluster;
        let server = &cluster.servers[victim];
        if server.runs() {
            let mut client = Client::new(server.http(), Duration::from_secs(20));
            client.send("PUT", "/v1/agent/leave", "");
            let wrong = match server.wait_end(PATIENCE) {
                Some(status) => (!status.success()).then(|| format!("failed: {status}")),
                None => {
                    // Its data must not go while it runs.
                    server.kill();
                    Some(format!("did not end in {} s", PATIENCE.as_secs()))
                }
            };
            self.troubles.extend(wrong.map(|what| format!("{} was asked to leave and {what}", server.name)));
        }
        let empty = self.round % 2 == 1;
        if empty {
            server.forget()?;
        }
        Ok(format!("{} left{}", server.name, if empty { ", its data is gone" } else { "" }))
    }

    /// Asks servers how many packets they have refused as repeated in their last interval.
    fn count_refused(&mut self) {
        for server in &self.cluster.servers {
            let mut client = Client::new(server.http(), Duration::from_secs(2));
            let Ok((Some(metrics), _)) = client.send("GET", "/v1/agent/metrics", "").read() else { continue };
            for counter in metrics["Counters"].as_array().into_iter().flatten() {
                if counter["Name"].as_str().is_some_and(|n| n.ends_with("memberlist.udp.replayed")) {
                    self.refused += counter["Sum"].as_f64().unwrap_or(0.0) as u64;
                }
            }
        }
    }

    /// Undoes all harm; servers that ended are started.
    ///
    /// # Errors
    /// When a clock cannot be set or a server cannot be started; the rest is undone then, too.
    pub fn repair(&mut self) -> Result<()> {
        let mut result = Ok(());
        if let Some(net) = &self.cluster.net {
            net.switch.heal();
        }
        for server in &self.cluster.servers {
            // One that is dead needs none.
            let _ = server.signal(Signal::CONT);
            if let Ok(disk) = server.disk() {
                disk.free();
            }
            if let Ok(clock) = server.clock() {
                result = result.and(clock.set(0));
            }
        }
        self.look_for_ended();
        result.and(self.cluster.start_all())
    }

    /// What this attack itself found: repeated gossip packets that no server refused.
    pub fn finding(&mut self, stop: &dyn Fn() -> bool) -> Option<String> {
        if self.kind != Nemesis::Replay || !self.cluster.setup().ours {
            return None;
        }
        let repeated = self.cluster.net.as_ref()?.switch.repeated();
        // Metrics are those of the last whole interval of ten seconds.
        let begin = Instant::now();
        while self.refused == 0 && begin.elapsed() < Duration::from_secs(15) && !stop() {
            self.count_refused();
            pause(Duration::from_secs(1), stop);
        }
        // Whoever is told to stop has not looked for long enough.
        (repeated >= REPEATED_MIN && self.refused == 0 && !stop()).then(|| {
            format!("{repeated} gossip packets were repeated, and no server refused one as seen before")
        })
    }
}

/// A server may give up when it cannot write, but not crash.
fn may_end_on_full_disk(status: ExitStatus) -> bool {
    status.code().is_some()
}

/// Seconds of the day in a header such as `Sun, 22 Nov 2026 00:10:42 GMT`.
fn seconds_of(date: &str) -> Option<i64> {
    let mut parts = date.split(' ').nth(4)?.split(':').map(str::parse::<i64>);
    let mut next = || parts.next().and_then(Result::ok);
    Some(next()? * 3600 + next()? * 60 + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_full_disk_explains_an_exit_but_no_crash() {
        let (exit, abort) = (ExitStatus::from_raw(1 << 8), ExitStatus::from_raw(6));
        assert!(may_end_on_full_disk(exit) && !may_end_on_full_disk(abort));
        assert_eq!(exit.to_string(), "exit status: 1");
    }

    #[test]
    fn one_server_alone_is_not_parted() {
        let alone = Nemesis::ALL.into_iter().filter(|n| n.servers_min() == 1).collect::<Vec<_>>();
        assert!(!alone.contains(&Nemesis::Partition) && alone.contains(&Nemesis::Kill));
        assert!(Nemesis::ALL.into_iter().filter(|n| n.needs_net()).all(|n| n.servers_min() == 2));
    }
}
