// SPDX-License-Identifier: Apache-2.0
//! `POST` to a model: `:predict`.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use slipway_core::{Call, Error, Lease, Result, Room, Tensor};

use super::json::{self, PredictBody};
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
    match verb {
        Verb::Predict => {
            let deadline = plane.rest_timeout.and_then(|time| Instant::now().checked_add(time));
            by(deadline, predict(plane, model, body, lease, watch)).await
        }
        Verb::Classify => Err(not_served("classify")),
        Verb::Regress => Err(not_served("regress")),
    }
}

fn not_served(verb: &str) -> Error {
    Error::unimplemented(format!("{verb} is not served yet; call predict on the same signature"))
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
