// SPDX-License-Identifier: Apache-2.0
//! The gRPC port: which service a call is for.

mod configuration;
mod health;
mod inference;
mod metered;
mod model;
mod prediction;
mod wire;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use slipway_core::{Api, Code, Protocol};
use slipway_proto::slipway::configuration_server::ConfigurationServer;
use slipway_proto::tensorflow::serving::model_service_server::ModelServiceServer;
use slipway_proto::tensorflow::serving::prediction_service_server::PredictionServiceServer;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::NamedService;
use tonic::Status;
use tonic_reflection::server::Error as ReflectionError;
use tower_service::Service;

use self::configuration::Configuration;
pub(crate) use self::health::Health;
use self::metered::Metered;
use self::model::Model;
use self::prediction::Prediction;
use self::wire::is_handled;
use crate::activity::{keep_busy, Activity, BusyBody};
use crate::peer::Peer;
use crate::plane::Plane;

/// The services whose calls are counted.
const MODELS: &str = "/tensorflow.serving.";
/// The services whose calls take a stream of messages.
const REFLECTION: &str = "/grpc.reflection.";

type Answer = BoxFuture<Response<Body>, Infallible>;
type Handler = Arc<dyn Fn(Request<Metered>) -> Answer + Send + Sync>;

/// Every service of the port, by its full name.
#[derive(Clone)]
pub(crate) struct GrpcService {
    plane: Arc<Plane>,
    handlers: Arc<HashMap<&'static str, Handler>>,
}

/// The services of one connection.
pub(crate) struct GrpcConnection {
    service: GrpcService,
    activity: Activity,
    closing: CancellationToken,
    peer: Peer,
}

impl GrpcService {
    pub(crate) fn new(plane: Arc<Plane>, health: &Health) -> Result<Self, ReflectionError> {
        let limit = plane.limits.max_message_bytes;
        let prediction = PredictionServiceServer::new(Prediction::new(Arc::clone(&plane)))
            .max_decoding_message_size(limit);
        let model = ModelServiceServer::new(Model::new(Arc::clone(&plane)))
            .max_decoding_message_size(limit);
        let configuration = ConfigurationServer::new(Configuration::new(Arc::clone(&plane)));
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(slipway_proto::DESCRIPTORS)
        };
        let handlers = HashMap::from([
            handler(prediction),
            handler(model),
            handler(configuration),
            handler(health.service()),
            handler(reflection().build_v1()?),
            handler(reflection().build_v1alpha()?),
        ]);
        Ok(Self { plane, handlers: Arc::new(handlers) })
    }

    /// `closing` is when the server stops.
    pub(crate) fn of(
        self,
        activity: Activity,
        closing: CancellationToken,
        peer: Peer,
    ) -> GrpcConnection {
        GrpcConnection { service: self, activity, closing, peer }
    }
}

/// A service by its name. Services are cheap to clone, which is how one is called from many tasks.
fn handler<S>(service: S) -> (&'static str, Handler)
where
    S: Service<Request<Metered>, Response = Response<Body>, Error = Infallible, Future = Answer>,
    S: NamedService + Clone + Send + Sync + 'static,
{
    (S::NAME, Arc::new(move |request| service.clone().call(request)))
}

/// Why nobody answers a method.
fn absent(path: &str) -> String {
    let reason = match path.split('/').nth(1) {
        Some("tensorflow.ProfilerService") => ": there is no profiler in this server",
        Some("tensorflow.serving.SessionService") => {
            ": TensorFlow Serving does not serve it either; call PredictionService/Predict"
        }
        _ => "",
    };
    format!("there is no method {path}{reason}")
}

impl hyper::service::Service<Request<Incoming>> for GrpcConnection {
    type Response = Response<BusyBody<Body>>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let busy = self.activity.begin();
        let path = request.uri().path();
        let service = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let handler = service.and_then(|(service, _)| self.service.handlers.get(service));
        let Some(handler) = handler else {
            let status = Status::unimplemented(absent(path));
            return Box::pin(ready(Ok(keep_busy(status.into_http(), busy))));
        };
        let plane = Arc::clone(&self.service.plane);
        let Plane { budget, limits, .. } = &*plane;
        let is_of_models = path.starts_with(MODELS);
        let lease = Arc::new(budget.lease());
        let closing = path.starts_with(REFLECTION).then(|| self.closing.clone());
        let mut request =
            request.map(|body| Metered::new(body, Arc::clone(&lease), *limits, closing));
        request.extensions_mut().insert(Arc::clone(&lease));
        request.extensions_mut().insert(self.peer);
        let answer = handler(request);
        Box::pin(async move {
            let response = answer.await?;
            let status = response.extensions().get::<Status>();
            if let Some(status) = status.filter(|status| is_of_models && !is_handled(status)) {
                let code = Code::from_number(status.code() as i32);
                let nameless = plane.registry.ledger().nameless();
                nameless.requests.failed(Api::Other, Protocol::Grpc, code);
            }
            // What the request took is free once it is answered.
            drop(lease);
            Ok(keep_busy(response, busy))
        })
    }
}
