// SPDX-License-Identifier: Apache-2.0
//! `slipway.Configuration`.

use std::sync::Arc;

use slipway_proto::slipway::configuration_server::Configuration as Service;
use slipway_proto::slipway::{GetConfigurationRequest, GetConfigurationResponse};
use slipway_proto::tensorflow::serving::ModelServerConfig;
use tonic::{async_trait, Request, Response, Status};

use super::wire::status;
use crate::peer::may_control;
use crate::plane::Plane;

#[derive(Clone, Debug)]
pub(super) struct Configuration {
    plane: Arc<Plane>,
}

impl Configuration {
    pub(super) fn new(plane: Arc<Plane>) -> Self {
        Self { plane }
    }
}

#[async_trait]
impl Service for Configuration {
    async fn get_configuration(
        &self,
        request: Request<GetConfigurationRequest>,
    ) -> Result<Response<GetConfigurationResponse>, Status> {
        let peer = request.extensions().get().copied();
        may_control("GetConfiguration", peer, self.plane.allow_remote_reload).map_err(status)?;
        let config = ModelServerConfig::clone(&self.plane.configuration.load());
        Ok(Response::new(GetConfigurationResponse { config: Some(config) }))
    }
}
