// SPDX-License-Identifier: Apache-2.0
//! What is counted of requests. Counting takes some atomic additions, through a meter that a request
//! comes by on its way: nothing is looked up by a label, nobody waits, and memory is taken for the
//! first request of a kind only.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::OnceLock;
use std::time::Duration;

use crate::{Code, Histogram, Tally};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    Predict,
    Classify,
    Regress,
    MultiInference,
    Metadata,
    Status,
    /// Nothing that there is.
    Other,
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Grpc,
    Rest,
}

impl Api {
    pub const ALL: [Api; 7] = [
        Api::Predict,
        Api::Classify,
        Api::Regress,
        Api::MultiInference,
        Api::Metadata,
        Api::Status,
        Api::Other,
    ];
}

impl Protocol {
    pub const ALL: [Protocol; 2] = [Protocol::Grpc, Protocol::Rest];
}

/// How long a request that was answered took.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub total: Duration,
    /// `None` for a request that runs nothing.
    pub run: Option<RunTimes>,
}

/// How long the runs of one request took.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunTimes {
    /// From when the inputs were ready to the beginning of the run.
    pub queue: Duration,
    pub run: Duration,
}

impl AddAssign for RunTimes {
    fn add_assign(&mut self, other: Self) {
        self.queue += other.queue;
        self.run += other.run;
    }
}

/// Counts requests of every kind.
#[derive(Debug, Default)]
pub struct Meter {
    kinds: [[OnceLock<Box<Kind>>; Protocol::ALL.len()]; Api::ALL.len()],
}

/// Requests of one kind.
#[derive(Debug, Default)]
struct Kind {
    /// Those that were answered.
    total: Histogram,
    queue: Histogram,
    run: Histogram,
    /// The others, by code.
    failed: [AtomicU64; Code::ALL.len()],
}

/// What a meter has counted, or several of them together.
pub type Tallies = BTreeMap<(Api, Protocol), KindTally>;

/// What was counted of one kind.
#[derive(Clone, Debug, Default)]
pub struct KindTally {
    pub total: Tally,
    pub queue: Tally,
    pub run: Tally,
    failed: [u64; Code::ALL.len()],
}

impl Meter {
    /// Counts a request that was answered.
    pub fn answered(&self, api: Api, protocol: Protocol, times: Times) {
        let kind = self.kind(api, protocol);
        kind.total.record(times.total);
        if let Some(RunTimes { queue, run }) = times.run {
            kind.queue.record(queue);
            kind.run.record(run);
        }
    }

    /// Counts a request that came to an error.
    pub fn failed(&self, api: Api, protocol: Protocol, code: Code) {
        self.kind(api, protocol).failed[code as usize].fetch_add(1, Relaxed);
    }

    fn kind(&self, api: Api, protocol: Protocol) -> &Kind {
        self.kinds[api as usize][protocol as usize].get_or_init(Box::default)
    }

    /// Adds what was counted until now to `tallies`.
    pub fn add_to(&self, tallies: &mut Tallies) {
        for api in Api::ALL {
            for protocol in Protocol::ALL {
                if let Some(kind) = self.kinds[api as usize][protocol as usize].get() {
                    *tallies.entry((api, protocol)).or_default() += &kind.tally();
                }
            }
        }
    }
}

impl Kind {
    fn tally(&self) -> KindTally {
        KindTally {
            total: self.total.tally(),
            queue: self.queue.tally(),
            run: self.run.tally(),
            failed: std::array::from_fn(|index| self.failed[index].load(Relaxed)),
        }
    }
}

impl KindTally {
    /// Requests by code, as far as there were any.
    pub fn by_code(&self) -> impl Iterator<Item = (Code, u64)> + '_ {
        let failed = Code::ALL.into_iter().zip(self.failed);
        let answered = (Code::Ok, self.total.count());
        std::iter::once(answered).chain(failed).filter(|&(_, count)| count > 0)
    }
}

impl AddAssign<&KindTally> for KindTally {
    fn add_assign(&mut self, other: &KindTally) {
        self.total += &other.total;
        self.queue += &other.queue;
        self.run += &other.run;
        for (count, more) in self.failed.iter_mut().zip(&other.failed) {
            *count += more;
        }
    }
}

/// Examples of requests, counted in powers of two.
#[derive(Debug, Default)]
pub struct ExampleMeter {
    slots: [AtomicU64; ExampleTally::SLOTS],
    examples: AtomicU64,
}

