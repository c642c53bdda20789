// SPDX-License-Identifier: Apache-2.0
//! How a run is done, chosen by what earlier runs of the same size took.
//!
//! Two choices. *Who executes the ops*: TensorFlow's own pool, which can work on a graph's branches
//! side by side, or the calling thread, which is several times cheaper on small graphs. *Where the
//! call is made*: on a thread of the run pool, or, when it is sure to be over at once, on the
//! network thread that holds the request.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::Tensor;

/// Who executes the ops of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executor {
    /// The thread that calls.
    Caller,
    /// TensorFlow's inter-op pool.
    Pool,
}

/// Which thread makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The network thread: only for runs that are known to be short.
    Inline,
    /// A thread of the run pool.
    Offload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPlan {
    pub place: Place,
    pub executor: Executor,
    class: usize,
    shapes: u64,
}

/// A run expected to take less than this may block a network thread.
const INLINE_LIMIT: Duration = Duration::from_micros(50);
/// Larger inputs are never run inline: what one of these costs depends on more than its size.
const INLINE_INPUT_BYTES: usize = 16 * 1024;
/// Runs of a class before the executor is chosen, half of them each way.
const TRIALS: u32 = 16;
/// Trials at the start that do not count: the runtime still optimises the graph.
const UNCOUNTED_TRIALS: u32 = 4;
/// How many times as fast the pool must be to be worth its threads. A small bidirectional LSTM is up to 1.4 times as fast with
/// it while its two cores do nothing else, and takes 1.6 times the CPU time.
pub const POOL_GAIN: f64 = 1.5;
/// Inputs are classed by the power of two of their size in bytes.
const CLASSES: usize = 40;
/// Shapes that are remembered for having run in a short time.
const SHORT_SHAPES: usize = 64;

/// Chooses for the runs of one signature and learns from them. Threads share it.
#[derive(Debug)]
pub struct RunPlanner {
    bounded: bool,
    pinned: Option<Executor>,
    classes: Box<[Class]>,
    /// Hashes of the inputs' shapes of short runs, each where its remainder says; 0 for none. Of one
    /// size, inputs that broadcast against each other take a time that hangs on their shapes.
    short_shapes: Box<[AtomicU64]>,
}

/// What runs of one size class took, in nanoseconds; `u32::MAX` while unknown.
#[derive(Debug)]
struct Class {
    planned: AtomicU32,
    measured: AtomicU32,
    best_by_caller: AtomicU32,
    best_by_pool: AtomicU32,
    /// A moving average of all runs with the chosen executor.
    typical: AtomicU32,
}

impl RunPlanner {
    /// `bounded` says that the graph has no op whose time hangs on a value rather than on a size
    /// (loops, queues, files); `pinned` takes the choice of executor away from measurement.
    pub fn new(bounded: bool, pinned: Option<Executor>) -> Self {
        let classes = (0..CLASSES).map(|_| Class::new()).collect();
        let short_shapes = (0..SHORT_SHAPES).map(|_| AtomicU64::new(0)).collect();
        Self { bounded, pinned, classes, short_shapes }
    }

