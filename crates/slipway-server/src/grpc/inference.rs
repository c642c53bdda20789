// SPDX-License-Identifier: Apache-2.0
//! Classify, Regress and MultiInference: tasks about examples.

use std::sync::Arc;

use slipway_core::{
    examples_from_wire, multi_inference_tasks, no_inference_signature, Evaluation, Inference,
    Lease, Outcome, Result, Room, Servable, Task,
};
use slipway_proto::tensorflow::serving::inference_result::Result as TaskResult;
use slipway_proto::tensorflow::serving::{
    ClassificationRequest, ClassificationResponse, InferenceResult, ModelSpec,
    MultiInferenceRequest, MultiInferenceResponse, RegressionRequest, RegressionResponse,
};
use slipway_proto::{Input, Serialized};
use tonic::Request;

use super::wire::{echo, lease, model_spec, version_choice};
use crate::plane::Plane;
use crate::stopwatch::Stopwatch;

pub(super) async fn classify(
    plane: &Plane,
    request: Request<ClassificationRequest>,
    watch: &mut Stopwatch,
) -> Result<ClassificationResponse> {
    let lease = lease(&request, plane);
    let ClassificationRequest { model_spec, input } = request.into_inner();
    let answer = infer(plane, Inference::Classify, model_spec, input, lease, watch);
    let (result, model_spec) = answer.await?;
    Ok(ClassificationResponse { result: Some(result), model_spec: Some(model_spec) })
}

pub(super) async fn regress(
    plane: &Plane,
    request: Request<RegressionRequest>,
    watch: &mut Stopwatch,
) -> Result<RegressionResponse> {
    let lease = lease(&request, plane);
    let RegressionRequest { model_spec, input } = request.into_inner();
    let answer = infer(plane, Inference::Regress, model_spec, input, lease, watch);
    let (result, model_spec) = answer.await?;
    Ok(RegressionResponse { result: Some(result), model_spec: Some(model_spec) })
}

pub(super) async fn multi_inference(
    plane: &Plane,
    request: Request<MultiInferenceRequest>,
    watch: &mut Stopwatch,
) -> Result<MultiInferenceResponse> {
    let lease = lease(&request, plane);
    let MultiInferenceRequest { tasks, input } = request.into_inner();
    // The model and the version are those of the first task; without one they have no name.
    let first = tasks.first().and_then(|task| task.model_spec.clone()).unwrap_or_default();
    let servable = plane.servable(&first.name, &version_choice(&first), watch)?;
    let tasks = multi_inference_tasks(&servable, &tasks)?;
    tasks.iter().for_each(|task| watch.calls(task.callable()));
    let specs: Vec<_> = tasks.iter().map(|task| echo_task(&servable, task)).collect();
    let results = evaluate(plane, servable, tasks, input, lease, watch).await?;
    let results = specs
        .into_iter()
        .zip(results)
        .map(|(spec, result)| InferenceResult { model_spec: Some(spec), result: Some(result) });
    Ok(MultiInferenceResponse { results: results.collect() })
}

/// The result of one task, and the model spec that goes with it.
async fn infer(
    plane: &Plane,
    inference: Inference,
    spec: Option<ModelSpec>,
    input: Option<Input>,
    lease: Arc<Lease>,
    watch: &mut Stopwatch,
) -> Result<(Serialized, ModelSpec)> {
    let spec = model_spec(spec.as_ref())?;
    let servable = plane.servable(&spec.name, &version_choice(spec), watch)?;
    let callable = servable.requested(&spec.signature_name, no_inference_signature)?;
    watch.calls(&callable);
    let task = Task::new(inference, callable)?;
    let spec = echo_task(&servable, &task);
    let results = evaluate(plane, servable, vec![task], input, lease, watch).await?;
    let results = results.into_iter().map(|result| match result {
        TaskResult::ClassificationResult(result) | TaskResult::RegressionResult(result) => result,
    });
    Ok((results.last().unwrap_or_default(), spec))
}

/// The result of each task.
async fn evaluate(
    plane: &Plane,
    servable: Arc<Servable>,
    tasks: Vec<Task>,
    input: Option<Input>,
    lease: Arc<Lease>,
    watch: &mut Stopwatch,
) -> Result<Vec<TaskResult>> {
    let max_tensor_bytes = plane.limits.max_message_bytes;
    let bytes = input.as_ref().map_or(0, Input::byte_len);
    let prepare = move || {
        let room = Room { max_tensor_bytes, lease: &lease };
        let examples = examples_from_wire(input.as_ref(), room)?;
        Evaluation::new(servable, tasks, examples, room)
    };
    let write = |outcomes: &[Outcome<'_>]| {
        let result = |outcome: &Outcome<'_>| match outcome {
            Outcome::Classified(classes) => TaskResult::ClassificationResult(classes.to_wire()),
            Outcome::Regressed(values) => TaskResult::RegressionResult(values.to_wire()),
        };
        Ok(outcomes.iter().map(result).collect())
    };
    let evaluation = plane.runner.examine(bytes, prepare).await?;
    plane.runner.evaluate(evaluation, write, watch).await
}

fn echo_task(servable: &Servable, task: &Task) -> ModelSpec {
    echo(servable, &task.signature().name)
}
