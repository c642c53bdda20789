// SPDX-License-Identifier: Apache-2.0
//! One run of a signature, complete.

use std::sync::Arc;
use std::time::Instant;

use crate::{explain_shapes, odd_shapes, Callable, Result, RunPlan, Servable, Tensor};

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

impl Call {
    /// How the call is best run, by what earlier ones took.
    pub fn plan(&self) -> RunPlan {
        self.callable.planner.plan(&self.inputs)
    }

    /// Whether there are not enough runs of this size yet to plan by.
    pub fn plan_is_open(&self) -> bool {
        self.callable.planner.is_open(&self.inputs)
    }

    /// Runs on this thread until it is done, and learns from the time it took. Returns the outputs
    /// in the order that the call asks for.
    ///
    /// # Errors
    /// The backend's, with the shapes explained where they are not the declared ones.
    pub fn run(self, plan: RunPlan) -> Result<Vec<Tensor>> {
        let Call { servable, callable, inputs, outputs } = self;
        let Callable { signature, planner, .. } = &*callable;
        let odd = odd_shapes(signature, &inputs);
        let begin = Instant::now();
        let result = servable.backend()?.run(signature, inputs, &outputs, plan.executor);
        let time = begin.elapsed();
        if result.is_ok() {
            planner.record(plan, time);
        }
        result.map_err(|error| explain_shapes(signature, &odd, error))
    }
}
