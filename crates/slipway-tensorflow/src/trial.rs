// SPDX-License-Identifier: Apache-2.0
//! Whether a version is better run with its ops sorted beforehand, by TensorFlow's single-threaded
//! executor, tried on made-up inputs while the version is loaded.
//!
//! That executor belongs to a session, so the version is opened a second time, with a second copy of
//! its variables, and one of the two is kept. Of a graph that writes state there may be only one.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, iter};

use slipway_core::{
    made_up_inputs, Backend, Budget, DType, Error, Executor, Result, Room, Signature, Tensor,
    POOL_GAIN,
};

use crate::session::Session;

/// What the files of a version may take that is opened twice.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// How long it may take to open it once.
const MAX_OPENING: Duration = Duration::from_secs(1);
/// How long all runs may take together; one that has begun is not cut short.
const TRIAL_LIMIT: Duration = Duration::from_secs(1);
/// An executor takes some 0.2 µs for each op. What runs for longer than this does so by its ops.
const LONG_RUN: Duration = Duration::from_millis(5);
/// Open dims of the inputs: of a lone request, and of a small batch, whose branches the pool may well
/// run side by side.
const OPEN_DIMS: [i64; 2] = [1, 8];
/// Counted runs each way, fewer when `CASE_LIMIT` is over.
const ROUNDS: usize = 32;
const CASE_LIMIT: Duration = Duration::from_millis(150);
/// Runs each way that do not count: the runtime still optimises the graph.
const UNCOUNTED_ROUNDS: usize = 3;
/// How many times as fast one of the signatures must be. What is gained is the executor's own work, a
/// tenth of a small recurrent network and a third of a graph of a few ops.
const SORTED_GAIN: f64 = 1.1;

/// Whether the version in the folder `path`, which took `opening` to open, may be opened once more.
pub(crate) fn is_cheap_to_open(path: &Path, opening: Duration) -> bool {
    let folders = ["", "variables", "assets"].map(|folder| path.join(folder));
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let bytes = files.filter_map(|file| file.metadata().ok()).map(|file| file.len());
    opening <= MAX_OPENING && bytes.sum::<u64>() <= MAX_FILE_BYTES
}

/// Runs to be compared, of a session that executes ops as their inputs become ready.
pub(crate) struct Trial<'a> {
    ready: &'a Session,
    cases: Vec<Case<'a>>,
    end: Instant,
}

/// One signature with inputs that it takes.
struct Case<'a> {
    signature: &'a Signature,
    inputs: Vec<Tensor>,
}

/// Medians of what a run took, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Figures {
    caller: f64,
    pool: f64,
    sorted: f64,
}

/// The figures of all cases, as they are logged.
pub(crate) struct Outcome(Vec<Figures>);

impl<'a> Trial<'a> {
    /// Finds inputs that the signatures take. All of them have `max_bytes` at most.
    ///
    /// # Errors
    /// The reason why there is nothing to be gained or to be tried.
    pub(crate) fn new(
        ready: &'a Session,
        signatures: impl Iterator<Item = &'a Signature>,
        max_bytes: usize,
    ) -> Result<Self> {
        let end = Instant::now() + TRIAL_LIMIT;
        let lease = Budget::new(max_bytes).lease();
        let room = Room { max_tensor_bytes: max_bytes, lease: &lease };
        let mut cases = Vec::new();
        for signature in signatures {
            for open in OPEN_DIMS {
                let Some(inputs) = made_up_inputs(signature, open, room) else { continue };
                let case = Case { signature, inputs };
                // The first run optimises the graph.
                let runs = [(); 2].map(|()| case.run(ready, Executor::Caller));
                let [Ok(_), Ok((_, time))] = runs else { continue };
                if time > LONG_RUN && open == 1 {
                    return refuse(format!("{} runs for {time:?}", signature.name));
                }
                cases.push(case);
            }
        }
        if cases.is_empty() {
            return refuse("no signature takes made-up inputs");
        }
        Ok(Self { ready, cases, end })
    }

    /// The session `sorted`, if it answers as the other one and is clearly better.
    ///
    /// # Errors
    /// The reason why it is not.
    pub(crate) fn winner(self, sorted: Session) -> Result<(Session, Outcome)> {
        let figures = self.cases.iter().map(|case| self.compare(case, &sorted));
        let outcome = Outcome(figures.collect::<Result<_>>()?);
        if is_better_sorted(&outcome.0) {
            Ok((sorted, outcome))
        } else {
            refuse(outcome.to_string())
        }
    }

    /// Runs a case the three ways. Caller and sorted ops take turns, so that a machine that does other
    /// work favours neither; the pool is run apart, since its threads look for more for a while.
    fn compare(&self, case: &Case, sorted: &Session) -> Result<Figures> {
        let ready = self.ready;
        let pairs = self.time(case, &[(ready, Executor::Caller), (sorted, Executor::Caller)])?;
        let alone = self.time(case, &[(ready, Executor::Pool)])?;
        match (&pairs[..], &alone[..]) {
            (&[caller, sorted], &[pool]) => Ok(Figures { caller, pool, sorted }),
            _ => refuse("there was no time to try it"),
        }
    }

