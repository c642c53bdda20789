// SPDX-License-Identifier: Apache-2.0
//! Values that cross the boundary: messages and signatures as dicts, and what is published.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use prost::{Message, Name};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use slipway_client::{SignatureInfo, TensorInfo};
use slipway_core::{Code, Publication, State, VersionStatus};
use slipway_proto::reflect::{self, TextError};
use slipway_tensorflow::Pin;

/// Reads a text form of the protobuf message named `message` into a dict; see `_native.pyi`.
#[pyfunction]
pub(crate) fn parse_text<'py>(
    py: Python<'py>,
    message: &str,
    text: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let json = py.detach(|| reflect::text_to_json(message, text));
    match json {
        Ok(json) => dict(py, &json),
        Err(error) => Err(text_error(py, error)),
    }
}

/// The TextFormatError for a text that is no message.
pub(crate) fn text_error(py: Python<'_>, error: TextError) -> PyErr {
    let make = || {
        let class = py.import("slipway.errors")?.getattr("TextFormatError")?;
        class.call1((error.reason, error.line, error.column))
    };
    make().map_or_else(|failure: PyErr| failure, PyErr::from_value)
}

/// A message as the dict of the fields that are set.
pub(crate) fn message<'py, M: Message + Name>(
    py: Python<'py>,
    message: &M,
) -> PyResult<Bound<'py, PyAny>> {
    let json = reflect::message_to_json(message)
        .map_err(|_| PyRuntimeError::new_err("a message has no JSON: this is a bug"))?;
    dict(py, &json)
}

/// What Python's own reader makes of `json`.
fn dict<'py>(py: Python<'py>, json: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (json,))
}

/// A `slipway.servables.VersionStatus`, read by its attributes.
#[derive(FromPyObject)]
pub(crate) struct PyVersionStatus {
    version: i64,
    state: String,
    code: i32,
    message: String,
}

impl TryFrom<PyVersionStatus> for VersionStatus {
    type Error = PyErr;

    fn try_from(status: PyVersionStatus) -> PyResult<Self> {
        let PyVersionStatus { version, state, code, message } = status;
        let state = State::from_name(&state)
            .ok_or_else(|| PyValueError::new_err(format!("there is no state {state}")))?;
        Ok(Self { version, state, code: Code::from_number(code), message })
    }
}

/// One publication a model, from the three maps of `Server.publish`.
pub(crate) fn publications(
    routes: HashMap<String, BTreeMap<i64, PathBuf>>,
    labels: HashMap<String, HashMap<String, i64>>,
    statuses: HashMap<String, Vec<PyVersionStatus>>,
) -> PyResult<HashMap<String, Publication>> {
    let mut models: HashMap<String, Publication> = HashMap::new();
    for (name, statuses) in statuses {
        models.entry(name).or_default().statuses =
            statuses.into_iter().map(VersionStatus::try_from).collect::<PyResult<_>>()?;
    }
    for (name, labels) in labels {
        models.entry(name).or_default().labels = labels;
    }
    for (name, routes) in routes {
        let model = models.entry(name).or_default();
        model.configured = true;
        model.routes = routes;
    }
    Ok(models)
}

/// Who executes a model's ops, by name.
pub(crate) fn executor(name: Option<&str>) -> PyResult<Option<Pin>> {
    match name {
        None => Ok(None),
        Some("caller") => Ok(Some(Pin::Caller)),
        Some("pool") => Ok(Some(Pin::Pool)),
        Some("single_threaded") => Ok(Some(Pin::SingleThreaded)),
        Some(other) => {
            let reason = format!(
                "executor is \"caller\", \"pool\", \"single_threaded\" or None, not {other:?}"
            );
            Err(PyValueError::new_err(reason))
        }
    }
}

/// Signatures as `_native.pyi` has them, by name.
pub(crate) fn signatures<'py>(
    py: Python<'py>,
    signatures: &BTreeMap<String, SignatureInfo>,
) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (name, SignatureInfo { method_name, inputs, outputs }) in signatures {
        found.set_item(name, (method_name, infos(py, inputs)?, infos(py, outputs)?))?;
    }
    Ok(found)
}

fn infos<'py>(
    py: Python<'py>,
    infos: &BTreeMap<String, TensorInfo>,
) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (alias, TensorInfo { dtype, shape, tensor_name }) in infos {
        let shape = shape.as_ref().map(|shape| PyTuple::new(py, shape)).transpose()?;
        found.set_item(alias, (dtype, shape, tensor_name))?;
    }
    Ok(found)
}
