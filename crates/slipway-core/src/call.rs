// SPDX-License-Identifier: Apache-2.0
//! One run of a signature, complete.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::{explain_shapes, odd_shapes, Backend, Callable, Result, RunPlan, Servable, Tensor};

/// A run with all that it takes. It holds its servable until the run has returned.
#[derive(Clone, Debug)]
pub struct Call {
    pub servable: Arc<Servable>,
    pub callable: Arc<Callable>,
    /// In the order of the signature's inputs.
    pub inputs: Vec<Tensor>,
    /// Indices into the signature's outputs.
    pub outputs: Vec<usize>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// In the order that the call asks for.
    pub outputs: Result<Vec<Tensor>>,
    pub begin: Instant,
    pub time: Duration,
}

impl Call {
    /// How the call is best run, by what earlier ones took.
    pub fn plan(&self) -> RunPlan {
        self.callable.planner.plan(&self.inputs)
    }

    /// Whether there are not enough runs of this size yet to plan by.
    pub fn plan_is_open(&self) -> bool {
        self.callable.planner.is_open(&self.inputs)
    }

    /// Runs on this thread until it is done. Returns the outputs in the order that the call asks for.
    ///
    /// # Errors
    /// The backend's, with the shapes explained where they are not the declared ones.
    pub fn run(self, plan: RunPlan) -> Result<Vec<Tensor>> {
        self.timed(plan).outputs
    }

    /// Runs as [`run`](Self::run) does, and says how long it took; the planner learns from it.
    pub fn timed(self, plan: RunPlan) -> Run {
        let Call { servable, callable, inputs, outputs } = self;
        let Callable { signature, planner, .. } = &*callable;
        let odd = odd_shapes(signature, &inputs);
        let begin = Instant::now();
        let run = |backend: &dyn Backend| backend.run(signature, inputs, &outputs, plan.executor);
        let result = servable.backend().and_then(run);
        let time = begin.elapsed();
        if result.is_ok() {
            planner.record(plan, time);
        }
        let outputs = result.map_err(|error| explain_shapes(signature, &odd, error));
        Run { outputs, begin, time }
    }
}
