// SPDX-License-Identifier: Apache-2.0
//! TLS as a client speaks it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;
use tokio_rustls::TlsConnector;

use crate::explain::explained;
use crate::identity::identity;
use crate::trust::Trust;
use crate::{Pem, Protocol, TlsError, PROVIDER};

/// The TLS of a client of one server.
pub struct ClientTls {
    connector: TlsConnector,
    host: ServerName<'static>,
}

impl ClientTls {
    /// A client that believes a server whose certificate is for `host` and from an authority in
    /// `ca`; without it, from one that this machine trusts. `identity` is the key and the
    /// certificates that it shows to a server that asks for some.
    ///
    /// # Errors
    /// What is wrong with a text, by its name, or with `host`.
    pub fn new(
        protocol: Protocol,
        host: &str,
        ca: Option<Pem<'_>>,
        identity_of: Option<(Pem<'_>, Pem<'_>)>,
    ) -> Result<Self, TlsError> {
        let host = ServerName::try_from(host.to_owned())
            .map_err(|_| TlsError(format!("{host} is no name that a certificate could be for")))?;
        let servers = match ca {
            Some(pem) => Trust::of(pem)?,
            None => Trust::of_system()?,
        };
        let builder = ClientConfig::builder_with_provider(PROVIDER.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(servers.in_servers()?);
        let mut config = match identity_of {
            Some((key, chain)) => builder
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity(key, chain)?))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![protocol.alpn().to_vec()];
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), host })
    }

    /// Comes to terms with the server at the other end of `stream`.
    ///
    /// # Errors
    /// Why not, in words for the caller.
    pub async fn connect<S>(&self, stream: S) -> io::Result<Explained<TlsStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connecting = self.connector.connect(self.host.clone(), stream);
        connecting.await.map(Explained).map_err(explained)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A stream whose errors are in words for the caller. A server may refuse the client's certificate
/// after it has let it in: then the first read says so.
#[derive(Debug)]
pub struct Explained<S>(S);

impl<S: AsyncRead + Unpin> AsyncRead for Explained<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer).map_err(explained)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Explained<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes).map_err(explained)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, parts).map_err(explained)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context).map_err(explained)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context).map_err(explained)
    }
}
