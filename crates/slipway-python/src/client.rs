// SPDX-License-Identifier: Apache-2.0
//! `slipway._native.Connection`, what it is asked, and where answers wait for an event loop.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use slipway_client::{Answer, Client, Credentials, Metadata, ModelRef, Predict, Task};
use slipway_core::{State, VersionChoice, VersionStatus};
use slipway_proto::reflect;

use crate::arrays::{arrays, tensors};
use crate::convert::{message, signatures, text_error};
use crate::errors::{exception, os_error};

/// See `_native.pyi`.
#[pyclass(frozen)]
pub(crate) struct Request(Mutex<Option<slipway_client::Request>>);

impl Request {
    fn new(request: slipway_client::Request) -> Self {
        Self(Mutex::new(Some(request)))
    }

    fn take(&self) -> PyResult<slipway_client::Request> {
        locked(&self.0).take().ok_or_else(|| PyRuntimeError::new_err("a Request is used once"))
    }
}

#[pymethods]
impl Request {
    #[staticmethod]
    fn predict(
        model: String,
        version: Option<i64>,
        label: Option<String>,
        signature: String,
        inputs: &Bound<'_, PyDict>,
        outputs: Vec<String>,
    ) -> PyResult<Self> {
        Ok(Self::new(slipway_client::Request::Predict(Predict {
            model: model_ref(model, version, label)?,
            signature,
            inputs: tensors(inputs)?,
            outputs,
        })))
    }

    #[staticmethod]
    fn metadata(model: String, version: Option<i64>, label: Option<String>) -> PyResult<Self> {
        model_ref(model, version, label).map(slipway_client::Request::Metadata).map(Self::new)
    }

    #[staticmethod]
    fn status(model: String, version: Option<i64>, label: Option<String>) -> PyResult<Self> {
        model_ref(model, version, label).map(slipway_client::Request::Status).map(Self::new)
    }

    #[staticmethod]
    fn models() -> Self {
        Self::new(slipway_client::Request::Models)
    }

    #[staticmethod]
    fn configuration() -> Self {
        Self::new(slipway_client::Request::Configuration)
    }

    #[staticmethod]
    fn reload(py: Python<'_>, config: &str) -> PyResult<Self> {
        let config = reflect::text_to_message(config);
        let config = config.map_err(|error| text_error(py, error))?;
        Ok(Self::new(slipway_client::Request::Reload(config)))
    }
}

fn model_ref(name: String, version: Option<i64>, label: Option<String>) -> PyResult<ModelRef> {
    let choice = match (version, label) {
        (None, None) => VersionChoice::Latest,
        (Some(version), None) => VersionChoice::Specific(version),
        (None, Some(label)) => VersionChoice::Label(label),
        (Some(_), Some(_)) => {
            return Err(PyValueError::new_err("give a version or a label, not both"))
        }
    };
    Ok(ModelRef { name, choice })
}

/// See `_native.pyi`.
#[pyclass(frozen)]
pub(crate) struct Connection {
    address: String,
    credentials: Credentials,
    max_message_bytes: usize,
    current: Mutex<Owned>,
}

/// A client, and the process that its threads and sockets belong to.
struct Owned {
    process: u32,
    closed: bool,
    client: Option<Arc<Client>>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // In a forked child its threads are missing, and its socket is the parent's.
        if self.process != process::id() {
            std::mem::forget(self.client.take());
        }
    }
}

#[pymethods]
impl Connection {
    #[new]
    #[pyo3(signature = (
        address, *, max_message_bytes, ca_file=None, cert_file=None, key_file=None,
    ))]
    fn new(
        address: String,
        max_message_bytes: usize,
        ca_file: Option<Vec<u8>>,
        cert_file: Option<Vec<u8>>,
        key_file: Option<Vec<u8>>,
    ) -> PyResult<Self> {
        let credentials = Credentials { ca_file, cert_file, key_file };
        let client = Client::new(&address, &credentials, max_message_bytes)
            .map_err(|error| PyValueError::new_err(error.message.clone()))?;
        let client = Some(Arc::new(client));
        let current = Mutex::new(Owned { process: process::id(), closed: false, client });
        Ok(Self { address, credentials, max_message_bytes, current })
    }

    fn ask<'py>(
        &self,
        py: Python<'py>,
        request: &Request,
        timeout_s: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let client = self.client(py)?;
        let (request, timeout) = (request.take()?, timeout(timeout_s)?);
        let mut raised = None;
        let answer = py.detach(|| {
            client.ask(request, timeout, || {
                raised = Python::attach(|py| py.check_signals()).err();
                raised.is_some()
            })
        });
        match (answer, raised) {
            (Some(Ok(answer)), _) => value(py, &answer),
            (Some(Err(error)), _) => Err(exception(py, &error)),
            (None, Some(raised)) => Err(raised),
            (None, None) => Err(PyRuntimeError::new_err("a call has no outcome: this is a bug")),
        }
    }

    fn send(
        &self,
        py: Python<'_>,
        request: &Request,
        timeout_s: Option<f64>,
        inbox: &Inbox,
    ) -> PyResult<u64> {
        let client = self.client(py)?;
        Ok(inbox.send(&client, request.take()?, timeout(timeout_s)?))
    }

    fn close(&self) {
        let mut current = locked(&self.current);
        current.closed = true;
        if let Some(client) = current.client.as_ref().filter(|_| current.process == process::id()) {
            client.close();
        }
    }
}

