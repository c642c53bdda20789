// SPDX-License-Identifier: Apache-2.0
//! Makes calls: on the network thread when they are short, else on a thread of the run pool.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use slipway_core::{Call, Code, Error, Evaluation, Outcome, Place, Result, RunTimes, Tensor};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

use crate::stopwatch::Stopwatch;

/// Decoding or encoding more bytes than this would hold up the other requests of a network thread.
const SMALL_WORK_BYTES: usize = 64 * 1024;
/// Examples are looked at field by field, which takes so many times as long as a tensor's bytes do.
const WORK_OF_EXAMPLES: usize = 4;

/// The way to the run pool.
#[derive(Debug)]
pub(crate) struct Runner {
    pool: Handle,
}

impl Runner {
    /// `pool` is a runtime whose blocking threads are the run pool.
    pub(crate) fn new(pool: Handle) -> Self {
        Self { pool }
    }

    /// The outputs of a call, in the order it asks for; `watch` is told how long it took.
    ///
    /// # Errors
    /// Those of the run.
    pub(crate) async fn run(&self, call: Call, watch: &mut Stopwatch) -> Result<Vec<Tensor>> {
        let plan = call.plan();
        let (queue, run) = match plan.place {
            Place::Inline => (Duration::ZERO, call.timed(plan)),
            Place::Offload => {
                let queued = Instant::now();
                let run = self.block(move || Ok(call.timed(plan))).await?;
                (run.begin.saturating_duration_since(queued), run)
            }
        };
        watch.ran(RunTimes { queue, run: run.time });
        run.outputs
    }

    /// Reads `bytes` bytes of examples where it holds nobody up.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) async fn examine<T: Send + 'static>(
        &self,
        bytes: usize,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.work(bytes.saturating_mul(WORK_OF_EXAMPLES), read).await
    }

    /// What `write` makes of the outcomes; `watch` is told how long the run took, and of how many
    /// examples it was.
    ///
    /// # Errors
    /// Those of the run, of its outputs and of `write`.
    pub(crate) async fn evaluate<T: Send + 'static>(
        &self,
        evaluation: Evaluation,
        write: impl FnOnce(&[Outcome<'_>]) -> Result<T> + Send + 'static,
        watch: &mut Stopwatch,
    ) -> Result<T> {
        let Evaluation { call, reading } = evaluation;
        let outputs = self.run(call, watch).await?;
        watch.examined(reading.examples());
        let work = outputs.iter().map(Tensor::byte_len).sum();
        self.work(work, move || write(&reading.outcomes(&outputs)?)).await
    }

    /// Does work on `bytes` bytes where it holds nobody up.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if bytes <= SMALL_WORK_BYTES {
            return work();
        }
        self.block(work).await
    }

    /// Does work that may block. When nobody waits for it any more it is not begun; what has begun
    /// cannot be stopped, and its result is dropped.
    pub(crate) async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let task = AbortOnDropHandle::new(self.pool.spawn_blocking(work));
        task.await.map_err(|_| broken())?
    }
}

/// Does work that may take minutes on a thread of its own, so that the run pool does not lack one.
/// When nobody waits for it any more its result is dropped.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    let run = move || drop(sender.send(work()));
    thread::Builder::new().name("slipway-aside".to_owned()).spawn(run).map_err(|error| {
        Error::new(Code::ResourceExhausted, format!("there is no thread for this: {error}"))
    })?;
    receiver.await.map_err(|_| broken())?
}

fn broken() -> Error {
    Error::internal("the call failed for a reason in the server itself: this is a bug")
}

/// What `answer` comes to, unless the deadline passes first.
///
/// # Errors
/// DEADLINE_EXCEEDED, in the runtime's own words for a run that took too long.
pub(crate) async fn by<T>(
    deadline: Option<Instant>,
    answer: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(deadline) = deadline else { return answer.await };
    let late = || Err(Error::new(Code::DeadlineExceeded, "Timed out waiting for notification"));
    // What is late already is not begun, however short it would be.
    if deadline <= Instant::now() {
        return late();
    }
    tokio::time::timeout_at(deadline.into(), answer).await.unwrap_or_else(|_| late())
}
