// SPDX-License-Identifier: Apache-2.0
//! What every request can reach.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use slipway_core::{
    Api, Budget, ModelMeter, Protocol, Registry, Result, Servable, Snapshot, VersionChoice,
    VersionStatus,
};
use slipway_proto::tensorflow::serving::{
    GetModelStatusResponse, ModelServerConfig, ModelVersionStatus, ReloadConfigRequest, StatusProto,
};
use tokio::sync::Mutex;

use crate::runner::Runner;
use crate::stopwatch::Stopwatch;

/// Applies a new model configuration; called on a thread that may block, with the caller's
/// deadline where there is one.
pub type ReloadHandler =
    Arc<dyn Fn(ReloadConfigRequest, Option<Instant>) -> Result<()> + Send + Sync>;

/// What a server takes of one caller.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bounds a message, a body, and a tensor of either.
    pub max_message_bytes: usize,
    /// Bounds all requests under way together.
    pub max_bytes_in_flight: usize,
    pub max_json_depth: usize,
    /// Streams of one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// All headers of a request together.
    pub max_header_bytes: u32,
    /// From the first byte of a request's headers to the last.
    pub header_timeout: Duration,
    /// Between two parts of a body.
    pub read_timeout: Duration,
    /// Without a request, a connection is closed.
    pub idle_timeout: Duration,
    /// A caller over HTTP/2 that says nothing for so long is pinged.
    pub keepalive_time: Duration,
    /// From a ping to its answer.
    pub keepalive_timeout: Duration,
}

/// State shared by all connections of a server.
pub(crate) struct Plane {
    pub(crate) registry: Registry,
    pub(crate) runner: Runner,
    /// What requests under way may hold together.
    pub(crate) budget: Arc<Budget>,
    pub(crate) limits: Limits,
    /// How long a REST request may wait and run; `None` for ever.
    pub(crate) rest_timeout: Option<Duration>,
    /// Whether pages of other origins may read what REST answers.
    pub(crate) rest_cors: bool,
    /// Where REST has the metrics; `None` for nowhere.
    pub(crate) metrics_path: Option<String>,
    /// Held by whoever has the metrics written.
    pub(crate) scraping: Arc<Mutex<()>>,
    pub(crate) allow_remote_reload: bool,
    pub(crate) on_reload: Option<ReloadHandler>,
    /// What the control plane says that it serves.
    pub(crate) configuration: ArcSwap<ModelServerConfig>,
}

impl Plane {
    /// What counts a request, from now on.
    pub(crate) fn stopwatch(&self, api: Api, protocol: Protocol) -> Stopwatch {
        Stopwatch::start(api, protocol, self.registry.ledger())
    }

    /// What counts requests that name `model`.
    pub(crate) fn meter(&self, model: &str) -> Arc<ModelMeter> {
        self.registry.meter(&self.snapshot(), model)
    }

    /// The servable for a request, kept until the last user lets go.
    pub(crate) fn servable(
        &self,
        model: &str,
        choice: &VersionChoice,
        watch: &mut Stopwatch,
    ) -> Result<Arc<Servable>> {
        let snapshot = self.snapshot();
        watch.names(self.registry.meter(&snapshot, model));
        snapshot.servable(model, choice).map(Arc::clone)
    }

    /// What is known of the versions that a request asks for, as both transports report it.
    pub(crate) fn status(
        &self,
        model: &str,
        choice: &VersionChoice,
        watch: &mut Stopwatch,
    ) -> Result<GetModelStatusResponse> {
        let snapshot = self.snapshot();
        watch.names(self.registry.meter(&snapshot, model));
        snapshot.statuses(model, choice).map(status_response)
    }

    pub(crate) fn snapshot(&self) -> impl std::ops::Deref<Target = Arc<Snapshot>> {
        self.registry.snapshot()
    }
}

fn status_response(statuses: &[VersionStatus]) -> GetModelStatusResponse {
    let model_version_status = statuses
        .iter()
        .map(|status| ModelVersionStatus {
            version: status.version,
            state: status.state as i32,
            status: Some(StatusProto {
                error_code: status.code as i32,
                error_message: status.message.clone(),
            }),
        })
        .collect();
    GetModelStatusResponse { model_version_status }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane").field("registry", &self.registry).finish_non_exhaustive()
    }
}
