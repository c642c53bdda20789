// SPDX-License-Identifier: Apache-2.0
//! What a version is asked before it answers requests: those it brings with it, else made-up ones.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use slipway_core::{
    made_up_inputs, Budget, Call, Callable, Code, Error, Lease, Replayed, Result, Room, Servable,
};
use slipway_proto::tensorflow::serving::PredictionLog;

use crate::records::Records;

/// Where a version has its requests, in its folder.
const REQUESTS: &str = "assets.extra/tf_serving_warmup_requests";
const MAX_RECORDS: usize = 1000;
/// How long made-up requests may take together; a run that has begun is not cut short.
pub(crate) const GENERATED_LIMIT: Duration = Duration::from_secs(1);

/// How versions are warmed up.
#[derive(Clone, Copy, Debug)]
pub struct WarmUp {
    /// Runs of each request that a version brings.
    pub iterations: usize,
    /// Whether requests are made up for a version that brings none.
    pub generated: bool,
}

/// Runs the requests in the version's folder `path`. `None` where it has no such file.
///
/// # Errors
/// The first one of a request, or of the file.
pub(crate) fn replay(
    servable: &Arc<Servable>,
    path: &Path,
    iterations: usize,
    max_bytes: usize,
) -> Result<Option<Replayed>> {
    let begin = Instant::now();
    let path = path.join(REQUESTS);
    let unreadable = |error: &dyn std::fmt::Display| {
        Error::new(Code::Unknown, format!("{} cannot be read: {error}", path.display()))
    };
    let opened = path.metadata().and_then(|found| match found.is_file() {
        true => File::open(&path),
        // Opening a pipe waits for its other end.
        false => Err(io::Error::other("it is no file")),
    });
    let file = match opened {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let length = file.metadata().map_err(|error| unreadable(&error))?.len();
    let mut count = 0;
    for (index, record) in Records::new(BufReader::new(file), length, max_bytes).enumerate() {
        let record = record.map_err(|error| unusable(&path, error))?;
        let log = PredictionLog::decode(Bytes::from(record)).map_err(|error| {
            Error::invalid_argument(format!(
                "Failed to parse warmup record: {error} (number {} of {})",
                index + 1,
                path.display()
            ))
        })?;
        for _ in 0..iterations {
            run_log(servable, &log, max_bytes).map_err(|error| {
                let Error { code, message } = error;
                let place = format!("warm-up record {} of {}", index + 1, path.display());
                Error::new(code, format!("{message} ({place})"))
            })?;
        }
        if index >= MAX_RECORDS {
            return Err(Error::invalid_argument(format!(
                "Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {}",
                path.display()
            )));
        }
        count = index + 1;
    }
    Ok(Some(Replayed { records: count, time: begin.elapsed() }))
}

fn run_log(servable: &Arc<Servable>, log: &PredictionLog, max_tensor_bytes: usize) -> Result<()> {
    // What the operator has a version run is not what a request takes.
    let lease = Lease::unlimited();
    let room = Room { max_tensor_bytes, lease: &lease };
    slipway_core::replay(servable, log, room)
}

fn run(call: Call) -> Result<()> {
    let plan = call.plan();
    call.run(plan).map(drop)
}

fn unusable(path: &Path, error: Error) -> Error {
    let message = format!("{}: {}", path.display(), error.message);
    match error.code {
        Code::DataLoss => Error::new(
            Code::DataLoss,
            format!("{message}. Please verify your warmup data is in TFRecord format."),
        ),
        code => Error::new(code, message),
    }
}

/// Runs the signatures on made-up inputs, in turns, until the trials of each are done or `limit` is
/// over. A signature that refuses its inputs is left alone. All inputs together take `max_bytes` at
/// most.
pub(crate) fn run_made_up(
    servable: &Arc<Servable>,
    callables: &[Arc<Callable>],
    max_bytes: usize,
    limit: Duration,
) {
    let lease = Budget::new(max_bytes).lease();
    let room = Room { max_tensor_bytes: max_bytes, lease: &lease };
    let call = |callable: &Arc<Callable>| {
        let inputs = made_up_inputs(&callable.signature, 1, room)?;
        Some(Call {
            servable: Arc::clone(servable),
            outputs: (0..callable.signature.outputs.len()).collect(),
            callable: Arc::clone(callable),
            inputs,
        })
    };
    let mut calls: Vec<Call> = callables.iter().filter_map(call).collect();
    let end = Instant::now() + limit;
    while !calls.is_empty() {
        calls.retain(|call| {
            Instant::now() < end && call.plan_is_open() && run(call.clone()).is_ok()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use slipway_core::{
        Backend, DType, Executor, RunPlanner, ServableId, Signature, Tensor, TensorSpec,
    };

    const LONG: Duration = Duration::from_secs(3600);

    /// Counts its runs, and refuses the signature "picky".
    struct Counting(Arc<AtomicUsize>);

    impl Backend for Counting {
        fn run(
            &self,
            signature: &Signature,
            inputs: Vec<Tensor>,
            _: &[usize],
            _: Executor,
        ) -> Result<Vec<Tensor>> {
            self.0.fetch_add(1, Relaxed);
            if signature.name == "picky" {
                return Err(Error::invalid_argument("no"));
            }
            Ok(inputs)
        }
    }

    fn callable(name: &str, shape: Option<Vec<i64>>) -> Arc<Callable> {
        let spec =
            TensorSpec { alias: "x".into(), tensor_name: "x:0".into(), dtype: DType::Float, shape };
        let signature = Signature {
            name: name.into(),
            method_name: String::new(),
            inputs: vec![spec.clone()],
            outputs: vec![spec],
            defaults: Default::default(),
        };
        let planner = RunPlanner::new(true, None);
        let meter = Arc::default();
        Arc::new(Callable { signature, planner, checks_method_name: false, meter })
    }

    fn runs_made_up(callables: &[Arc<Callable>], limit: Duration) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let id = ServableId { model: "m".into(), version: 1 };
        let backend = Box::new(Counting(Arc::clone(&count)));
        let (servable, _gone) = Servable::new(id, Default::default(), Default::default(), backend);
        run_made_up(&servable, callables, 1000, limit);
        count.load(Relaxed)
    }

    #[test]
    fn a_signature_is_run_until_its_trials_are_done() {
        let (first, second) = (callable("a", Some(vec![-1])), callable("b", Some(vec![])));
        let runs = runs_made_up(&[Arc::clone(&first)], LONG);
        assert!(runs > 1);
        assert!(!first.planner.is_open(&[Tensor::from_slice(vec![1], &[0f32]).unwrap()]));
        assert_eq!(runs_made_up(&[second, callable("c", Some(vec![3]))], LONG), 2 * runs);
    }

    #[test]
    fn a_signature_that_refuses_its_inputs_is_run_once() {
        assert_eq!(runs_made_up(&[callable("picky", Some(vec![-1]))], LONG), 1);
    }

    #[test]
    fn a_signature_of_open_rank_or_of_inputs_too_large_is_not_run() {
        let callables = [callable("a", None), callable("b", Some(vec![1 << 40]))];
        assert_eq!(runs_made_up(&callables, LONG), 0);
    }

    #[test]
    fn nothing_is_run_when_the_time_is_up() {
        assert_eq!(runs_made_up(&[callable("a", Some(vec![-1]))], Duration::ZERO), 0);
    }
}
