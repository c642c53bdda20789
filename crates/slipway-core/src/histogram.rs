// SPDX-License-Identifier: Apache-2.0
//! Times, counted by how long they are.
//!
//! One histogram is shown in two ways: by TensorFlow Serving's limits and by our own. Its slots are
//! as narrow as both need, so that a time is counted once, by two atomic additions.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// TensorFlow Serving's limits of latencies, in microseconds. A time of as many whole microseconds is
/// above a limit, which is not what Prometheus' `le` says.
const SERVING_LIMITS: [f64; 33] = exponential(10.0, 1.8);

/// Our own limits, in nanoseconds. A time that is equal to one is not above it.
const LIMITS: [u64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The first nanosecond of every slot but the first, in order.
const EDGES: [u64; 52] = edges();
const SLOTS: usize = EDGES.len() + 1;

const NANOS_PER_MICRO: u64 = 1000;

const fn exponential<const N: usize>(first: f64, growth: f64) -> [f64; N] {
    let mut limits = [first; N];
    let mut index = 1;
    while index < N {
        limits[index] = limits[index - 1] * growth;
        index += 1;
    }
    limits
}

const fn edges() -> [u64; 52] {
    let mut edges = [0; 52];
    let (mut serving, mut own) = (0, 0);
    while serving + own < edges.len() {
        let takes_own = serving == SERVING_LIMITS.len()
            || (own < LIMITS.len() && edge(LIMITS[own]) < serving_edge(SERVING_LIMITS[serving]));
        if takes_own {
            edges[serving + own] = edge(LIMITS[own]);
            own += 1;
        } else {
            edges[serving + own] = serving_edge(SERVING_LIMITS[serving]);
            serving += 1;
        }
    }
    edges
}

/// The first nanosecond above one of our limits.
const fn edge(limit: u64) -> u64 {
    limit + 1
}

/// The first nanosecond above one of TensorFlow Serving's: it counts whole microseconds.
const fn serving_edge(limit: f64) -> u64 {
    let whole = limit as u64;
    let micros = if (whole as f64) < limit { whole + 1 } else { whole };
    micros * NANOS_PER_MICRO
}

/// A histogram that threads share; none of them ever waits.
#[derive(Debug)]
pub struct Histogram {
    slots: [AtomicU64; SLOTS],
    nanos: AtomicU64,
}

impl Histogram {
    pub fn record(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let slot = EDGES.partition_point(|&edge| edge <= nanos);
        self.slots[slot].fetch_add(1, Relaxed);
        self.nanos.fetch_add(nanos, Relaxed);
    }

    /// What was counted until now. The sum may lack the time of a record under way.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (count, slot) in tally.slots.iter_mut().zip(&self.slots) {
            *count = slot.load(Relaxed);
        }
        tally.nanos = self.nanos.load(Relaxed);
        tally
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { slots: [const { AtomicU64::new(0) }; SLOTS], nanos: AtomicU64::new(0) }
    }
}

/// What a histogram has counted, or several of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    slots: [u64; SLOTS],
    nanos: u64,
}

impl Tally {
    /// One time alone.
    pub fn of(time: Duration) -> Self {
        let histogram = Histogram::default();
        histogram.record(time);
        histogram.tally()
    }

    pub fn count(&self) -> u64 {
        self.slots.iter().sum()
    }

    pub fn seconds(&self) -> f64 {
        self.nanos as f64 / 1e9
    }

    /// Whole microseconds, as TensorFlow Serving has them.
    pub fn micros(&self) -> u64 {
        self.nanos / NANOS_PER_MICRO
    }

    /// Our own limits, in seconds, each with the number of times that are not above it.
    pub fn by_limits(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        LIMITS.iter().map(|&limit| (limit as f64 / 1e9, self.before(edge(limit))))
    }

    /// TensorFlow Serving's limits, in microseconds, each with the number of times below it.
    pub fn by_serving_limits(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        SERVING_LIMITS.iter().map(|&limit| (limit, self.before(serving_edge(limit))))
    }

    fn before(&self, edge: u64) -> u64 {
        let slots = EDGES.partition_point(|&other| other < edge) + 1;
        self.slots[..slots].iter().sum()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self { slots: [0; SLOTS], nanos: 0 }
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        for (count, more) in self.slots.iter_mut().zip(&other.slots) {
            *count += more;
        }
        self.nanos += other.nanos;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(nanos: &[u64]) -> Tally {
        let histogram = Histogram::default();
        nanos.iter().for_each(|&nanos| histogram.record(Duration::from_nanos(nanos)));
        histogram.tally()
    }

    #[test]
    fn limits_are_those_of_the_contract() {
        let tally = Tally::default();
        let serving: Vec<f64> = tally.by_serving_limits().map(|(limit, _)| limit).collect();
        assert_eq!(serving.len(), 33);
        for (found, wanted) in serving.iter().zip([10.0, 18.0, 32.4, 58.32, 104.976]) {
            assert!((found - wanted).abs() < 1e-9, "{found}");
        }
        assert!((serving[32] - 1.47476e9).abs() < 1e4);
        let own: Vec<f64> = tally.by_limits().map(|(limit, _)| limit).collect();
        assert_eq!((own[0], own[1], own[18]), (0.00001, 0.000025, 10.0));
    }

    #[test]
    fn slots_are_in_order_and_each_limit_begins_one() {
        assert!(EDGES.is_sorted_by(|a, b| a < b));
        let limits = LIMITS.map(edge).into_iter().chain(SERVING_LIMITS.map(serving_edge));
        assert!(limits.into_iter().all(|edge| EDGES.contains(&edge)));
    }

    #[test]
    fn a_time_on_a_limit_is_below_it_for_us_and_above_it_for_tensorflow_serving() {
        let below_ten_micros = |nanos| {
            let tally = tally(&[nanos]);
            let own = tally.by_limits().next().unwrap().1;
            let serving = tally.by_serving_limits().next().unwrap().1;
            (own, serving)
        };
        assert_eq!(below_ten_micros(9_999), (1, 1));
        assert_eq!(below_ten_micros(10_000), (1, 0));
        assert_eq!(below_ten_micros(10_001), (0, 0));
        // Between whole microseconds, TensorFlow Serving sees the lower one.
        let below = |nanos| tally(&[nanos]).by_serving_limits().nth(2).unwrap().1;
        assert_eq!((below(32_400), below(32_999), below(33_000)), (1, 1, 0));
    }

    #[test]
    fn counts_are_cumulative_and_nothing_is_lost_above_the_last_limit() {
        let forever = u64::MAX / 2;
        let tally = tally(&[0, 20_000, 20_000, 4_000_000_000, forever]);
        let own: Vec<u64> = tally.by_limits().map(|(_, count)| count).collect();
        assert_eq!((own[0], own[1], own[16], own[17], own[18]), (1, 3, 3, 4, 4));
        assert_eq!(tally.by_serving_limits().last().unwrap().1, 4);
        assert_eq!(tally.count(), 5);
    }

    #[test]
    fn sums_are_in_both_units() {
        let tally = tally(&[1_500, 2_000_000_999]);
        assert_eq!(tally.micros(), 2_000_002);
        assert!((tally.seconds() - 2.000002499).abs() < 1e-12);
    }

    #[test]
    fn tallies_add_up() {
        let mut sum = tally(&[5, 15_000]);
        sum += &tally(&[15_000]);
        assert_eq!(sum, tally(&[5, 15_000, 15_000]));
    }
}
