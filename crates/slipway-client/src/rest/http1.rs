// SPDX-License-Identifier: Apache-2.0
//! HTTP/1.1 with a pool of connections: each carries one call at a time.

use std::error::Error as StdError;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use slipway_core::{Error, Result};
use slipway_tls::ClientTls;
use tokio::sync::Semaphore;

use crate::address::Endpoint;
use crate::failure::{too_large, unavailable, Failure};
use crate::socket::{connect, Pending, Watch};

/// Calls beyond so many wait for one of them to end.
const MAX_CONNECTIONS: usize = 128;

pub(super) struct Http1 {
    address: String,
    authority: String,
    endpoint: Endpoint,
    tls: Option<ClientTls>,
    limit: usize,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    watch: Watch,
    /// Whether it has carried a call before: then it may have ended unseen.
    used: bool,
}

impl Http1 {
    pub(super) fn new(endpoint: Endpoint, tls: Option<ClientTls>, limit: usize) -> Self {
        let address = endpoint.to_string();
        let authority = endpoint.authority();
        let places = Semaphore::new(MAX_CONNECTIONS);
        Self { address, authority, endpoint, tls, limit, idle: Mutex::default(), places }
    }

    pub(super) fn close(&self) {
        self.idle().clear();
    }

    /// Sends a request and returns the whole answer.
    pub(super) async fn exchange(
        &self,
        method: Method,
        path: String,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        // The semaphore is never closed: there is a place sooner or later.
        let _place = self.places.acquire().await;
        let mut retried = false;
        loop {
            let connection = self.connection().await?;
            let used = connection.used;
            match self.attempt(connection, &method, &path, body.clone()).await {
                Err(Failure::Unprocessed(_)) if used && !retried => {
                    retried = true;
                    // The others are likely to have ended with it.
                    self.idle().clear();
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn attempt(
        &self,
        mut connection: Connection,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| Error::invalid_argument(error.to_string()))?;
        let sent = connection.sender.try_send_request(request).await;
        let answer = sent.map_err(|mut failed| {
            let unsent = failed.take_message().is_some();
            let error = self.lost(failed.error(), connection.used);
            if unsent {
                Failure::Unprocessed(error)
            } else {
                Failure::Final(error)
            }
        })?;
        let (head, mut body) = answer.into_parts();
        let mut whole = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame.map_err(|error| self.lost(&error, true))?.into_data() else {
                continue;
            };
            let length = joined.len() + whole.len() + piece.len();
            if length > self.limit {
                return Err(too_large("answer", length, self.limit).into());
            }
            if !whole.is_empty() {
                joined.extend_from_slice(&whole);
            }
            whole = piece;
        }
        if !joined.is_empty() {
            joined.extend_from_slice(&whole);
            whole = joined.freeze();
        }
        connection.used = true;
        self.idle().push(connection);
        Ok((head.status, whole))
    }

    /// A connection that is ready for a call: the one used last, or a new one.
    async fn connection(&self) -> Result<Connection> {
        loop {
            let kept = self.idle().pop();
            let Some(mut kept) = kept else { return self.open().await };
            // What comes without a question is a farewell, if not the end itself.
            if kept.watch.look() == Pending::Nothing && kept.sender.ready().await.is_ok() {
                return Ok(kept);
            }
        }
    }

    async fn open(&self) -> Result<Connection> {
        let failed = |error: &dyn std::fmt::Display| {
            unavailable(&self.address, format_args!("cannot connect: {error}"))
        };
        let connected = connect(&self.endpoint, self.tls.as_ref()).await;
        let (stream, watch) = connected.map_err(|error| failed(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        tokio::spawn(async move {
            // What went wrong is told to the call of the connection.
            let _ = connection.await;
        });
        sender.ready().await.map_err(|error| self.lost(&error, false))?;
        Ok(Connection { sender, watch, used: false })
    }

    /// What became of a call over a connection that had been `used` before, or not.
    fn lost(&self, error: &hyper::Error, used: bool) -> Error {
        let reason = if used || self.tls.is_some() {
            format!("the connection was lost: {}", root_cause(error))
        } else {
            format!(
                "no HTTP/1.1 answer came ({error}); is it the gRPC port, or one with TLS (https://)?"
            )
        };
        unavailable(&self.address, reason)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cause of all causes: hyper's own words are that there was an error.
fn root_cause(error: &hyper::Error) -> &dyn StdError {
    let mut cause: &dyn StdError = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}
