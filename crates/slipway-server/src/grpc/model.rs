// SPDX-License-Identifier: Apache-2.0
//! `tensorflow.serving.ModelService`.

use std::sync::Arc;

use slipway_core::{Api, Code, Error, Protocol, Result};
use slipway_proto::tensorflow::serving::metric::ValueIncrease;
use slipway_proto::tensorflow::serving::model_server_config::Config;
use slipway_proto::tensorflow::serving::model_service_server::ModelService;
use slipway_proto::tensorflow::serving::{
    GetModelStatusRequest, GetModelStatusResponse, Metric, ReloadConfigRequest,
    ReloadConfigResponse, StatusProto,
};
use tokio::sync::Semaphore;
use tonic::{async_trait, Request, Response, Status};

use super::wire::{deadline, model_spec, status, version_choice};
use crate::metrics::first_counts;
use crate::peer::may_control;
use crate::plane::Plane;
use crate::runner::{aside, by};
use crate::stopwatch::Stopwatch;

/// Reloads under way, each of which has a thread that waits; more of them wait for their turn.
const MAX_RELOADS: usize = 16;

#[derive(Clone, Debug)]
pub(super) struct Model {
    plane: Arc<Plane>,
    turns: Arc<Semaphore>,
}

impl Model {
    pub(super) fn new(plane: Arc<Plane>) -> Self {
        Self { plane, turns: Arc::new(Semaphore::new(MAX_RELOADS)) }
    }

    fn answer_status(
        &self,
        request: &GetModelStatusRequest,
        watch: &mut Stopwatch,
    ) -> Result<GetModelStatusResponse> {
        let spec = model_spec(request.model_spec.as_ref())?;
        self.plane.status(&spec.name, &version_choice(spec), watch)
    }

    async fn answer_reload(
        &self,
        request: Request<ReloadConfigRequest>,
    ) -> Result<ReloadConfigResponse> {
        let peer = request.extensions().get().copied();
        may_control("HandleReloadConfigRequest", peer, self.plane.allow_remote_reload)?;
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let config = request.config.as_ref().and_then(|config| config.config.as_ref());
        if !matches!(config, Some(Config::ModelConfigList(_))) {
            return Err(Error::invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only \
                 ModelConfigList is currently supported",
            ));
        }
        let on_reload = self.plane.on_reload.clone().ok_or_else(|| {
            Error::unimplemented("this server does not take a new configuration while it runs")
        })?;
        let turns = Arc::clone(&self.turns).acquire_owned();
        let turn = by(deadline, async { Ok(turns.await) }).await?;
        let plane = Arc::clone(&self.plane);
        let reload = move || {
            let names = request.metric_names.clone();
            let before = first_counts(&plane, &names);
            let outcome = on_reload(request, deadline);
            drop(turn);
            outcome?;
            let after = first_counts(&plane, &names);
            Ok(increases(names, before.into_iter().zip(after)))
        };
        let metric = aside(reload).await?;
        let status = StatusProto { error_code: Code::Ok as i32, error_message: String::new() };
        Ok(ReloadConfigResponse { status: Some(status), metric })
    }
}

/// By how much each counter has grown.
fn increases(names: Vec<String>, counts: impl Iterator<Item = (u64, u64)>) -> Vec<Metric> {
    let metric = |(name, (before, after)): (String, (u64, u64))| {
        let increase = after.wrapping_sub(before) as i64;
        Metric { name, value_increase: Some(ValueIncrease::Int64ValueIncrease(increase)) }
    };
    names.into_iter().zip(counts).map(metric).collect()
}

#[async_trait]
impl ModelService for Model {
    async fn get_model_status(
        &self,
        request: Request<GetModelStatusRequest>,
    ) -> Result<Response<GetModelStatusResponse>, Status> {
        let mut watch = self.plane.stopwatch(Api::Status, Protocol::Grpc);
        let answer = self.answer_status(request.get_ref(), &mut watch);
        watch.stop(&answer);
        answer.map(Response::new).map_err(status)
    }

    async fn handle_reload_config_request(
        &self,
        request: Request<ReloadConfigRequest>,
    ) -> Result<Response<ReloadConfigResponse>, Status> {
        self.answer_reload(request).await.map(Response::new).map_err(status)
    }
}
