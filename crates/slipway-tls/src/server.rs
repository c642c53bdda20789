// SPDX-License-Identifier: Apache-2.0
//! TLS as a server speaks it.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_rustls::TlsAcceptor;

use crate::identity::identity;
use crate::trust::Trust;
use crate::{Pem, Protocol, TlsError, PROVIDER};

/// The TLS of a port. Clones share it, and the sessions that callers may resume.
#[derive(Clone)]
pub struct ServerTls(TlsAcceptor);

impl ServerTls {
    /// A server that shows the certificates in `chain`. With `client_ca` it answers only callers who
    /// show one from an authority in there.
    ///
    /// # Errors
    /// What is wrong with a text, by its name; also when `key` is not that of the first certificate.
    pub fn new(
        protocol: Protocol,
        key: Pem<'_>,
        chain: Pem<'_>,
        client_ca: Option<Pem<'_>>,
    ) -> Result<Self, TlsError> {
        let identity = identity(key, chain)?;
        let clients = match client_ca {
            Some(pem) => Trust::of(pem)?.in_clients()?,
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = ServerConfig::builder_with_provider(PROVIDER.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Comes to terms with a caller.
    ///
    /// # Errors
    /// Why not, for [`of_caller`](crate::of_caller) to say, and the stream. The caller has been told.
    pub async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, (io::Error, S)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.0.accept(stream).into_fallible().await
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}
