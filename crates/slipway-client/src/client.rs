// SPDX-License-Identifier: Apache-2.0
//! A client: one address, any number of threads.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;

use slipway_core::{Code, Error, Result};
use tokio::task::AbortHandle;

use crate::address::{Address, Protocol};
use crate::credentials::Credentials;
use crate::driver::Driver;
use crate::grpc::Grpc;
use crate::model::{Answer, Request};
use crate::rest::Rest;

/// A client of the server at one address. It connects when it is first asked something, and again
/// when the connection has ended.
#[derive(Debug)]
pub struct Client {
    // Before the driver: its connections end while there is still a runtime for them.
    transport: Arc<Transport>,
    driver: Driver,
}

struct Transport {
    address: String,
    kind: Kind,
    closed: AtomicBool,
}

enum Kind {
    Grpc(Box<Grpc>),
    Rest(Box<Rest>),
}

/// A call in the background; dropping it does not end the call.
#[derive(Debug)]
pub struct Task(AbortHandle);

impl Task {
    /// Ends the call without an answer; the server is told.
    pub fn cancel(&self) {
        self.0.abort();
    }
}

impl Client {
    /// A client that neither sends nor takes messages of more than `max_message_bytes`.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for what is no address, and for credentials that cannot be used with it.
    pub fn new(address: &str, credentials: &Credentials, max_message_bytes: usize) -> Result<Self> {
        let address = Address::parse(address)?;
        let tls = credentials.tls(&address)?;
        let Address { protocol, endpoint, .. } = address;
        let address = endpoint.to_string();
        let kind = match protocol {
            Protocol::Grpc => Kind::Grpc(Box::new(Grpc::new(endpoint, tls, max_message_bytes)?)),
            Protocol::Rest => Kind::Rest(Box::new(Rest::new(endpoint, tls, max_message_bytes))),
        };
        let driver = Driver::new()
            .map_err(|error| Error::new(Code::ResourceExhausted, format!("no runtime: {error}")))?;
        let transport = Arc::new(Transport { address, kind, closed: AtomicBool::new(false) });
        Ok(Self { transport, driver })
    }

    /// Asks, and waits on this thread, which must not be one of an asynchronous runtime.
    ///
    /// `interrupted` is asked a few times a second whether to give up; then there is no answer.
    pub fn ask(
        &self,
        request: Request,
        timeout: Option<Duration>,
        interrupted: impl FnMut() -> bool,
    ) -> Option<Result<Answer>> {
        self.driver.wait(self.transport.ask(request, timeout), interrupted)
    }

    /// Asks in the background; `answered` is called on a thread that must not wait.
    pub fn send(
        &self,
        request: Request,
        timeout: Option<Duration>,
        answered: impl FnOnce(Result<Answer>) + Send + 'static,
    ) -> Task {
        let transport = Arc::clone(&self.transport);
        Task(self.driver.spawn(async move {
            answered(transport.ask(request, timeout).await);
        }))
    }

    /// Refuses calls from now on; those under way are answered.
    pub fn close(&self) {
        self.transport.closed.store(true, Relaxed);
        match &self.transport.kind {
            Kind::Grpc(grpc) => grpc.close(),
            Kind::Rest(rest) => rest.close(),
        }
    }
}

impl Transport {
    async fn ask(&self, request: Request, timeout: Option<Duration>) -> Result<Answer> {
        if self.closed.load(Relaxed) {
            return Err(Error::failed_precondition("the client is closed"));
        }
        let call = self.call(request, timeout);
        let Some(timeout) = timeout else { return call.await };
        // Timers are too coarse for no time at all.
        let answer = if timeout.is_zero() { None } else { within(timeout, call).await };
        match answer {
            Some(answer) => answer,
            None => {
                // The server learns of it before this thread stops moving bytes.
                tokio::task::yield_now().await;
                let message =
                    format!("{}: no answer within {} s", self.address, timeout.as_secs_f64());
                Err(Error::new(Code::DeadlineExceeded, message))
            }
        }
    }

    async fn call(&self, request: Request, timeout: Option<Duration>) -> Result<Answer> {
        match &self.kind {
            Kind::Grpc(grpc) => grpc.ask(request, timeout).await,
            Kind::Rest(rest) => rest.ask(request).await,
        }
    }
}

/// The outcome of `call`, which is dropped when that takes longer than `timeout`.
async fn within<T>(timeout: Duration, call: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(timeout, call).await.ok()
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("address", &self.address).finish_non_exhaustive()
    }
}