    /// Medians of what runs took each of these ways, in turns; none when there was no time for them.
    fn time(&self, case: &Case, ways: &[(&Session, Executor)]) -> Result<Vec<f64>> {
        let mut times = vec![Vec::with_capacity(ROUNDS); ways.len()];
        let end = self.end.min(Instant::now() + CASE_LIMIT);
        for round in 0..UNCOUNTED_ROUNDS + ROUNDS {
            let mut first: Option<Vec<Tensor>> = None;
            for ((session, executor), times) in ways.iter().zip(&mut times) {
                let (outputs, time) = case.run(session, *executor)?;
                if !agree(first.get_or_insert_with(|| outputs.clone()), &outputs) {
                    return refuse(format!("{} answers otherwise", case.signature.name));
                }
                if round >= UNCOUNTED_ROUNDS {
                    times.push(time);
                }
            }
            if Instant::now() >= end {
                break;
            }
        }
        Ok(times.into_iter().filter_map(median_us).collect())
    }
}

impl Case<'_> {
    /// All outputs, and the time it took.
    fn run(&self, session: &Session, executor: Executor) -> Result<(Vec<Tensor>, Duration)> {
        let inputs = self.inputs.clone();
        let outputs: Vec<usize> = (0..self.signature.outputs.len()).collect();
        let begin = Instant::now();
        let outputs = session.run(self.signature, inputs, &outputs, executor)?;
        Ok((outputs, begin.elapsed()))
    }
}

/// Whether sorted ops are clearly better in one case, and not clearly worse in any.
fn is_better_sorted(figures: &[Figures]) -> bool {
    let worse =
        |of: &Figures| of.sorted > of.caller * SORTED_GAIN || of.sorted > of.pool * POOL_GAIN;
    figures.iter().any(|of| of.sorted * SORTED_GAIN <= of.caller) && !figures.iter().any(worse)
}

fn median_us(mut times: Vec<Duration>) -> Option<f64> {
    times.sort_unstable();
    times.get(times.len() / 2).map(|time| time.as_secs_f64() * 1e6)
}

/// Whether two runs have the same outputs, but for sums that were added up in another order.
fn agree(ours: &[Tensor], others: &[Tensor]) -> bool {
    ours.len() == others.len()
        && ours.iter().zip(others).all(|(our, other)| {
            (our.dtype(), our.shape()) == (other.dtype(), other.shape()) && are_close(our, other)
        })
}

fn are_close(our: &Tensor, other: &Tensor) -> bool {
    const TOLERANCE: f64 = 1e-5;
    let floats = |tensor: &Tensor| -> Option<Vec<f64>> {
        match tensor.dtype() {
            DType::Float => Some(tensor.elements::<f32>()?.map(f64::from).collect()),
            DType::Double => Some(tensor.elements::<f64>()?.collect()),
            _ => None,
        }
    };
    match (floats(our), floats(other)) {
        (Some(ours), Some(others)) => iter::zip(ours, others).all(|(our, other)| {
            let (apart, scale) = ((our - other).abs(), our.abs().max(other.abs()).max(1.0));
            let are_near = apart.is_finite() && apart <= TOLERANCE * scale;
            our == other || are_near || our.is_nan() && other.is_nan()
        }),
        _ => (our.bytes(), our.strings()) == (other.bytes(), other.strings()),
    }
}

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::failed_precondition(reason))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(figures) = self;
        for (index, Figures { caller, pool, sorted }) in figures.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(
                f,
                "{separator}{sorted:.0} µs a run against {caller:.0} (caller) and {pool:.0} (pool)"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(caller: f64, pool: f64, sorted: f64) -> Figures {
        Figures { caller, pool, sorted }
    }

    #[test]
    fn sorted_ops_must_be_clearly_faster_than_the_caller_once() {
        assert!(is_better_sorted(&[figures(100.0, 250.0, 80.0)]));
        assert!(!is_better_sorted(&[figures(100.0, 250.0, 95.0)]));
        assert!(is_better_sorted(&[figures(100.0, 250.0, 80.0), figures(300.0, 400.0, 305.0)]));
        assert!(!is_better_sorted(&[]));
    }

    #[test]
    fn sorted_ops_must_be_clearly_slower_nowhere() {
        let lone = figures(100.0, 250.0, 80.0);
        assert!(!is_better_sorted(&[lone, figures(100.0, 250.0, 120.0)]));
        assert!(!is_better_sorted(&[lone, figures(900.0, 400.0, 800.0)]));
    }

    #[test]
    fn answers_agree_but_for_the_order_of_sums() {
        let floats =
            |values: &[f32]| Tensor::from_slice(vec![values.len() as i64], values).unwrap();
        let ours = [floats(&[0.1, 1e6, f32::NAN, f32::INFINITY])];
        assert!(agree(&ours, &[floats(&[0.100_000_1, 1_000_001.0, f32::NAN, f32::INFINITY])]));
        assert!(!agree(&ours, &[floats(&[0.2, 1e6, f32::NAN, f32::INFINITY])]));
        assert!(!agree(&ours, &[floats(&[0.1, 1e6, f32::NAN, f32::NEG_INFINITY])]));
        assert!(!agree(&ours, &[floats(&[0.1, 1e6])]));
        assert!(!agree(&ours, &[]));
        let integers = |value: i64| [Tensor::from_slice(vec![], &[value]).unwrap()];
        assert!(agree(&integers(3), &integers(3)) && !agree(&integers(3), &integers(4)));
        let strings =
            |text: &str| [Tensor::from_strings(vec![], [text].into_iter().collect()).unwrap()];
        assert!(agree(&strings("yes"), &strings("yes")) && !agree(&strings("yes"), &strings("no")));
    }
}
