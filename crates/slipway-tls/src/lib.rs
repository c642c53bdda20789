// SPDX-License-Identifier: Apache-2.0
//! TLS 1.2 and 1.3 for the server and the client: who they are, and whom they believe.
//!
//! Keys and certificates come as texts in PEM, each under the name that its owner knows it by:
//! what is wrong with one is said by that name. The rest is rustls.

#![forbid(unsafe_code)]

mod client;
mod explain;
mod identity;
mod server;
mod trust;

use std::fmt;
use std::sync::{Arc, LazyLock};

use rustls::crypto::{ring, CryptoProvider};

pub use client::{ClientTls, Explained};
pub use explain::of_caller;
pub use server::ServerTls;
pub use tokio_rustls::server::TlsStream as ServerStream;

/// What is spoken over TLS; both sides have to agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// A text in PEM, and what its owner calls it.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    pub name: &'a str,
    pub text: &'a [u8],
}

/// What is wrong with keys or certificates, for who wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(ring::default_provider()));

impl Protocol {
    /// Its name in the handshake.
    fn alpn(self) -> &'static [u8] {
        match self {
            Protocol::Http1 => b"http/1.1",
            Protocol::Http2 => b"h2",
        }
    }
}

impl fmt::Debug for Pem<'_> {
    /// Without the text, which may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pem").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

impl From<rustls::Error> for TlsError {
    /// For what no key or certificate is to blame for.
    fn from(error: rustls::Error) -> Self {
        Self(format!("TLS cannot be set up: {error}"))
    }
}