    /// A planner for runs of several signatures in one, which has seen none of them.
    pub fn of_all<'a>(planners: impl Iterator<Item = &'a Self>) -> Self {
        let (mut bounded, mut pinned) = (true, None);
        for planner in planners {
            bounded &= planner.bounded;
            pinned = planner.pinned;
        }
        Self::new(bounded, pinned)
    }

    /// The plan for a run with these inputs.
    pub fn plan(&self, inputs: &[Tensor]) -> RunPlan {
        let input_bytes = byte_len(inputs);
        let index = class_of(input_bytes);
        let class = &self.classes[index];
        let shapes = hash_of_shapes(inputs);
        if class.measured.load(Relaxed) < TRIALS {
            let turn = class.planned.fetch_add(1, Relaxed);
            let by_turn = if turn % 2 == 0 { Executor::Caller } else { Executor::Pool };
            let executor = self.pinned.unwrap_or(by_turn);
            return RunPlan { place: Place::Offload, executor, class: index, shapes };
        }
        let executor = self.pinned.unwrap_or_else(|| class.better());
        let short = class.typical.load(Relaxed) < nanos(INLINE_LIMIT);
        let inline = self.bounded
            && executor == Executor::Caller
            && short
            && input_bytes <= INLINE_INPUT_BYTES
            && self.short_shape(shapes).load(Relaxed) == shapes;
        let place = if inline { Place::Inline } else { Place::Offload };
        RunPlan { place, executor, class: index, shapes }
    }

    /// Whether runs with inputs of this size are still on trial.
    pub fn is_open(&self, inputs: &[Tensor]) -> bool {
        self.classes[class_of(byte_len(inputs))].measured.load(Relaxed) < TRIALS
    }

    /// Learns that a run of `plan` took `time`. Only of runs that succeeded: failures are quick.
    pub fn record(&self, plan: RunPlan, time: Duration) {
        let class = &self.classes[plan.class];
        let time = nanos(time);
        if class.measured.load(Relaxed) < TRIALS
            && class.measured.fetch_add(1, Relaxed) < UNCOUNTED_TRIALS
        {
            return;
        }
        let short_shape = self.short_shape(plan.shapes);
        if time < nanos(INLINE_LIMIT) {
            short_shape.store(plan.shapes, Relaxed);
        } else if short_shape.load(Relaxed) == plan.shapes {
            short_shape.store(0, Relaxed);
        }
        let best = match plan.executor {
            Executor::Caller => &class.best_by_caller,
            Executor::Pool => &class.best_by_pool,
        };
        best.fetch_min(time, Relaxed);
        if plan.executor == self.pinned.unwrap_or_else(|| class.better()) {
            let old = class.typical.load(Relaxed);
            let new = if old == u32::MAX { time } else { old - old / 8 + time / 8 };
            class.typical.store(new, Relaxed);
        }
    }
}

impl RunPlanner {
    fn short_shape(&self, shapes: u64) -> &AtomicU64 {
        &self.short_shapes[shapes as usize % SHORT_SHAPES]
    }
}

fn byte_len(inputs: &[Tensor]) -> usize {
    inputs.iter().map(Tensor::byte_len).sum()
}

fn hash_of_shapes(inputs: &[Tensor]) -> u64 {
    let mut hasher = DefaultHasher::new();
    inputs.iter().for_each(|tensor| tensor.shape().hash(&mut hasher));
    hasher.finish()
}

impl Class {
    fn new() -> Self {
        Self {
            planned: AtomicU32::new(0),
            measured: AtomicU32::new(0),
            best_by_caller: AtomicU32::new(u32::MAX),
            best_by_pool: AtomicU32::new(u32::MAX),
            typical: AtomicU32::new(u32::MAX),
        }
    }

    /// The caller, unless the pool is clearly faster. What the pool saves of the time it takes from
    /// the cores of other requests, with interest.
    fn better(&self) -> Executor {
        let [caller, pool] =
            [&self.best_by_caller, &self.best_by_pool].map(|best| f64::from(best.load(Relaxed)));
        if pool * POOL_GAIN < caller {
            Executor::Pool
        } else {
            Executor::Caller
        }
    }
}

fn class_of(input_bytes: usize) -> usize {
    let bits = usize::BITS - input_bytes.leading_zeros();
    (bits as usize).min(CLASSES - 1)
}

