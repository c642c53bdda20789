// SPDX-License-Identifier: Apache-2.0
//! `slipway._native.Server`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use slipway_core::{Result, ServableId};
use slipway_proto::reflect;
use slipway_proto::tensorflow::serving::ReloadConfigRequest;
use slipway_server::{Limits, ReloadHandler, ServerConfig};
use slipway_tensorflow::{trim_memory, Library, LoadOptions, Loaded, Threads, WarmUp};
use slipway_tls::{Pem, Protocol, ServerTls};

use crate::convert::{executor, message, publications, text_error, PyVersionStatus};
use crate::errors::{detached, error, os_error};

/// A data plane; see `_native.pyi`.
#[pyclass(frozen)]
pub(crate) struct Server {
    server: slipway_server::Server,
    library: PathBuf,
    load_options: LoadOptions,
}

/// A `slipway.dataplane.base.PlaneConfig`, read by its attributes.
#[derive(FromPyObject)]
struct PyConfig {
    host: String,
    grpc_port: Option<u16>,
    grpc_socket_path: Option<PathBuf>,
    rest_port: Option<u16>,
    grpc_tls: Option<PyTls>,
    rest_tls: Option<PyTls>,
    metrics_path: Option<String>,
    limits: PyLimits,
    rest_timeout_s: Option<f64>,
    rest_cors: bool,
    run_threads: Option<usize>,
    allow_remote_reload: bool,
    load_options: PyLoadOptions,
}

impl TryFrom<PyConfig> for (ServerConfig, LoadOptions) {
    type Error = PyErr;

    fn try_from(config: PyConfig) -> PyResult<Self> {
        let host = config.host.parse().map_err(|_| {
            PyValueError::new_err(format!("host {:?} is not an IP address", config.host))
        })?;
        let rest_timeout = config.rest_timeout_s.map(|value| seconds("rest_timeout_s", value));
        // Counts what affinity and cgroup leave to this process.
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let limits = config.limits.try_into()?;
        let server = ServerConfig {
            host,
            grpc_port: config.grpc_port,
            grpc_socket: config.grpc_socket_path,
            rest_port: config.rest_port,
            grpc_tls: config.grpc_tls.map(|tls| tls.of(Protocol::Http2)).transpose()?,
            rest_tls: config.rest_tls.map(|tls| tls.of(Protocol::Http1)).transpose()?,
            metrics_path: config.metrics_path,
            cpus,
            run_threads: config.run_threads,
            limits,
            rest_timeout: rest_timeout.transpose()?,
            rest_cors: config.rest_cors,
            allow_remote_reload: config.allow_remote_reload,
        };
        Ok((server, config.load_options.into_options(cpus, &limits)?))
    }
}

/// A `slipway.dataplane.base.Tls`, read by its attributes.
#[derive(FromPyObject)]
pub(crate) struct PyTls {
    server_key: String,
    server_cert: String,
    custom_ca: String,
    client_verify: bool,
}

