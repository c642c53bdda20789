// SPDX-License-Identifier: Apache-2.0
//! `GET` of a model: its versions, or its signatures.

use slipway_core::{Error, Result};
use slipway_proto::reflect::to_json;
use slipway_proto::tensorflow::serving::model_spec::VersionChoice as WireChoice;
use slipway_proto::tensorflow::serving::ModelSpec;

use super::route::ModelRef;
use crate::plane::Plane;
use crate::stopwatch::Stopwatch;

/// Indentation of protobuf's JSON printer.
const INDENT: &[u8] = b" ";

pub(super) fn status(plane: &Plane, model: &ModelRef, watch: &mut Stopwatch) -> Result<Vec<u8>> {
    let response = plane.status(&model.name, &model.choice, watch)?;
    to_json(&response, INDENT).map_err(unwritable)
}

pub(super) fn metadata(plane: &Plane, model: &ModelRef, watch: &mut Stopwatch) -> Result<Vec<u8>> {
    let servable = plane.servable(&model.name, &model.choice, watch)?;
    let spec = ModelSpec {
        name: servable.id().model.clone(),
        signature_name: String::new(),
        version_choice: Some(WireChoice::Version(servable.id().version)),
    };
    let spec = to_json(&spec, INDENT).map_err(unwritable)?;
    let signatures = to_json(servable.metadata(), INDENT).map_err(unwritable)?;
    Ok([
        &b"{\n\"model_spec\":"[..],
        &spec,
        b"\n,\n\"metadata\": {\"signature_def\": ",
        &signatures,
        b"\n}\n}\n",
    ]
    .concat())
}

fn unwritable(_: std::fmt::Error) -> Error {
    Error::internal("the answer cannot be written as JSON: this is a bug")
}
