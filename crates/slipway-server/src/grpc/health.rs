// SPDX-License-Identifier: Apache-2.0
//! `grpc.health.v1.Health`: `""` for the whole server, and each model by its name.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slipway_core::Snapshot;
use slipway_proto::grpc::health::v1::health_check_response::ServingStatus;
use slipway_proto::grpc::health::v1::health_server::{Health as Service, HealthServer};
use slipway_proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{async_trait, Request, Response, Status};

/// The whole server, by gRPC's convention.
const SERVER: &str = "";
/// Names that the original has for the whole server too; not listed, since they are no models.
const SERVICES: [&str; 2] = ["ModelService", "PredictionService"];

type Statuses = BTreeMap<String, ServingStatus>;

/// What is available, for those who ask and those who watch.
#[derive(Clone)]
pub(crate) struct Health {
    statuses: watch::Receiver<Statuses>,
    reporter: Arc<Mutex<Reporter>>,
}

struct Reporter {
    /// `None` once watchers have been told that there is no more.
    sender: Option<watch::Sender<Statuses>>,
    draining: bool,
}

impl Health {
    pub(crate) fn service(&self) -> HealthServer<Self> {
        HealthServer::new(self.clone())
    }

    /// Reports what a snapshot can answer; a model that is not configured any more is unknown.
    pub(crate) fn follow(&self, snapshot: &Snapshot) {
        let serving = |yes| if yes { ServingStatus::Serving } else { ServingStatus::NotServing };
        let mut statuses: Statuses = snapshot
            .models
            .iter()
            .filter(|(_, model)| model.configured)
            .map(|(name, model)| (name.clone(), serving(!model.routes.is_empty())))
            .collect();
        statuses.insert(SERVER.to_owned(), serving(snapshot.is_ready()));
        self.reporter().report(statuses);
    }

    /// Reports from now on that nothing answers.
    pub(crate) fn drain(&self) {
        let mut reporter = self.reporter();
        reporter.draining = true;
        let statuses = self.statuses.borrow().clone();
        reporter.report(statuses);
    }

    /// Ends the streams of all watchers, who would hold their connections open for ever.
    pub(crate) fn end(&self) {
        self.reporter().sender = None;
    }

    fn reporter(&self) -> MutexGuard<'_, Reporter> {
        self.reporter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter {
    fn report(&self, mut statuses: Statuses) {
        if self.draining {
            statuses.values_mut().for_each(|status| *status = ServingStatus::NotServing);
        }
        if let Some(sender) = &self.sender {
            sender.send_replace(statuses);
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        let all = BTreeMap::from([(SERVER.to_owned(), ServingStatus::Serving)]);
        let (sender, statuses) = watch::channel(all);
        let reporter = Reporter { sender: Some(sender), draining: false };
        Self { statuses, reporter: Arc::new(Mutex::new(reporter)) }
    }
}

/// What is known under a name: a model's comes first.
fn status_of(statuses: &Statuses, name: &str) -> Option<ServingStatus> {
    let server = || SERVICES.contains(&name).then(|| statuses.get(SERVER)).flatten();
    statuses.get(name).or_else(server).copied()
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status as i32 }
}

#[async_trait]
impl Service for Health {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = status_of(&self.statuses.borrow(), &request.get_ref().service);
        let status = status.ok_or_else(|| Status::not_found("service not registered"))?;
        Ok(Response::new(answer(status)))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> Result<Response<HealthListResponse>, Status> {
        let statuses = self.statuses.borrow();
        let statuses = statuses.iter().map(|(name, &status)| (name.clone(), answer(status)));
        Ok(Response::new(HealthListResponse { statuses: statuses.collect() }))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let HealthCheckRequest { service } = request.into_inner();
        let mut last = None;
        let changes = WatchStream::new(self.statuses.clone()).filter_map(move |statuses| {
            let status = status_of(&statuses, &service).unwrap_or(ServingStatus::ServiceUnknown);
            (last.replace(status) != Some(status)).then(|| Ok(answer(status)))
        });
        Ok(Response::new(Box::pin(changes)))
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}
