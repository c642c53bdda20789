// SPDX-License-Identifier: Apache-2.0
//! Accepting connections, and the threads that serve them.
//!
//! Each network thread has a single-threaded runtime of its own and keeps a connection for life:
//! no request is handed from thread to thread unless its run is long.

use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use slipway_tls::{ServerStream, ServerTls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::{TaskTracker, TaskTrackerToken};
use tracing::{debug, warn};

use crate::activity::Activity;
use crate::authority::PathAsHost;
use crate::grpc::GrpcService;
use crate::handshake::{handshake, Complaints};
use crate::peer::Peer;
use crate::plane::Limits;
use crate::rest::RestService;

/// Flow control windows: large enough that an image is sent without waiting for the receiver.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Of a connection over HTTP/1.1, which has its headers in the same buffer.
const READ_BUFFER_BYTES: usize = 64 << 10;
/// How long a connection without a request may take to end when it has been told to: a caller over
/// HTTP/2 confirms it, and one that has not said a word over HTTP/1.1 could still send a request.
const LINGER: Duration = Duration::from_millis(500);
/// How long to wait when the process has no file descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a port speaks.
#[derive(Clone)]
pub(crate) enum Protocol {
    Grpc(GrpcService),
    Rest(RestService),
}

/// Where connections come in.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, ServerTls),
    Unix(UnixListener),
}

/// The network threads of a server.
pub(crate) struct Network {
    threads: Vec<NetworkThread>,
    shared: Shared,
}

/// What all threads know.
#[derive(Clone)]
struct Shared {
    limits: Limits,
    connections: TaskTracker,
    closing: CancellationToken,
    complaints: Arc<Complaints>,
}

struct NetworkThread {
    sender: mpsc::UnboundedSender<Connection>,
    open: Arc<AtomicUsize>,
}

/// A connection on its way to its thread.
struct Connection {
    stream: Stream,
    peer: Peer,
    protocol: Protocol,
    open: Open,
}

/// A stream that belongs to no runtime.
enum Stream {
    Tcp(TcpStream),
    Tls(TcpStream, ServerTls),
    Unix(UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream.into_std()?), Peer::Tcp(peer.ip())))
            }
            Listener::Tls(listener, tls) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tls(stream.into_std()?, tls.clone()), Peer::Tcp(peer.ip())))
            }
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream.into_std()?), Peer::Unix))
            }
        }
    }
}

/// Counts as one of its thread's connections, and as one to wait for, as long as it lives.
struct Open {
    count: Arc<AtomicUsize>,
    _token: TaskTrackerToken,
}

impl Open {
    fn new(count: &Arc<AtomicUsize>, connections: &TaskTracker) -> Self {
        count.fetch_add(1, Relaxed);
        Self { count: Arc::clone(count), _token: connections.token() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}

impl Network {
    /// Starts `threads` network threads.
    pub(crate) fn start(threads: usize, limits: Limits) -> io::Result<Self> {
        let (connections, closing) = (TaskTracker::new(), CancellationToken::new());
        let shared = Shared { limits, connections, closing, complaints: Arc::default() };
        let threads = (0..threads.max(1))
            .map(|index| NetworkThread::start(index, shared.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { threads, shared })
    }

    /// Accepts connections and spreads them over the threads, until the server closes.
    pub(crate) async fn accept(self: Arc<Self>, listener: Listener, protocol: Protocol) {
        loop {
            let accepted = tokio::select! {
                () = self.shared.closing.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.assign(stream, peer, protocol.clone()),
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn assign(&self, stream: Stream, peer: Peer, protocol: Protocol) {
        let Some(thread) = self.threads.iter().min_by_key(|thread| thread.open.load(Relaxed))
        else {
            return;
        };
        let open = Open::new(&thread.open, &self.shared.connections);
        if thread.sender.send(Connection { stream, peer, protocol, open }).is_err() {
            warn!("a network thread has ended: this is a bug");
        }
    }

    /// Stops accepting, and has each connection end when its requests are answered.
    pub(crate) fn close(&self) {
        self.shared.closing.cancel();
        self.shared.connections.close();
    }

    /// Returns when the last connection has ended.
    pub(crate) async fn closed(&self) {
        self.shared.connections.wait().await;
    }
}

impl NetworkThread {
    fn start(index: usize, shared: Shared) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, mut receiver) = mpsc::unbounded_channel::<Connection>();
        let open = Arc::new(AtomicUsize::new(0));
        thread::Builder::new().name(format!("slipway-net-{index}")).spawn(move || {
            runtime.block_on(async move {
                while let Some(connection) = receiver.recv().await {
                    let shared = shared.clone();
                    tokio::spawn(async move {
                        let Connection { stream, peer, protocol, open } = connection;
                        let served = match stream {
                            Stream::Tcp(stream) => serve(tcp(stream), peer, protocol, shared).await,
                            Stream::Tls(stream, tls) => {
                                match secured(stream, &tls, peer, &shared).await {
                                    Some(stream) => serve(Ok(stream), peer, protocol, shared).await,
                                    None => Ok(()),
                                }
                            }
                            Stream::Unix(stream) => {
                                let stream = tokio::net::UnixStream::from_std(stream);
                                serve(stream.map(PathAsHost::new), peer, protocol, shared).await
                            }
                        };
                        if let Err(error) = served {
                            debug!(error, "a connection ended early");
                        }
                        drop(open);
                    });
                }
            });
        })?;
        Ok(Self { sender, open })
    }
}

fn tcp(stream: TcpStream) -> io::Result<tokio::net::TcpStream> {
    stream.set_nodelay(true)?;
    tokio::net::TcpStream::from_std(stream)
}

/// TLS over a connection; `None` when it has come to nothing, or the server closes.
async fn secured(
    stream: TcpStream,
    tls: &ServerTls,
    peer: Peer,
    Shared { limits, closing, complaints, .. }: &Shared,
) -> Option<ServerStream<tokio::net::TcpStream>> {
    let stream = tcp(stream).ok()?;
    let shaken = handshake(tls, stream, peer, limits.header_timeout, complaints);
    closing.run_until_cancelled(shaken).await?
}

/// Serves one connection to its end.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: io::Result<S>,
    peer: Peer,
    protocol: Protocol,
    Shared { limits, closing, .. }: Shared,
) -> Result<(), String> {
    let io = TokioIo::new(stream.map_err(|error| error.to_string())?);
    let activity = Activity::default();
    // The two kinds of connection have the same methods and no trait for them.
    macro_rules! drive {
        ($connection:expr) => {{
            let mut connection = pin!($connection);
            let ended = tokio::select! {
                result = connection.as_mut() => Some(result),
                () = closing.cancelled() => None,
                () = activity.idle(limits.idle_timeout) => None,
            };
            match ended {
                Some(result) => result,
                None => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        result = connection => result,
                        () = activity.idle(LINGER) => Ok(()),
                    }
                }
            }
        }};
    }
    let result = match protocol {
        Protocol::Grpc(service) => drive!(http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_concurrent_streams(limits.max_concurrent_streams)
            .max_header_list_size(limits.max_header_bytes)
            .keep_alive_interval(limits.keepalive_time)
            .keep_alive_timeout(limits.keepalive_timeout)
            .serve_connection(io, service.of(activity.clone(), closing.clone(), peer))),
        Protocol::Rest(service) => drive!(http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(READ_BUFFER_BYTES.max(limits.max_header_bytes as usize))
            .serve_connection(io, service.of(activity.clone()))),
    };
    result.map_err(|error| error.to_string())
}
