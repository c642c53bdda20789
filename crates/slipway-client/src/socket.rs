// SPDX-License-Identifier: Apache-2.0
//! Sockets: opened within a runtime, looked at from anywhere.

use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;

use slipway_tls::ClientTls;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::address::Endpoint;

/// A connected socket of either kind.
pub(crate) type Stream = Pin<Box<dyn Io>>;

pub(crate) trait Io: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Io for S {}

/// Connects, and returns a way to look at the socket as well: at what comes over it, which with TLS
/// may be other than what is read.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    tls: Option<&ClientTls>,
) -> io::Result<(Stream, Watch)> {
    match endpoint {
        Endpoint::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            let watch = Watch(stream.as_fd().try_clone_to_owned()?);
            match tls {
                Some(tls) => Ok((Box::pin(tls.connect(stream).await?), watch)),
                None => Ok((Box::pin(stream), watch)),
            }
        }
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await?;
            let watch = Watch(stream.as_fd().try_clone_to_owned()?);
            Ok((Box::pin(stream), watch))
        }
    }
}

/// A second handle of a socket, to see what waits in it without taking it out.
#[derive(Debug)]
pub(crate) struct Watch(OwnedFd);

/// What a socket has for us at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Nothing,
    Bytes,
    /// The other side has closed, or the connection is broken.
    End,
}

impl Watch {
    pub(crate) fn look(&self) -> Pending {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&self.0).peek(&mut byte) {
            Ok(0) => Pending::End,
            Ok(_) => Pending::Bytes,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Pending::Nothing,
                _ => Pending::End,
            },
        }
    }
}
