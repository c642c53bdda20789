// SPDX-License-Identifier: Apache-2.0
//! The services of TensorFlow Serving over one connection that is made when it is needed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri, Version};
use prost::Message;
use slipway_core::{
    tensor_from_wire, Code, Data, Error, Lease, Result, Room, Tensor, VersionChoice,
};
use slipway_proto::grpc::health::v1::{HealthListRequest, HealthListResponse};
use slipway_proto::slipway::{GetConfigurationRequest, GetConfigurationResponse};
use slipway_proto::tensorflow::serving::model_spec::VersionChoice as WireChoice;
use slipway_proto::tensorflow::serving::{
    GetModelMetadataRequest, GetModelMetadataResponse, GetModelStatusRequest,
    GetModelStatusResponse, ModelSpec, PredictRequest, PredictResponse, ReloadConfigRequest,
    ReloadConfigResponse, StatusProto,
};
use slipway_proto::tensorflow::tensor_shape_proto::Dim;
use slipway_proto::tensorflow::TensorShapeProto;
use slipway_proto::TensorProto;
use slipway_tls::ClientTls;

use crate::address::Endpoint;
use crate::failure::Failure;
use crate::link::{framed, timeout_header, Link};
use crate::model::{statuses, Answer, Metadata, ModelRef, Predict, Request, SIGNATURE_DEF};

/// A remaining time that differs from the whole by less is not worth a header of its own.
const SAME_TIMEOUT: Duration = Duration::from_millis(1);

pub(crate) struct Grpc {
    endpoint: Endpoint,
    tls: Option<ClientTls>,
    limit: usize,
    link: Mutex<Option<Link>>,
    /// Held while connecting: one connection, however many calls wait for it.
    connecting: tokio::sync::Mutex<()>,
    methods: Methods,
    headers: HeaderMap,
}

struct Methods {
    predict: Uri,
    metadata: Uri,
    status: Uri,
    health: Uri,
    reload: Uri,
    configuration: Uri,
}

