// SPDX-License-Identifier: Apache-2.0
//! The life of a server: made, opened, drained.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use slipway_core::{Budget, Publication, Registry, Result};
use slipway_proto::tensorflow::serving::ModelServerConfig;
use slipway_tls::ServerTls;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

use crate::grpc::{GrpcService, Health};
use crate::network::{Listener, Network, Protocol};
use crate::plane::{Limits, Plane, ReloadHandler};
use crate::rest::RestService;
use crate::runner::Runner;
use crate::unix_socket::SocketFile;

/// Threads of the run pool for each CPU: runs may wait for one another, or for a device.
const RUN_THREADS_PER_CPU: usize = 4;

/// What a server is made of.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub host: IpAddr,
    /// `None` for no gRPC; 0 for any free port.
    pub grpc_port: Option<u16>,
    /// Where gRPC has a Unix socket too.
    pub grpc_socket: Option<PathBuf>,
    /// `None` for no REST; 0 for any free port.
    pub rest_port: Option<u16>,
    /// What gRPC's port speaks; its Unix socket has none.
    pub grpc_tls: Option<ServerTls>,
    pub rest_tls: Option<ServerTls>,
    /// Path of the metrics on REST's port; `None` for no metrics.
    pub metrics_path: Option<String>,
    /// CPUs that the process may use.
    pub cpus: usize,
    /// Threads of the run pool; `None` for four a CPU.
    pub run_threads: Option<usize>,
    pub limits: Limits,
    /// `None` for no limit.
    pub rest_timeout: Option<Duration>,
    /// Whether pages of other origins may read what REST answers.
    pub rest_cors: bool,
    /// Whether callers of other machines may reload too.
    pub allow_remote_reload: bool,
}

/// Where an open server listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub grpc: Option<SocketAddr>,
    pub rest: Option<SocketAddr>,
    pub grpc_socket: Option<PathBuf>,
}

/// A server. Safe from any thread; its ports are closed until `start`.
pub struct Server {
    config: ServerConfig,
    plane: Arc<Plane>,
    health: Health,
    state: Mutex<State>,
    handle: Handle,
    /// Accepts connections, and its blocking threads are the run pool; there until the drop.
    runtime: Option<Runtime>,
}

enum State {
    New,
    Open { network: Arc<Network>, acceptors: Vec<JoinHandle<()>>, socket: Option<SocketFile> },
    Drained,
}

impl Server {
    pub fn new(config: ServerConfig, on_reload: Option<ReloadHandler>) -> io::Result<Self> {
        let run_threads = config.run_threads.unwrap_or(RUN_THREADS_PER_CPU * config.cpus);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(run_threads.max(1))
            .thread_name("slipway-run")
            .enable_all()
            .build()?;
        let plane = Arc::new(Plane {
            registry: Registry::default(),
            runner: Runner::new(runtime.handle().clone()),
            budget: Budget::new(config.limits.max_bytes_in_flight),
            limits: config.limits,
            rest_timeout: config.rest_timeout,
            rest_cors: config.rest_cors,
            metrics_path: config.metrics_path.clone(),
            scraping: Default::default(),
            allow_remote_reload: config.allow_remote_reload,
            on_reload,
            configuration: ArcSwap::default(),
        });
        let health = Health::default();
        let handle = runtime.handle().clone();
        Ok(Self {
            config,
            plane,
            health,
            state: Mutex::new(State::New),
            handle,
            runtime: Some(runtime),
        })
    }

    /// What the server answers from.
    pub fn registry(&self) -> &Registry {
        &self.plane.registry
    }

    /// Replaces what requests are answered from, and has health follow; see `Registry::publish`.
    pub fn publish(&self, models: HashMap<String, Publication>) -> Result<()> {
        self.registry().publish(models)?;
        self.health.follow(&self.plane.registry.snapshot());
        Ok(())
    }

    /// Says what the server is to serve, for those who ask.
    pub fn describe(&self, config: ModelServerConfig) {
        self.plane.configuration.store(Arc::new(config));
    }

    /// Opens the ports and returns the addresses they got. A socket that a process before has left
    /// at the path of ours is taken over.
    ///
    /// # Errors
    /// When a port or the socket cannot be bound, naming it; then none is open. When the server is
    /// open already.
    pub fn start(&self) -> io::Result<Addresses> {
        let mut state = self.lock();
        match *state {
            State::New => {}
            State::Open { .. } => return Err(io::Error::other("the server is open already")),
            State::Drained => return Err(io::Error::other("the server is closed for good")),
        }
        let bind = |port: Option<u16>| port.map(|port| self.bind(port)).transpose();
        let grpc = bind(self.config.grpc_port)?;
        let rest = bind(self.config.rest_port)?;
        let address = |listener: &Option<TcpListener>| {
            listener.as_ref().map(TcpListener::local_addr).transpose()
        };
        // The last of them: whoever listened there before is cut off.
        let unix = self.config.grpc_socket.as_deref().map(|path| {
            let _guard = self.handle.enter();
            SocketFile::bind(path)
        });
        let (unix, socket) = unix.transpose()?.unzip();
        let addresses = Addresses {
            grpc: address(&grpc)?,
            rest: address(&rest)?,
            grpc_socket: self.config.grpc_socket.clone(),
        };

        let network = Arc::new(Network::start(self.config.cpus, self.config.limits)?);
        let mut acceptors = Vec::new();
        let mut accept = |listener, protocol| {
            acceptors.push(self.handle.spawn(Arc::clone(&network).accept(listener, protocol)));
        };
        let service = GrpcService::new(Arc::clone(&self.plane), &self.health);
        let service = service.map_err(io::Error::other)?;
        let grpc = grpc.map(|listener| over(listener, self.config.grpc_tls.as_ref()));
        for listener in [grpc, unix.map(Listener::Unix)].into_iter().flatten() {
            accept(listener, Protocol::Grpc(service.clone()));
        }
        if let Some(listener) = rest {
            let service = RestService::new(Arc::clone(&self.plane));
            let listener = over(listener, self.config.rest_tls.as_ref());
            accept(listener, Protocol::Rest(service));
        }
        *state = State::Open { network, acceptors, socket };
        Ok(addresses)
    }

    fn bind(&self, port: u16) -> io::Result<TcpListener> {
        let address = SocketAddr::new(self.config.host, port);
        self.handle.block_on(TcpListener::bind(address)).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })
    }

    /// Turns unready, stops accepting, and waits at most `timeout` for the requests under way.
    /// Whether all of them were answered; true for a server that is not open.
    pub fn drain(&self, timeout: Duration) -> bool {
        let state = std::mem::replace(&mut *self.lock(), State::Drained);
        let State::Open { network, acceptors, socket } = state else { return true };
        self.handle.block_on(async {
            self.health.drain();
            network.close();
            for acceptor in acceptors {
                // Its only end is to return, which closes the port.
                let _ = acceptor.await;
            }
            drop(socket);
            self.health.end();
            tokio::time::timeout(timeout, network.closed()).await.is_ok()
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port that speaks TLS, or none.
fn over(listener: TcpListener, tls: Option<&ServerTls>) -> Listener {
    match tls {
        Some(tls) => Listener::Tls(listener, tls.clone()),
        None => Listener::Tcp(listener),
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A run that is still under way cannot be stopped, and is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
