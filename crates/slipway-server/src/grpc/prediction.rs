// SPDX-License-Identifier: Apache-2.0
//! `tensorflow.serving.PredictionService`.

use std::sync::Arc;

use prost_types::Any;
use slipway_core::{
    bind_inputs, check_predict, no_signature, select_outputs, tensor_to_wire, wire_work, Api, Call,
    Error, Protocol, Result, Room, Servable, Tensor,
};
use slipway_proto::tensorflow::serving::prediction_service_server::PredictionService;
use slipway_proto::tensorflow::serving::{
    ClassificationRequest, ClassificationResponse, GetModelMetadataRequest,
    GetModelMetadataResponse, ModelSpec, MultiInferenceRequest, MultiInferenceResponse,
    PredictRequest, PredictResponse, RegressionRequest, RegressionResponse,
};
use tonic::{async_trait, Request, Response, Status};

use super::inference;
use super::wire::{deadline, echo, lease, model_spec, status, version_choice};
use crate::plane::Plane;
use crate::runner::by;
use crate::stopwatch::Stopwatch;

/// The one kind of metadata there is.
const SIGNATURE_DEF: &str = "signature_def";

#[derive(Clone, Debug)]
pub(super) struct Prediction {
    plane: Arc<Plane>,
}

impl Prediction {
    pub(super) fn new(plane: Arc<Plane>) -> Self {
        Self { plane }
    }

    fn servable(&self, spec: &ModelSpec, watch: &mut Stopwatch) -> Result<Arc<Servable>> {
        self.plane.servable(&spec.name, &version_choice(spec), watch)
    }

    async fn answer_predict(
        &self,
        request: Request<PredictRequest>,
        watch: &mut Stopwatch,
    ) -> Result<PredictResponse> {
        let lease = lease(&request, &self.plane);
        let request = request.into_inner();
        let spec = model_spec(request.model_spec.as_ref())?;
        let servable = self.servable(spec, watch)?;
        let callable = servable.requested(&spec.signature_name, no_signature)?;
        watch.calls(&callable);
        check_predict(&callable)?;
        let model_spec = echo(&servable, &callable.signature.name);

        let max_tensor_bytes = self.plane.limits.max_message_bytes;
        let bytes = request.inputs.values().map(wire_work).sum();
        let (callable, inputs, outputs) = self
            .plane
            .runner
            .work(bytes, move || {
                let room = Room { max_tensor_bytes, lease: &lease };
                let inputs = bind_inputs(&callable.signature, &request.inputs, room)?;
                let outputs = select_outputs(&callable.signature, &request.output_filter)?;
                Ok((callable, inputs, outputs))
            })
            .await?;
        let aliases: Vec<String> =
            outputs.iter().map(|&index| callable.signature.outputs[index].alias.clone()).collect();
        let call = Call { servable, callable, inputs, outputs };
        let tensors = self.plane.runner.run(call, watch).await?;
        let bytes = tensors.iter().map(Tensor::byte_len).sum();
        let pack = move || Ok(tensors.into_iter().map(tensor_to_wire).collect::<Vec<_>>());
        let tensors = self.plane.runner.work(bytes, pack).await?;
        let outputs = aliases.into_iter().zip(tensors).collect();
        Ok(PredictResponse { outputs, model_spec: Some(model_spec) })
    }

    fn answer_metadata(
        &self,
        request: &GetModelMetadataRequest,
        watch: &mut Stopwatch,
    ) -> Result<GetModelMetadataResponse> {
        let spec = model_spec(request.model_spec.as_ref())?;
        if request.metadata_field.is_empty() {
            return Err(Error::invalid_argument(
                "GetModelMetadataRequest must specify at least one metadata_field",
            ));
        }
        if let Some(field) = request.metadata_field.iter().find(|field| *field != SIGNATURE_DEF) {
            return Err(Error::invalid_argument(format!(
                "Metadata field {field} is not supported"
            )));
        }
        let servable = self.servable(spec, watch)?;
        let signatures = Any::from_msg(servable.metadata())
            .map_err(|error| Error::internal(format!("metadata cannot be written: {error}")))?;
        Ok(GetModelMetadataResponse {
            model_spec: Some(echo(&servable, "")),
            metadata: [(SIGNATURE_DEF.to_owned(), signatures)].into(),
        })
    }
}

#[async_trait]
impl PredictionService for Prediction {
    async fn predict(
        &self,
        request: Request<PredictRequest>,
    ) -> Result<Response<PredictResponse>, Status> {
        let deadline = deadline(request.metadata());
        let mut watch = self.plane.stopwatch(Api::Predict, Protocol::Grpc);
        watch.ends_by(deadline);
        let answer = by(deadline, self.answer_predict(request, &mut watch)).await;
        watch.stop(&answer);
        answer.map(Response::new).map_err(status)
    }

    async fn get_model_metadata(
        &self,
        request: Request<GetModelMetadataRequest>,
    ) -> Result<Response<GetModelMetadataResponse>, Status> {
        let mut watch = self.plane.stopwatch(Api::Metadata, Protocol::Grpc);
        let answer = self.answer_metadata(request.get_ref(), &mut watch);
        watch.stop(&answer);
        answer.map(Response::new).map_err(status)
    }

    async fn classify(
        &self,
        request: Request<ClassificationRequest>,
    ) -> Result<Response<ClassificationResponse>, Status> {
        let deadline = deadline(request.metadata());
        let mut watch = self.plane.stopwatch(Api::Classify, Protocol::Grpc);
        watch.ends_by(deadline);
        let answer = by(deadline, inference::classify(&self.plane, request, &mut watch)).await;
        watch.stop(&answer);
        answer.map(Response::new).map_err(status)
    }

    async fn regress(
        &self,
        request: Request<RegressionRequest>,
    ) -> Result<Response<RegressionResponse>, Status> {
        let deadline = deadline(request.metadata());
        let mut watch = self.plane.stopwatch(Api::Regress, Protocol::Grpc);
        watch.ends_by(deadline);
        let answer = by(deadline, inference::regress(&self.plane, request, &mut watch)).await;
        watch.stop(&answer);
        answer.map(Response::new).map_err(status)
    }

    async fn multi_inference(
        &self,
        request: Request<MultiInferenceRequest>,
    ) -> Result<Response<MultiInferenceResponse>, Status> {
        let deadline = deadline(request.metadata());
        let mut watch = self.plane.stopwatch(Api::MultiInference, Protocol::Grpc);
        watch.ends_by(deadline);
        let answer =
            by(deadline, inference::multi_inference(&self.plane, request, &mut watch)).await;
        watch.stop(&answer);
        answer.map(Response::new).map_err(status)
    }
}