impl Connection {
    /// The client of this process: after a fork the child makes its own.
    fn client(&self, py: Python<'_>) -> PyResult<Arc<Client>> {
        let mut current = locked(&self.current);
        if current.closed {
            return Err(PyValueError::new_err("the client is closed"));
        }
        match &current.client {
            Some(client) if current.process == process::id() => Ok(Arc::clone(client)),
            _ => {
                let fresh = Client::new(&self.address, &self.credentials, self.max_message_bytes)
                    .map_err(|error| exception(py, &error))?;
                let fresh = Arc::new(fresh);
                *current = Owned {
                    process: process::id(),
                    closed: false,
                    client: Some(Arc::clone(&fresh)),
                };
                Ok(fresh)
            }
        }
    }
}

fn timeout(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds.filter(|&seconds| seconds != f64::INFINITY) else {
        return Ok(None);
    };
    Duration::try_from_secs_f64(seconds)
        .map(Some)
        .map_err(|error| PyValueError::new_err(format!("timeout_s is {seconds}: {error}")))
}

/// See `_native.pyi`.
#[pyclass(frozen)]
pub(crate) struct Inbox {
    bell: UnixStream,
    arrived: Arc<Arrived>,
    under_way: Mutex<HashMap<u64, Task>>,
    tickets: AtomicU64,
}

/// Answers that nobody has fetched yet.
struct Arrived {
    answers: Mutex<Vec<(u64, slipway_core::Result<Answer>)>>,
    ringer: UnixStream,
}

impl Arrived {
    fn put(&self, ticket: u64, answer: slipway_core::Result<Answer>) {
        let mut answers = locked(&self.answers);
        answers.push((ticket, answer));
        if answers.len() == 1 {
            // It can only fail when it is ringing already, or when nobody listens any more.
            let _ = (&self.ringer).write(&[0]);
        }
    }
}

#[pymethods]
impl Inbox {
    #[new]
    fn new() -> PyResult<Self> {
        let pair = || -> io::Result<(UnixStream, UnixStream)> {
            let (bell, ringer) = UnixStream::pair()?;
            bell.set_nonblocking(true)?;
            ringer.set_nonblocking(true)?;
            Ok((bell, ringer))
        };
        let (bell, ringer) = pair().map_err(|error| os_error(&error))?;
        let arrived = Arc::new(Arrived { answers: Mutex::default(), ringer });
        Ok(Self { bell, arrived, under_way: Mutex::default(), tickets: AtomicU64::new(0) })
    }

    fn fileno(&self) -> RawFd {
        self.bell.as_raw_fd()
    }

    fn collect<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u64, Bound<'py, PyAny>)>> {
        let _ = (&self.bell).read(&mut [0; 64]);
        let answers = std::mem::take(&mut *locked(&self.arrived.answers));
        let mut found = Vec::with_capacity(answers.len());
        for (ticket, answer) in answers {
            // One that was cancelled in the meantime is of no interest.
            if locked(&self.under_way).remove(&ticket).is_none() {
                continue;
            }
            let outcome = match answer {
                Ok(answer) => value(py, &answer),
                Err(error) => Err(exception(py, &error)),
            };
            let outcome =
                outcome.unwrap_or_else(|error| error.into_value(py).into_bound(py).into_any());
            found.push((ticket, outcome));
        }
        Ok(found)
    }

    fn cancel(&self, ticket: u64) {
        if let Some(task) = locked(&self.under_way).remove(&ticket) {
            task.cancel();
        }
    }
}

impl Inbox {
    fn send(
        &self,
        client: &Arc<Client>,
        request: slipway_client::Request,
        timeout: Option<Duration>,
    ) -> u64 {
        let ticket = self.tickets.fetch_add(1, Relaxed);
        let arrived = Arc::clone(&self.arrived);
        // Held until the task is noted, so that an early answer is not taken for a cancelled one.
        let mut under_way = locked(&self.under_way);
        let task = client.send(request, timeout, move |answer| arrived.put(ticket, answer));
        under_way.insert(ticket, task);
        ticket
    }
}

/// What Python gets for an answer.
fn value<'py>(py: Python<'py>, answer: &Answer) -> PyResult<Bound<'py, PyAny>> {
    match answer {
        Answer::Predict(outputs) => arrays(py, outputs).map(Bound::into_any),
        Answer::Metadata(metadata) => description(py, metadata).map(Bound::into_any),
        Answer::Status(versions) => {
            let versions = versions.iter().map(|version| status(py, version));
            Ok(PyList::new(py, versions.collect::<PyResult<Vec<_>>>()?)?.into_any())
        }
        Answer::Models(names) => Ok(PyList::new(py, names)?.into_any()),
        Answer::Configuration(config) => message(py, config),
        Answer::Reload => Ok(py.None().into_bound(py)),
    }
}

fn description<'py>(py: Python<'py>, metadata: &Metadata) -> PyResult<Bound<'py, PyTuple>> {
    let signatures = signatures(py, &metadata.signatures)?;
    (&metadata.name, metadata.version, signatures).into_pyobject(py)
}

fn status<'py>(py: Python<'py>, version: &VersionStatus) -> PyResult<Bound<'py, PyTuple>> {
    let state = match version.state {
        State::Start => "START",
        State::Loading => "LOADING",
        State::Available => "AVAILABLE",
        State::Unloading => "UNLOADING",
        State::End => "END",
    };
    (version.version, state, version.code as i32, &version.message).into_pyobject(py)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