impl PyTls {
    /// The TLS of a port that speaks `protocol`.
    fn of(&self, protocol: Protocol) -> PyResult<ServerTls> {
        let key = Pem { name: "server_key", text: self.server_key.as_bytes() };
        let chain = Pem { name: "server_cert", text: self.server_cert.as_bytes() };
        let ca = Pem { name: "custom_ca", text: self.custom_ca.as_bytes() };
        ServerTls::new(protocol, key, chain, self.client_verify.then_some(ca))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

/// A `slipway.dataplane.base.Limits`, read by its attributes.
#[derive(FromPyObject)]
struct PyLimits {
    max_message_bytes: usize,
    max_bytes_in_flight: usize,
    max_json_depth: usize,
    max_concurrent_streams: u32,
    max_header_bytes: u32,
    header_timeout_s: f64,
    read_timeout_s: f64,
    idle_timeout_s: f64,
    keepalive_time_s: f64,
    keepalive_timeout_s: f64,
}

/// A `slipway.dataplane.base.LoadOptions`.
#[derive(FromPyObject)]
struct PyLoadOptions {
    tags: Vec<String>,
    executor: Option<String>,
    intra_op_threads: Option<usize>,
    inter_op_threads: Option<usize>,
    check_method_names: bool,
    gpu_memory_fraction: Option<f64>,
    warm_up: bool,
    warm_up_iterations: usize,
    generated_warm_up: bool,
}

impl PyLoadOptions {
    fn into_options(self, cpus: usize, limits: &Limits) -> PyResult<LoadOptions> {
        let warm_up =
            WarmUp { iterations: self.warm_up_iterations, generated: self.generated_warm_up };
        Ok(LoadOptions {
            tags: self.tags,
            threads: Threads {
                intra_op: self.intra_op_threads.unwrap_or(cpus),
                inter_op: self.inter_op_threads.unwrap_or(cpus),
            },
            gpu_memory_fraction: self.gpu_memory_fraction,
            executor: executor(self.executor.as_deref())?,
            max_tensor_bytes: limits.max_message_bytes,
            check_method_names: self.check_method_names,
            warm_up: self.warm_up.then_some(warm_up),
        })
    }
}

impl TryFrom<PyLimits> for Limits {
    type Error = PyErr;

    fn try_from(limits: PyLimits) -> PyResult<Self> {
        Ok(Self {
            max_message_bytes: limits.max_message_bytes,
            max_bytes_in_flight: limits.max_bytes_in_flight,
            max_json_depth: limits.max_json_depth,
            max_concurrent_streams: limits.max_concurrent_streams,
            max_header_bytes: limits.max_header_bytes,
            header_timeout: seconds("header_timeout_s", limits.header_timeout_s)?,
            read_timeout: seconds("read_timeout_s", limits.read_timeout_s)?,
            idle_timeout: seconds("idle_timeout_s", limits.idle_timeout_s)?,
            keepalive_time: seconds("keepalive_time_s", limits.keepalive_time_s)?,
            keepalive_timeout: seconds("keepalive_timeout_s", limits.keepalive_timeout_s)?,
        })
    }
}

fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|error| PyValueError::new_err(format!("{name} is {value}: {error}")))
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (config, *, library, on_reload=None))]
    fn new(config: PyConfig, library: PathBuf, on_reload: Option<Py<PyAny>>) -> PyResult<Self> {
        let (config, load_options) = config.try_into()?;
        // A second server finds the first one's subscriber in place.
        let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).try_init();
        let server = slipway_server::Server::new(config, on_reload.map(reload_handler))
            .map_err(|error| os_error(&error))?;
        Ok(Self { server, library, load_options })
    }

    fn start(&self, py: Python<'_>) -> PyResult<(Option<String>, Option<String>, Option<PathBuf>)> {
        let addresses = py.detach(|| self.server.start()).map_err(|error| os_error(&error))?;
        let text = |address: Option<std::net::SocketAddr>| address.map(|at| at.to_string());
        Ok((text(addresses.grpc), text(addresses.rest), addresses.grpc_socket))
    }

    fn load(&self, py: Python<'_>, model: String, version: i64, path: PathBuf) -> PyResult<()> {
        let id = ServableId { model, version };
        detached(py, || self.load_saved_model(id, &path))
    }

    fn publish(
        &self,
        py: Python<'_>,
        routes: HashMap<String, BTreeMap<i64, PathBuf>>,
        labels: HashMap<String, HashMap<String, i64>>,
        statuses: HashMap<String, Vec<PyVersionStatus>>,
    ) -> PyResult<()> {
        let models = publications(routes, labels, statuses)?;
        detached(py, || self.server.publish(models))
    }

    fn describe(&self, py: Python<'_>, config: &str) -> PyResult<()> {
        let config = reflect::text_to_message(config);
        self.server.describe(config.map_err(|error| text_error(py, error))?);
        Ok(())
    }

    fn unload(&self, py: Python<'_>, model: String, version: i64, path: PathBuf) -> PyResult<()> {
        let id = ServableId { model, version };
        detached(py, || {
            let gone = self.server.registry().remove(&id, &path)?;
            // The last request to let go sends the backend here, to be freed where that may take
            // its time.
            drop(gone.recv());
            trim_memory();
            Ok(())
        })
    }

    fn drain(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let timeout = seconds("timeout_s", timeout_s)?;
        Ok(py.detach(|| self.server.drain(timeout)))
    }
}

/// Why a SavedModel cannot be loaded yet; see `_native.pyi`.
#[pyfunction]
pub(crate) fn incomplete_reason(py: Python<'_>, path: PathBuf) -> Option<String> {
    py.detach(|| slipway_tensorflow::incomplete_reason(&path))
}

/// Whether keys and certificates will do; see `_native.pyi`.
#[pyfunction]
pub(crate) fn check_tls(tls: PyTls) -> PyResult<()> {
    tls.of(Protocol::Http2).map(drop)
}

/// The version of TensorFlow's library; see `_native.pyi`.
#[pyfunction]
pub(crate) fn runtime_version(py: Python<'_>, library: PathBuf) -> PyResult<String> {
    detached(py, || Library::load(&library).map(Library::version))
}

impl Server {
    fn load_saved_model(&self, id: ServableId, path: &Path) -> Result<()> {
        let library = Library::load(&self.library)?;
        let registry = self.server.registry();
        let model = id.model.clone();
        let Loaded { servable, gone, report } =
            slipway_tensorflow::load(library, id, path, &self.load_options)
                .inspect_err(|error| registry.ledger().load_failed(&model, error.code))?;
        registry.insert(servable, path.to_owned(), gone, report)
    }
}

/// Calls `on_reload(config, deadline_s)`, the one call from Rust into Python.
fn reload_handler(on_reload: Py<PyAny>) -> ReloadHandler {
    Arc::new(move |request: ReloadConfigRequest, deadline: Option<Instant>| {
        let config = request.config.unwrap_or_default();
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()).as_secs_f64());
        Python::attach(|py| {
            let config = message(py, &config);
            let called = config.and_then(|config| on_reload.call1(py, (config, left)));
            called.map(drop).map_err(|exception| error(py, &exception))
        })
    })
}