fn nanos(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `count` times, each taking what `cost` says of its executor; returns the last plan.
    fn learn(
        planner: &RunPlanner,
        bytes: usize,
        count: u32,
        cost: impl Fn(Executor) -> u64,
    ) -> RunPlan {
        for _ in 0..count {
            let plan = planner.plan(&[floats(bytes)]);
            planner.record(plan, Duration::from_micros(cost(plan.executor)));
        }
        planner.plan(&[floats(bytes)])
    }

    fn floats(bytes: usize) -> Tensor {
        shaped(vec![bytes as i64 / 4])
    }

    fn shaped(shape: Vec<i64>) -> Tensor {
        let count: i64 = shape.iter().product();
        Tensor::from_slice(shape, &vec![0f32; count as usize]).unwrap()
    }

    fn caller_is_faster(executor: Executor) -> u64 {
        if executor == Executor::Caller {
            4
        } else {
            20
        }
    }

    #[test]
    fn nothing_runs_inline_before_it_was_measured() {
        let planner = RunPlanner::new(true, None);
        for _ in 0..TRIALS {
            assert_eq!(planner.plan(&[floats(4)]).place, Place::Offload);
        }
    }

    #[test]
    fn a_short_bounded_run_goes_inline_by_the_caller() {
        let planner = RunPlanner::new(true, None);
        let plan = learn(&planner, 4, 40, caller_is_faster);
        assert_eq!((plan.place, plan.executor), (Place::Inline, Executor::Caller));
    }

    #[test]
    fn a_graph_with_loops_never_runs_inline() {
        let planner = RunPlanner::new(false, None);
        assert_eq!(learn(&planner, 4, 40, caller_is_faster).place, Place::Offload);
    }

    #[test]
    fn one_graph_with_loops_keeps_all_that_run_with_it_from_running_inline() {
        let [bounded, looping] = [true, false].map(|bounded| RunPlanner::new(bounded, None));
        let planner = RunPlanner::of_all([&bounded, &looping].into_iter());
        assert_eq!(learn(&planner, 4, 40, caller_is_faster).place, Place::Offload);
        let planner = RunPlanner::of_all([&bounded, &bounded].into_iter());
        assert_eq!(learn(&planner, 4, 40, caller_is_faster).place, Place::Inline);
    }

    #[test]
    fn another_size_is_measured_anew() {
        let planner = RunPlanner::new(true, None);
        learn(&planner, 4, 40, caller_is_faster);
        assert_eq!(planner.plan(&[floats(4096)]).place, Place::Offload);
        assert_eq!(learn(&planner, 1 << 20, 40, caller_is_faster).place, Place::Offload);
    }

    #[test]
    fn the_pool_is_chosen_where_it_is_clearly_faster() {
        let chosen = |by_pool| {
            let planner = RunPlanner::new(true, None);
            let plan = learn(&planner, 4, 40, |executor| match executor {
                Executor::Caller => 900,
                Executor::Pool => by_pool,
            });
            assert_eq!(plan.place, Place::Offload);
            plan.executor
        };
        assert_eq!(chosen(500), Executor::Pool);
        assert_eq!(chosen(700), Executor::Caller);
        assert_eq!(chosen(1000), Executor::Caller);
    }

    #[test]
    fn a_run_that_became_slow_leaves_the_network_thread() {
        let planner = RunPlanner::new(true, None);
        learn(&planner, 4, 40, caller_is_faster);
        assert_eq!(learn(&planner, 4, 1, |_| 10_000).place, Place::Offload);
        assert_eq!(learn(&planner, 4, 80, caller_is_faster).place, Place::Inline);
    }

    #[test]
    fn a_pinned_executor_is_not_measured_away() {
        let planner = RunPlanner::new(true, Some(Executor::Pool));
        let plan = learn(&planner, 4, 40, caller_is_faster);
        assert_eq!((plan.place, plan.executor), (Place::Offload, Executor::Pool));
    }

    #[test]
    fn another_shape_of_the_same_size_must_prove_itself() {
        let planner = RunPlanner::new(true, None);
        learn(&planner, 4096, 40, caller_is_faster);
        assert_eq!(planner.plan(&[shaped(vec![1024])]).place, Place::Inline);
        let column = planner.plan(&[shaped(vec![1024, 1])]);
        assert_eq!(column.place, Place::Offload);
        planner.record(column, Duration::from_micros(4));
        assert_eq!(planner.plan(&[shaped(vec![1024, 1])]).place, Place::Inline);
    }

    #[test]
    fn trials_end_with_what_was_measured_and_not_with_what_was_planned() {
        let planner = RunPlanner::new(true, None);
        for _ in 0..10 * TRIALS {
            planner.plan(&[floats(4)]);
        }
        assert_eq!(planner.plan(&[floats(4)]).place, Place::Offload);
        assert_eq!(learn(&planner, 4, 40, caller_is_faster).place, Place::Inline);
    }
}
