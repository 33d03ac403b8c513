//! Where this member is in the network: Vivaldi (Dabek, Cox, Kaashoek, Morris: Vivaldi, a decentralized network coordinate
//! system, 2004) with height, an adjustment that follows the last errors, and a little gravity so that the pool as a whole
//! does not drift. Each answered probe pulls or pushes the coordinate by what the space got wrong.

use crate::NodeId;
use rand::Rng;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use types::coordinate::{Coordinate, DIMENSIONS, ERROR_MAX, HEIGHT_MIN};

/// Weight of one observation for the error.
const CE: f64 = 0.25;
/// Weight of one observation for the place.
const CC: f64 = 0.25;
/// Observations that the adjustment looks back on.
const ADJUSTMENT_WINDOW: usize = 20;
/// Round trips to one member whose median is taken.
const LATENCY_FILTER: usize = 3;
/// The larger, the weaker gravity.
const GRAVITY_RHO: f64 = 150.0;
/// What counts as no distance at all, seconds.
const ZERO: f64 = 1.0e-6;
/// A round trip beyond this says nothing of the network.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);
/// Members whose round trips are remembered.
const PEERS_MAX: usize = 65_536;

/// What is known of another member.
#[derive(Clone, Debug)]
struct Peer {
    coordinate: Coordinate,
    round_trips: VecDeque<f64>,
}

/// The coordinate of one member, and what it has seen of others.
#[derive(Debug)]
pub(crate) struct Vivaldi {
    own: Coordinate,
    peers: BTreeMap<NodeId, Peer>,
    errors: [f64; ADJUSTMENT_WINDOW],
    next_error: usize,
    /// How often it had to begin anew.
    pub(crate) resets: u64,
}

impl Default for Vivaldi {
    fn default() -> Self {
        Self {
            own: Coordinate::default(),
            peers: BTreeMap::new(),
            errors: [0.0; ADJUSTMENT_WINDOW],
            next_error: 0,
            resets: 0,
        }
    }
}

impl Vivaldi {
    pub(crate) fn own(&self) -> &Coordinate {
        &self.own
    }

    /// Where another member was when it answered last.
    pub(crate) fn of(&self, id: &NodeId) -> Option<&Coordinate> {
        self.peers.get(id).map(|p| &p.coordinate)
    }

    pub(crate) fn forget(&mut self, id: &NodeId) {
        self.peers.remove(id);
    }

    /// `id`, which is at `other`, answered a probe after `round_trip`. What makes no sense changes nothing.
    pub(crate) fn observe(
        &mut self,
        id: NodeId,
        other: &Coordinate,
        round_trip: Duration,
        rng: &mut impl Rng,
    ) {
        if !other.is_valid() || round_trip > ROUND_TRIP_MAX {
            return;
        }
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&id) {
            return;
        }
        let peer = self.peers.entry(id).or_insert_with(|| Peer {
            coordinate: *other,
            round_trips: VecDeque::with_capacity(LATENCY_FILTER),
        });
        peer.coordinate = *other;
        if peer.round_trips.len() == LATENCY_FILTER {
            peer.round_trips.pop_front();
        }
        peer.round_trips.push_back(round_trip.as_secs_f64());
        let mut sorted: Vec<f64> = peer.round_trips.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let round_trip = sorted[sorted.len() / 2];

        self.pull(other, round_trip, rng);
        self.adjust(other, round_trip);
        let origin = Coordinate::default();
        let gravity = -(origin.distance(&self.own) / GRAVITY_RHO).powi(2);
        self.own = pushed(&self.own, gravity, &origin, rng);
        if !self.own.is_valid() {
            self.resets += 1;
            self.own = Coordinate::default();
            self.errors = [0.0; ADJUSTMENT_WINDOW];
        }
    }

    fn pull(&mut self, other: &Coordinate, round_trip: f64, rng: &mut impl Rng) {
        let round_trip = round_trip.max(ZERO);
        let distance = self.own.distance(other);
        let wrongness = (distance - round_trip).abs() / round_trip;
        let weight = self.own.error / (self.own.error + other.error).max(ZERO);
        self.own.error = (CE * weight * wrongness + self.own.error * (1.0 - CE * weight)).min(ERROR_MAX);
        self.own = pushed(&self.own, CC * weight * (round_trip - distance), other, rng);
    }

    fn adjust(&mut self, other: &Coordinate, round_trip: f64) {
        self.errors[self.next_error] = round_trip - self.own.raw_distance(other);
        self.next_error = (self.next_error + 1) % ADJUSTMENT_WINDOW;
        self.own.adjustment = self.errors.iter().sum::<f64>() / (2.0 * ADJUSTMENT_WINDOW as f64);
    }
}

