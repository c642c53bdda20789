// SPDX-License-Identifier: Apache-2.0
//! `POST` to a model: `:predict`, `:classify` and `:regress`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use slipway_core::{
    check_predict, no_inference_signature, Call, Error, Evaluation, Inference, Lease, Outcome,
    Result, Room, Task, Tensor,
};

use super::json::{self, ExamplesBody, PredictBody};
use super::route::{ModelRef, Verb};
use crate::plane::{Limits, Plane};
use crate::runner::by;
use crate::stopwatch::Stopwatch;

pub(super) async fn answer(
    plane: &Plane,
    verb: Verb,
    model: ModelRef,
    body: Bytes,
    lease: Lease,
    watch: &mut Stopwatch,
) -> Result<Vec<u8>> {
    let deadline = plane.rest_timeout.and_then(|time| Instant::now().checked_add(time));
    let answer = async {
        match verb {
            Verb::Predict => predict(plane, model, body, lease, watch).await,
            Verb::Classify => infer(plane, Inference::Classify, model, body, lease, watch).await,
            Verb::Regress => infer(plane, Inference::Regress, model, body, lease, watch).await,
        }
    };
    by(deadline, answer).await
}

async fn predict(
    plane: &Plane,
    model: ModelRef,
    body: Bytes,
    lease: Lease,
    watch: &mut Stopwatch,
) -> Result<Vec<u8>> {
    // Looked up before the body is read, reported after what is wrong with the body itself.
    let servable = plane.servable(&model.name, &model.choice, watch);
    let Limits { max_json_depth: max_depth, max_message_bytes: max_tensor_bytes, .. } =
        plane.limits;
    let (asked, read) = plane
        .runner
        .work(body.len(), move || {
            let room = Room { max_tensor_bytes, lease: &lease };
            let mut asked = None;
            let body = json::read_predict(&body, &json::Limits { max_depth, room }, |name| {
                let callable =
                    servable.as_ref().map_err(Error::clone)?.requested(name, |name| {
                        Error::invalid_argument(format!(
                            "Serving signature name: \"{name}\" not found in signature def"
                        ))
                    })?;
                asked = Some(Arc::clone(&callable));
                Ok(callable)
            });
            let read = body.and_then(|body| Ok((servable?, body, lease)));
            Ok::<_, Error>((asked, read))
        })
        .await?;
    // Also of a body that it cannot be called with.
    asked.iter().for_each(|callable| watch.calls(callable));
    let (servable, body, _lease) = read?;
    let PredictBody { callable, inputs, format } = body;
    check_predict(&callable)?;
    let outputs = (0..callable.signature.outputs.len()).collect();
    let call = Call { servable, callable: Arc::clone(&callable), inputs, outputs };
    let tensors = plane.runner.run(call, watch).await?;
    let bytes = tensors.iter().map(Tensor::byte_len).sum();
    plane
        .runner
        .work(bytes, move || {
            let specs = &callable.signature.outputs;
            let aliases: Vec<&str> = specs.iter().map(|spec| spec.alias.as_str()).collect();
            json::write_predict(format, &aliases, &tensors)
        })
        .await
}

async fn infer(
    plane: &Plane,
    inference: Inference,
    model: ModelRef,
    body: Bytes,
    lease: Lease,
    watch: &mut Stopwatch,
) -> Result<Vec<u8>> {
    // Looked up before the body is read, reported after what is wrong with the body itself.
    let servable = plane.servable(&model.name, &model.choice, watch);
    let Limits { max_json_depth: max_depth, max_message_bytes: max_tensor_bytes, .. } =
        plane.limits;
    let lease = Arc::new(lease);
    let paying = Arc::clone(&lease);
    let bytes = body.len();
    let read = move || {
        let room = Room { max_tensor_bytes, lease: &paying };
        json::read_examples(&body, &json::Limits { max_depth, room })
    };
    let ExamplesBody { signature_name, examples } = plane.runner.examine(bytes, read).await?;
    let servable = servable?;
    let callable = servable.requested(&signature_name, no_inference_signature)?;
    watch.calls(&callable);
    let tasks = vec![Task::new(inference, callable)?];
    let room = Room { max_tensor_bytes, lease: &lease };
    let evaluation = Evaluation::new(servable, tasks, examples, room)?;
    let write = |outcomes: &[Outcome<'_>]| match outcomes {
        [outcome] => json::write_results(outcome),
        _ => Err(Error::internal("one task has not one outcome: this is a bug")),
    };
    plane.runner.evaluate(evaluation, write, watch).await
}
