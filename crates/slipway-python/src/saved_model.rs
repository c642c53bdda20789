// SPDX-License-Identifier: Apache-2.0
//! `slipway._native.SavedModel`: a model of this process, without a server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use slipway_client::Metadata;
use slipway_core::{
    bind_tensors, select_outputs, Call, Code, Error, Result, Servable, ServableId, Tensor,
};
use slipway_tensorflow::{trim_memory, Library, LoadOptions, Loaded, Threads};

use crate::arrays::{arrays, tensors};
use crate::convert::{executor, signatures};
use crate::errors::{detached, exception};

/// What a default value of an input may take, which the model's file only describes.
const MAX_DEFAULT_BYTES: usize = 256 << 20;

/// See `_native.pyi`.
#[pyclass(frozen)]
pub(crate) struct SavedModel {
    process: u32,
    loaded: Mutex<Option<Loaded>>,
}

#[pymethods]
impl SavedModel {
    #[new]
    #[pyo3(signature = (path, *, tags, library, executor=None))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        tags: Vec<String>,
        library: PathBuf,
        executor: Option<&str>,
    ) -> PyResult<Self> {
        let executor = self::executor(executor)?;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let options = LoadOptions {
            tags,
            threads: Threads { intra_op: threads, inter_op: threads },
            gpu_memory_fraction: None,
            executor,
            max_tensor_bytes: MAX_DEFAULT_BYTES,
            check_method_names: false,
            warm_up: None,
        };
        let id = ServableId { model: path.display().to_string(), version: 0 };
        let loaded = detached(py, || {
            let library = Library::load(&library)?;
            slipway_tensorflow::load(library, id, &path, &options)
        })?;
        Ok(Self { process: process::id(), loaded: Mutex::new(Some(loaded)) })
    }

    fn signatures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        signatures(py, &Metadata::of_signatures(self.servable(py)?.metadata()).signatures)
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        signature: &str,
        inputs: &Bound<'py, PyDict>,
        outputs: Vec<String>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let servable = self.servable(py)?;
        let given = tensors(inputs)?;
        let outputs = detached(py, || answer(servable, signature, &given, &outputs))?;
        arrays(py, &outputs)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.let_go());
    }
}

impl SavedModel {
    fn servable(&self, py: Python<'_>) -> PyResult<Arc<Servable>> {
        if self.process != process::id() {
            let reason = "the model was loaded before this process was forked, and its threads \
                          did not come along: load it again here";
            return Err(exception(py, &Error::failed_precondition(reason)));
        }
        let loaded = self.locked();
        let servable = loaded.as_ref().map(|loaded| Arc::clone(&loaded.servable));
        servable.ok_or_else(|| PyValueError::new_err("the model is closed"))
    }

    /// Waits for the runs under way, then frees the model's memory.
    fn let_go(&self) {
        if self.process != process::id() {
            // The session's threads are the parent's: to wait for them would be for ever. So may a
            // lock be that one of them held.
            return;
        }
        let Some(Loaded { servable, gone, .. }) = self.locked().take() else { return };
        drop(servable);
        drop(gone.recv());
        trim_memory();
    }

    fn locked(&self) -> MutexGuard<'_, Option<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SavedModel {
    fn drop(&mut self) {
        if self.process == process::id() {
            let detached = Python::try_attach(|py| py.detach(|| self.let_go()));
            // The interpreter is ending, and nobody holds its lock.
            detached.unwrap_or_else(|| self.let_go());
        } else if let Ok(loaded) = self.loaded.get_mut() {
            // In a forked child it would wait for the parent's threads.
            std::mem::forget(loaded.take());
        }
    }
}

/// The outputs wanted, with their aliases.
fn answer(
    servable: Arc<Servable>,
    signature: &str,
    given: &BTreeMap<String, Tensor>,
    outputs: &[String],
) -> Result<Vec<(String, Tensor)>> {
    let callable = servable.callable(signature).cloned().unwrap_or_else(|| {
        let names: Vec<_> = servable.metadata().signature_def.keys().cloned().collect();
        Err(Error::new(
            Code::FailedPrecondition,
            format!("Serving signature key \"{signature}\" not found. There are {names:?}"),
        ))
    })?;
    let inputs = bind_tensors(&callable.signature, given)?;
    let outputs = select_outputs(&callable.signature, outputs)?;
    let call = Call { servable, callable: Arc::clone(&callable), inputs, outputs: outputs.clone() };
    let plan = call.plan();
    let aliases = outputs.iter().map(|&index| callable.signature.outputs[index].alias.clone());
    Ok(aliases.zip(call.run(plan)?).collect())
}
