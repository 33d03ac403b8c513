//! Network coordinates: places in a space in which distance stands for round-trip time.

use crate::names::{NodeName, Str, Tenancy};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Dimensions of the space, without height.
pub const DIMENSIONS: usize = 8;
/// Error of a coordinate that nothing is known of.
pub const ERROR_MAX: f64 = 1.5;
/// Smallest height, seconds.
pub const HEIGHT_MIN: f64 = 10.0e-6;

/// A place. All numbers are seconds but `error`, which has no unit.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Coordinate {
    /// Place in the plane of the network's core.
    pub vec: [f64; DIMENSIONS],
    /// How little the place is trusted, 0 to [`ERROR_MAX`].
    pub error: f64,
    /// Correction of distances that the space cannot show.
    pub adjustment: f64,
    /// Time that every packet needs to leave the node's own link.
    pub height: f64,
}

impl Default for Coordinate {
    fn default() -> Self {
        Self { vec: [0.0; DIMENSIONS], error: ERROR_MAX, adjustment: 0.0, height: HEIGHT_MIN }
    }
}

impl Coordinate {
    /// Whether every number is finite.
    pub fn is_valid(&self) -> bool {
        self.vec.iter().chain([&self.error, &self.adjustment, &self.height]).all(|v| v.is_finite())
    }

    /// Distance without adjustments, seconds.
    pub fn raw_distance(&self, other: &Self) -> f64 {
        let squares: f64 = self.vec.iter().zip(&other.vec).map(|(a, b)| (a - b) * (a - b)).sum();
        squares.sqrt() + self.height + other.height
    }

    /// Estimated round-trip time, seconds. Adjustments count only while they leave something positive.
    pub fn distance(&self, other: &Self) -> f64 {
        let plain = self.raw_distance(other);
        let adjusted = plain + self.adjustment + other.adjustment;
        if adjusted > 0.0 { adjusted } else { plain }
    }

    /// Estimated round-trip time; zero when no time can hold it.
    pub fn round_trip(&self, other: &Self) -> Duration {
        Duration::try_from_secs_f64(self.distance(other)).unwrap_or_default()
    }
}

/// A node's place, as the node or a client of the API tells it.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct CoordinateRow {
    /// Node.
    pub node: NodeName,
    /// Network segment, `""` for the only one.
    pub segment: Str,
    /// The place.
    pub coordinate: Coordinate,
    /// Owner of the node.
    pub tenancy: Tenancy,
}

/// The places of a datacenter's servers in the WAN pool.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub struct DatacenterCoordinates {
    /// The datacenter.
    pub datacenter: Str,
    /// Node name and place of each server that is known.
    pub servers: Vec<(Str, Coordinate)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_heights_and_a_positive_sum_of_adjustments() {
        let at = |x: f64, adjustment: f64| {
            let mut c = Coordinate { adjustment, height: 0.001, ..Coordinate::default() };
            c.vec[0] = x;
            c
        };
        assert!((at(0.0, 0.0).distance(&at(0.003, 0.0)) - 0.005).abs() < 1e-9);
        assert!((at(0.0, 0.001).distance(&at(0.003, 0.0)) - 0.006).abs() < 1e-9);
        assert!((at(0.0, -1.0).distance(&at(0.003, 0.0)) - 0.005).abs() < 1e-9);
        assert_eq!(at(0.0, 0.0).round_trip(&at(f64::MAX, 0.0)), Duration::ZERO);
        assert!(!at(f64::NAN, 0.0).is_valid() && at(1.0, 0.0).is_valid());
    }
}