impl Grpc {
    pub(crate) fn new(endpoint: Endpoint, tls: Option<ClientTls>, limit: usize) -> Result<Self> {
        let authority = endpoint.authority();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let uri = |method: &str| {
            let built =
                Uri::builder().scheme(scheme).authority(&*authority).path_and_query(method).build();
            built.map_err(|error| Error::invalid_argument(format!("address {endpoint}: {error}")))
        };
        let methods = Methods {
            predict: uri("/tensorflow.serving.PredictionService/Predict")?,
            metadata: uri("/tensorflow.serving.PredictionService/GetModelMetadata")?,
            status: uri("/tensorflow.serving.ModelService/GetModelStatus")?,
            health: uri("/grpc.health.v1.Health/List")?,
            reload: uri("/tensorflow.serving.ModelService/HandleReloadConfigRequest")?,
            configuration: uri("/slipway.Configuration/GetConfiguration")?,
        };
        let agent = concat!("slipway/", env!("CARGO_PKG_VERSION"));
        let headers = [
            (http::header::TE, "trailers"),
            (http::header::CONTENT_TYPE, "application/grpc"),
            (http::header::USER_AGENT, agent),
        ];
        let headers =
            headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value)));
        Ok(Self {
            limit,
            link: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            methods,
            headers: headers.collect(),
            endpoint,
            tls,
        })
    }

    pub(crate) async fn ask(&self, request: Request, timeout: Option<Duration>) -> Result<Answer> {
        match request {
            Request::Predict(predict) => {
                let message = framed(&predict_request(predict), self.limit)?;
                let answer = self.unary(&self.methods.predict, message, timeout).await?;
                let answer = self.decoded::<PredictResponse>(answer)?;
                // The message, which is in memory by now, was bounded when it came.
                let lease = Lease::unlimited();
                let room = Room { max_tensor_bytes: self.limit, lease: &lease };
                let outputs = answer.outputs.iter().map(|(alias, proto)| {
                    let tensor = tensor_from_wire(alias, proto, room);
                    Ok((alias.clone(), tensor.map_err(|error| self.unreadable(&error.message))?))
                });
                outputs.collect::<Result<_>>().map(Answer::Predict)
            }
            Request::Metadata(model) => {
                let request = GetModelMetadataRequest {
                    model_spec: Some(model_spec(model, String::new())),
                    metadata_field: vec![SIGNATURE_DEF.to_owned()],
                };
                let message = framed(&request, self.limit)?;
                let answer = self.unary(&self.methods.metadata, message, timeout).await?;
                let answer = self.decoded::<GetModelMetadataResponse>(answer)?;
                Metadata::from_wire(&answer).map(Answer::Metadata)
            }
            Request::Status(model) => {
                let spec = Some(model_spec(model, String::new()));
                let message = framed(&GetModelStatusRequest { model_spec: spec }, self.limit)?;
                let answer = self.unary(&self.methods.status, message, timeout).await?;
                Ok(Answer::Status(statuses(self.decoded::<GetModelStatusResponse>(answer)?)))
            }
            Request::Models => {
                let message = framed(&HealthListRequest {}, self.limit)?;
                let answer = self.unary(&self.methods.health, message, timeout).await?;
                let answer = self.decoded::<HealthListResponse>(answer)?;
                // The one without a name is the server itself.
                let names = answer.statuses.into_keys().filter(|name| !name.is_empty());
                Ok(Answer::Models(names.collect()))
            }
            Request::Configuration => {
                let message = framed(&GetConfigurationRequest {}, self.limit)?;
                let answer = self.unary(&self.methods.configuration, message, timeout).await?;
                let answer = self.decoded::<GetConfigurationResponse>(answer)?;
                Ok(Answer::Configuration(answer.config.unwrap_or_default()))
            }
            Request::Reload(config) => {
                let request =
                    ReloadConfigRequest { config: Some(config), ..ReloadConfigRequest::default() };
                let message = framed(&request, self.limit)?;
                let answer = self.unary(&self.methods.reload, message, timeout).await?;
                let answer = self.decoded::<ReloadConfigResponse>(answer)?;
                match answer.status.unwrap_or_default() {
                    StatusProto { error_code: 0, .. } => Ok(Answer::Reload),
                    StatusProto { error_code, error_message } => {
                        Err(Error::new(Code::from_number(error_code), error_message))
                    }
                }
            }
        }
    }

    pub(crate) fn close(&self) {
        *self.current() = None;
    }

    async fn unary(
        &self,
        method: &Uri,
        message: Bytes,
        timeout: Option<Duration>,
    ) -> Result<Bytes> {
        let begun = Instant::now();
        let mut retried = false;
        loop {
            let link = self.link().await?;
            let head = self.head(method, timeout, begun);
            match link.call(head, message.clone(), self.limit).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Unprocessed(_)) if !retried => {
                    retried = true;
                    self.forget(&link);
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    fn head(&self, method: &Uri, timeout: Option<Duration>, begun: Instant) -> http::Request<()> {
        let mut head = http::Request::new(());
        *head.method_mut() = Method::POST;
        *head.uri_mut() = method.clone();
        *head.version_mut() = Version::HTTP_2;
        *head.headers_mut() = self.headers.clone();
        if let Some(timeout) = timeout {
            let passed = begun.elapsed();
            let left = if passed < SAME_TIMEOUT { timeout } else { timeout.saturating_sub(passed) };
            let name = HeaderName::from_static("grpc-timeout");
            head.headers_mut().insert(name, timeout_header(left));
        }
        head
    }

    /// The open connection, made now if there is none.
    async fn link(&self) -> Result<Link> {
        if let Some(link) = self.open_link().await {
            return Ok(link);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(link) = self.open_link().await {
            return Ok(link);
        }
        let link = Link::open(&self.endpoint, self.tls.as_ref()).await?;
        *self.current() = Some(link.clone());
        Ok(link)
    }

    async fn open_link(&self) -> Option<Link> {
        let link = self.current().clone()?;
        link.is_open().await.then_some(link)
    }

    fn forget(&self, link: &Link) {
        let mut current = self.current();
        if current.as_ref().is_some_and(|current| current.is(link)) {
            *current = None;
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decoded<M: Message + Default>(&self, answer: Bytes) -> Result<M> {
        M::decode(answer).map_err(|error| self.unreadable(&error.to_string()))
    }

    fn unreadable(&self, reason: &str) -> Error {
        let message = format!("{}: the answer cannot be read: {reason}", self.endpoint);
        Error::new(Code::Internal, message)
    }
}

fn predict_request(predict: Predict) -> PredictRequest {
    PredictRequest {
        model_spec: Some(model_spec(predict.model, predict.signature)),
        inputs: predict
            .inputs
            .into_iter()
            .map(|(alias, tensor)| (alias, tensor_content(tensor)))
            .collect(),
        output_filter: predict.outputs,
        ..PredictRequest::default()
    }
}

fn model_spec(model: ModelRef, signature_name: String) -> ModelSpec {
    let version_choice = match model.choice {
        VersionChoice::Latest => None,
        VersionChoice::Specific(version) => Some(WireChoice::Version(version)),
        VersionChoice::Label(label) => Some(WireChoice::VersionLabel(label)),
    };
    ModelSpec { name: model.name, signature_name, version_choice }
}

/// The message of a tensor, its numbers as they are in memory.
fn tensor_content(tensor: Tensor) -> TensorProto {
    let (dtype, shape, data) = tensor.into_parts();
    let dim = shape.into_iter().map(|size| Dim { size, name: String::new() }).collect();
    let mut proto = TensorProto {
        dtype: dtype as i32,
        tensor_shape: Some(TensorShapeProto { dim, unknown_rank: false }),
        ..TensorProto::default()
    };
    match data {
        Data::Strings(strings) => proto.strings = strings,
        Data::Owned(bytes) => proto.tensor_content = Bytes::from_owner(bytes),
        Data::Shared(bytes) => proto.tensor_content = bytes,
    }
    proto
}
