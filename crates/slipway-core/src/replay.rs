// SPDX-License-Identifier: Apache-2.0
//! Logged requests, asked again of one servable: what a version brings along to be warmed up with.

use std::collections::BTreeSet;
use std::sync::Arc;

use slipway_proto::tensorflow::serving::prediction_log::LogType;
use slipway_proto::tensorflow::serving::{
    ClassificationRequest, ModelSpec, MultiInferenceRequest, PredictRequest, PredictionLog,
    RegressionRequest,
};
use slipway_proto::Input;

use crate::{
    bind_inputs, no_signature, select_outputs, Call, Error, Inference, Result, Room, Servable,
    DEFAULT_SIGNATURE,
};

/// The calls that a logged request comes to; none for a log without a request. Of its model spec only
/// the signature's name counts.
///
/// # Errors
/// Those that the request would be answered with; UNIMPLEMENTED for a log of another kind.
pub fn logged_calls(
    servable: &Arc<Servable>,
    log: &PredictionLog,
    room: Room<'_>,
) -> Result<Vec<Call>> {
    let replay = Replay { servable, room };
    match &log.log_type {
        None => Ok(Vec::new()),
        Some(LogType::PredictLog(log)) => {
            log.request.iter().map(|request| replay.predict(request)).collect()
        }
        Some(LogType::ClassifyLog(log)) => {
            log.request.iter().map(|request| replay.classify(request)).collect()
        }
        Some(LogType::RegressLog(log)) => {
            log.request.iter().map(|request| replay.regress(request)).collect()
        }
        Some(LogType::MultiInferenceLog(log)) => {
            let calls = log.request.iter().map(|request| replay.multi_inference(request));
            Ok(calls.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        }
        Some(LogType::SessionRunLog(_)) => Err(unsupported(5)),
        Some(LogType::PredictStreamedLog(_)) => Err(unsupported(7)),
    }
}

struct Replay<'a> {
    servable: &'a Arc<Servable>,
    room: Room<'a>,
}

impl Replay<'_> {
    fn predict(&self, request: &PredictRequest) -> Result<Call> {
        let callable = self.servable.requested(signature_of(&request.model_spec), no_signature)?;
        let inputs = bind_inputs(&callable.signature, &request.inputs, self.room)?;
        let outputs = select_outputs(&callable.signature, &request.output_filter)?;
        Ok(Call { servable: Arc::clone(self.servable), callable, inputs, outputs })
    }

    fn classify(&self, request: &ClassificationRequest) -> Result<Call> {
        let signature = signature_of(&request.model_spec);
        self.infer(Inference::Classify, signature, request.input.as_ref(), NO_SIGNATURE)
    }

    fn regress(&self, request: &RegressionRequest) -> Result<Call> {
        let signature = signature_of(&request.model_spec);
        self.infer(Inference::Regress, signature, request.input.as_ref(), NO_SIGNATURE)
    }

    fn multi_inference(&self, request: &MultiInferenceRequest) -> Result<Vec<Call>> {
        let mut signatures = BTreeSet::new();
        let mut models = BTreeSet::new();
        let mut calls = Vec::with_capacity(request.tasks.len());
        for task in &request.tasks {
            let model = task.model_spec.as_ref().map_or("", |spec| &spec.name);
            if model.is_empty() {
                return refuse("Found ModelSpec with an empty model name.");
            }
            models.insert(model);
            if models.len() > 1 {
                return refuse(
                    "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
                );
            }
            let signature = match signature_of(&task.model_spec) {
                "" => DEFAULT_SIGNATURE,
                name => name,
            };
            if !signatures.insert(signature) {
                return refuse(format!("Duplicate evaluation of signature: {signature}"));
            }
            let method = &task.method_name;
            let inference = Inference::from_method_name(method).ok_or_else(|| {
                Error::unimplemented(format!("Unsupported signature method_name: {method}"))
            })?;
            const MISSING: &str = "Requested signature not found in model graph: ";
            calls.push(self.infer(inference, signature, request.input.as_ref(), MISSING)?);
        }
        Ok(calls)
    }

    fn infer(
        &self,
        inference: Inference,
        signature: &str,
        input: Option<&Input>,
        missing: &str,
    ) -> Result<Call> {
        let missing = |name: &str| Error::invalid_argument(format!("{missing}{name}"));
        let callable = self.servable.requested(signature, missing)?;
        inference.call(Arc::clone(self.servable), callable, input, self.room)
    }
}

/// How a Classify or Regress call words that a signature is not there.
const NO_SIGNATURE: &str = "No signature was found with the name: ";

fn signature_of(spec: &Option<ModelSpec>) -> &str {
    spec.as_ref().map_or("", |spec| &spec.signature_name)
}

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::invalid_argument(reason))
}

fn unsupported(field: u32) -> Error {
    Error::unimplemented(format!("Unsupported log_type for warmup: {field}"))
}