/// `at` moved away from `from` by `force` seconds.
fn pushed(at: &Coordinate, force: f64, from: &Coordinate, rng: &mut impl Rng) -> Coordinate {
    let mut out = *at;
    let (direction, length) = direction(&at.vec, &from.vec, rng);
    for (place, step) in out.vec.iter_mut().zip(direction) {
        *place += step * force;
    }
    if length > ZERO {
        out.height = ((at.height + from.height) * force / length + at.height).max(HEIGHT_MIN);
    }
    out
}

/// Unit vector from `b` to `a`, and how far it is. Two in one place part in any direction.
fn direction(a: &[f64; DIMENSIONS], b: &[f64; DIMENSIONS], rng: &mut impl Rng) -> ([f64; DIMENSIONS], f64) {
    let mut between = std::array::from_fn(|i| a[i] - b[i]);
    let length = norm(&between);
    if length > ZERO {
        return (between.map(|v| v / length), length);
    }
    between = std::array::from_fn(|_| rng.random_range(-0.5..0.5));
    let random = norm(&between);
    if random > ZERO {
        return (between.map(|v| v / random), 0.0);
    }
    let mut first = [0.0; DIMENSIONS];
    first[0] = 1.0;
    (first, 0.0)
}

fn norm(v: &[f64; DIMENSIONS]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use types::Str;

    fn id(n: usize) -> NodeId {
        NodeId::new(([10, 0, 0, 1], 1000 + n as u16).into(), &Str::from(format!("n{n}")), 1)
    }

    /// Mean relative error of all pairs after `rounds` of probes over the round trips `truth`.
    fn settle(n: usize, rounds: usize, truth: impl Fn(usize, usize) -> f64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut all: Vec<Vivaldi> = (0..n).map(|_| Vivaldi::default()).collect();
        for _ in 0..rounds {
            for i in 0..n {
                let j = rng.random_range(0..n);
                if i != j {
                    let other = *all[j].own();
                    all[i].observe(id(j), &other, Duration::from_secs_f64(truth(i, j)), &mut rng);
                }
            }
        }
        let mut sum = 0.0;
        for i in 0..n {
            for j in (0..n).filter(|j| *j != i) {
                let t = truth(i, j);
                sum += (all[i].own().distance(all[j].own()) - t).abs() / t;
            }
        }
        assert!(all.iter().all(|v| v.own().error < 0.5 && v.resets == 0));
        sum / (n * (n - 1)) as f64
    }

    #[test]
    fn a_line_and_a_star_and_two_sites_are_found() {
        let line = settle(10, 1500, |i, j| 0.010 * i.abs_diff(j) as f64);
        assert!(line < 0.10, "{line}");
        let star = settle(8, 1500, |_, _| 0.010);
        assert!(star < 0.15, "{star}");
        let sites = settle(12, 1500, |i, j| if i % 2 == j % 2 { 0.001 } else { 0.030 });
        assert!(sites < 0.15, "{sites}");
    }

    #[test]
    fn nonsense_changes_nothing_and_a_single_slow_packet_little() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut v = Vivaldi::default();
        let mut bad = Coordinate::default();
        bad.vec[3] = f64::NAN;
        v.observe(id(1), &bad, Duration::from_millis(1), &mut rng);
        v.observe(id(1), &Coordinate::default(), Duration::from_secs(11), &mut rng);
        assert_eq!((v.own(), v.of(&id(1))), (&Coordinate::default(), None));
        for _ in 0..200 {
            v.observe(id(1), &Coordinate::default(), Duration::from_millis(5), &mut rng);
        }
        let before = *v.own();
        v.observe(id(1), &Coordinate::default(), Duration::from_secs(5), &mut rng);
        assert!(before.raw_distance(v.own()) < 0.001, "the median of three hides it");
        let mut far = Coordinate::default();
        far.vec[0] = f64::MAX;
        far.height = f64::MAX;
        for _ in 0..10 {
            v.observe(id(2), &far, Duration::from_millis(1), &mut rng);
            assert!(v.own().is_valid());
        }
        assert!(v.of(&id(2)).is_some());
        v.forget(&id(2));
        assert!(v.of(&id(2)).is_none());
    }
}
