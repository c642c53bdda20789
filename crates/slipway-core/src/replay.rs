// SPDX-License-Identifier: Apache-2.0
//! Logged requests, asked again of one servable: what a version brings along to be warmed up with.

use std::sync::Arc;

use slipway_proto::tensorflow::serving::prediction_log::LogType;
use slipway_proto::tensorflow::serving::{
    InferenceTask, ModelSpec, MultiInferenceRequest, PredictRequest, PredictionLog,
};
use slipway_proto::Input;

use crate::{
    bind_inputs, check_predict, examples_from_wire, multi_inference_tasks, no_inference_signature,
    no_signature, select_outputs, Call, Error, Evaluation, Inference, Result, Room, Servable, Task,
    Tensor,
};

/// Runs the request of a log; none is run of a log without one. Of its model spec only the
/// signature's name counts.
///
/// # Errors
/// Those that the request would be answered with; UNIMPLEMENTED for a log of another kind.
pub fn replay(servable: &Arc<Servable>, log: &PredictionLog, room: Room<'_>) -> Result<()> {
    let replay = Replay { servable, room };
    let Some(log) = &log.log_type else { return Ok(()) };
    match log {
        LogType::PredictLog(log) => {
            log.request.iter().try_for_each(|request| replay.predict(request))
        }
        LogType::ClassifyLog(log) => log.request.iter().try_for_each(|request| {
            replay.infer(Inference::Classify, &request.model_spec, request.input.as_ref())
        }),
        LogType::RegressLog(log) => log.request.iter().try_for_each(|request| {
            replay.infer(Inference::Regress, &request.model_spec, request.input.as_ref())
        }),
        LogType::MultiInferenceLog(log) => {
            log.request.iter().try_for_each(|request| replay.multi_inference(request))
        }
        LogType::SessionRunLog(_) => Err(unsupported(5)),
        LogType::PredictStreamedLog(_) => Err(unsupported(7)),
    }
}

struct Replay<'a> {
    servable: &'a Arc<Servable>,
    room: Room<'a>,
}

impl Replay<'_> {
    fn predict(&self, request: &PredictRequest) -> Result<()> {
        let callable = self.servable.requested(signature_of(&request.model_spec), no_signature)?;
        check_predict(&callable)?;
        let inputs = bind_inputs(&callable.signature, &request.inputs, self.room)?;
        let outputs = select_outputs(&callable.signature, &request.output_filter)?;
        let call = Call { servable: Arc::clone(self.servable), callable, inputs, outputs };
        run(call).map(drop)
    }

    fn infer(
        &self,
        inference: Inference,
        spec: &Option<ModelSpec>,
        input: Option<&Input>,
    ) -> Result<()> {
        let callable = self.servable.requested(signature_of(spec), no_inference_signature)?;
        self.evaluate(vec![Task::new(inference, callable)?], input)
    }

    fn multi_inference(&self, request: &MultiInferenceRequest) -> Result<()> {
        let tasks: &[InferenceTask] = &request.tasks;
        if tasks.is_empty() {
            return Ok(());
        }
        self.evaluate(multi_inference_tasks(self.servable, tasks)?, request.input.as_ref())
    }

    fn evaluate(&self, tasks: Vec<Task>, input: Option<&Input>) -> Result<()> {
        let examples = examples_from_wire(input, self.room)?;
        let servable = Arc::clone(self.servable);
        let Evaluation { call, reading } = Evaluation::new(servable, tasks, examples, self.room)?;
        reading.outcomes(&run(call)?).map(drop)
    }
}

fn run(call: Call) -> Result<Vec<Tensor>> {
    let plan = call.plan();
    call.run(plan)
}

fn signature_of(spec: &Option<ModelSpec>) -> &str {
    spec.as_ref().map_or("", |spec| &spec.signature_name)
}

fn unsupported(field: u32) -> Error {
    Error::unimplemented(format!("Unsupported log_type for warmup: {field}"))
}