/// What an example meter has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExampleTally {
    slots: [u64; ExampleTally::SLOTS],
    pub examples: u64,
}

impl ExampleMeter {
    /// Counts a request of so many examples.
    pub fn record(&self, examples: usize) {
        let bits = (usize::BITS - examples.leading_zeros()) as usize;
        self.slots[bits.min(ExampleTally::SLOTS - 1)].fetch_add(1, Relaxed);
        self.examples.fetch_add(examples as u64, Relaxed);
    }

    pub fn tally(&self) -> ExampleTally {
        ExampleTally {
            slots: std::array::from_fn(|index| self.slots[index].load(Relaxed)),
            examples: self.examples.load(Relaxed),
        }
    }
}

impl ExampleTally {
    /// TensorFlow Serving's limits 1, 2, 4 ... 16384, and what is above.
    const SLOTS: usize = 16;

    pub fn requests(&self) -> u64 {
        self.slots.iter().sum()
    }

    /// TensorFlow Serving's limits, each with the number of requests that have fewer examples.
    pub fn by_serving_limits(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let limit = |index: usize| (1u64 << index) as f64;
        (0..Self::SLOTS - 1).map(move |index| (limit(index), self.slots[..=index].iter().sum()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tallies(meter: &Meter) -> Tallies {
        let mut tallies = Tallies::new();
        meter.add_to(&mut tallies);
        tallies
    }

    #[test]
    fn requests_are_counted_by_kind_and_code() {
        let meter = Meter::default();
        let run = RunTimes { queue: Duration::from_micros(1), run: Duration::from_micros(2) };
        let times = Times { total: Duration::from_micros(5), run: Some(run) };
        meter.answered(Api::Predict, Protocol::Grpc, times);
        meter.answered(Api::Predict, Protocol::Grpc, times);
        meter.failed(Api::Predict, Protocol::Grpc, Code::NotFound);
        meter.answered(Api::Status, Protocol::Rest, Times { run: None, ..times });

        let tallies = tallies(&meter);
        assert_eq!(tallies.len(), 2);
        let predict = &tallies[&(Api::Predict, Protocol::Grpc)];
        let by_code: Vec<_> = predict.by_code().collect();
        assert_eq!(by_code, [(Code::Ok, 2), (Code::NotFound, 1)]);
        let micros = [&predict.total, &predict.queue, &predict.run].map(|tally| tally.micros());
        assert_eq!(micros, [10, 2, 4]);
        let status = &tallies[&(Api::Status, Protocol::Rest)];
        assert_eq!((status.total.count(), status.run.count()), (1, 0));
    }

    #[test]
    fn meters_add_up() {
        let meter = Meter::default();
        meter.failed(Api::Other, Protocol::Rest, Code::Internal);
        let mut sum = tallies(&meter);
        meter.add_to(&mut sum);
        let by_code: Vec<_> = sum[&(Api::Other, Protocol::Rest)].by_code().collect();
        assert_eq!(by_code, [(Code::Internal, 2)]);
    }

    #[test]
    fn codes_and_kinds_are_their_own_indices() {
        assert!(Code::ALL.into_iter().enumerate().all(|(index, code)| code as usize == index));
        assert!(Api::ALL.into_iter().enumerate().all(|(index, api)| api as usize == index));
        assert!(Protocol::ALL.into_iter().enumerate().all(|(index, way)| way as usize == index));
    }

    #[test]
    fn l6_three_examples_are_in_the_third_bucket() {
        let meter = ExampleMeter::default();
        meter.record(3);
        let tally = meter.tally();
        let counts: Vec<_> = tally.by_serving_limits().collect();
        assert_eq!(counts[..4], [(1.0, 0), (2.0, 0), (4.0, 1), (8.0, 1)]);
        assert_eq!((counts.len(), counts[14].0), (15, 16384.0));
        assert_eq!((tally.requests(), tally.examples), (1, 3));
    }

    #[test]
    fn any_number_of_examples_is_counted() {
        let meter = ExampleMeter::default();
        [0, 1, 16383, 16384, 1 << 40].into_iter().for_each(|examples| meter.record(examples));
        let counts: Vec<_> = meter.tally().by_serving_limits().map(|(_, count)| count).collect();
        assert_eq!((counts[0], counts[1], counts[13], counts[14]), (1, 2, 2, 3));
        assert_eq!(meter.tally().requests(), 5);
    }
}
