// SPDX-License-Identifier: Apache-2.0
//! What can be asked of a server, and what it answers, whatever the transport.

use std::collections::BTreeMap;

use prost::Message;
use slipway_core::{Code, Error, Result, State, Tensor, VersionChoice, VersionStatus};
use slipway_proto::tensorflow::serving::{
    GetModelMetadataResponse, GetModelStatusResponse, ModelServerConfig, SignatureDefMap,
};
use slipway_proto::tensorflow::tensor_info::Encoding;
use slipway_proto::tensorflow::{SignatureDef, TensorInfo as WireInfo};

/// A model, and which of its versions.
#[derive(Clone, Debug)]
pub struct ModelRef {
    pub name: String,
    pub choice: VersionChoice,
}

/// A Predict call.
#[derive(Clone, Debug)]
pub struct Predict {
    pub model: ModelRef,
    /// Empty for the default signature.
    pub signature: String,
    pub inputs: Vec<(String, Tensor)>,
    /// Aliases of the outputs wanted; all when empty.
    pub outputs: Vec<String>,
}

#[derive(Clone, Debug)]
pub enum Request {
    Predict(Predict),
    Metadata(ModelRef),
    Status(ModelRef),
    /// Which models there are.
    Models,
    /// Serve these models from now on.
    Reload(ModelServerConfig),
    Configuration,
}

/// The answer to the [`Request`] of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    Predict(Vec<(String, Tensor)>),
    Metadata(Metadata),
    Status(Vec<VersionStatus>),
    /// Names, sorted.
    Models(Vec<String>),
    Reload,
    Configuration(ModelServerConfig),
}

/// What a version of a model declares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pub name: String,
    /// The version that answered; `None` when the server does not say.
    pub version: Option<i64>,
    pub signatures: BTreeMap<String, SignatureInfo>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignatureInfo {
    pub method_name: String,
    pub inputs: BTreeMap<String, TensorInfo>,
    pub outputs: BTreeMap<String, TensorInfo>,
}

/// A declared input or output; unlike a `slipway_core::TensorSpec`, one that may not be servable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorInfo {
    /// A `tensorflow.DataType`.
    pub dtype: i32,
    /// Sizes, -1 where open; `None` when even the rank is open.
    pub shape: Option<Vec<i64>>,
    /// The tensor in the graph; empty for a sparse or composite one.
    pub tensor_name: String,
}

impl Metadata {
    /// # Errors
    /// INTERNAL when the answer holds no signatures.
    pub(crate) fn from_wire(response: &GetModelMetadataResponse) -> Result<Self> {
        let spec = response.model_spec.clone().unwrap_or_default();
        let any = response.metadata.get(SIGNATURE_DEF);
        let map = any.and_then(|any| SignatureDefMap::decode(&*any.value).ok());
        let map = map.ok_or_else(|| Error::internal("the metadata hold no signatures"))?;
        Ok(Self { name: spec.name.clone(), version: version(&spec), ..Self::of_signatures(&map) })
    }

    /// The signatures alone, of whatever model.
    pub fn of_signatures(map: &SignatureDefMap) -> Self {
        let signatures =
            map.signature_def.iter().map(|(name, def)| (name.clone(), signature(def))).collect();
        Self { signatures, ..Self::default() }
    }
}

/// The one kind of metadata there is.
pub(crate) const SIGNATURE_DEF: &str = "signature_def";

fn version(spec: &slipway_proto::tensorflow::serving::ModelSpec) -> Option<i64> {
    use slipway_proto::tensorflow::serving::model_spec::VersionChoice as Wire;
    match &spec.version_choice {
        Some(Wire::Version(version)) => Some(*version),
        _ => None,
    }
}

fn signature(def: &SignatureDef) -> SignatureInfo {
    let infos = |infos: &BTreeMap<String, WireInfo>| {
        infos.iter().map(|(alias, info)| (alias.clone(), tensor_info(info))).collect()
    };
    SignatureInfo {
        method_name: def.method_name.clone(),
        inputs: infos(&def.inputs),
        outputs: infos(&def.outputs),
    }
}

fn tensor_info(info: &WireInfo) -> TensorInfo {
    let known = info.tensor_shape.as_ref().filter(|shape| !shape.unknown_rank);
    TensorInfo {
        dtype: info.dtype,
        shape: known.map(|shape| shape.dim.iter().map(|dim| dim.size).collect()),
        tensor_name: match &info.encoding {
            Some(Encoding::Name(name)) => name.clone(),
            _ => String::new(),
        },
    }
}

/// The versions in a status answer, in its order. States that nobody knows are left out.
pub(crate) fn statuses(response: GetModelStatusResponse) -> Vec<VersionStatus> {
    let known = response.model_version_status.into_iter().filter_map(|entry| {
        let status = entry.status.unwrap_or_default();
        Some(VersionStatus {
            version: entry.version,
            state: state(entry.state)?,
            code: Code::from_number(status.error_code),
            message: status.error_message,
        })
    });
    known.collect()
}

fn state(number: i32) -> Option<State> {
    [State::Start, State::Loading, State::Available, State::Unloading, State::End]
        .into_iter()
        .find(|&state| state as i32 == number)
}
