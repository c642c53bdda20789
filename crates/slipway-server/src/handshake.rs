// SPDX-License-Identifier: Apache-2.0
//! TLS with a caller, before the first byte of a request.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use slipway_tls::{of_caller, ServerStream, ServerTls};
use tokio::io::{copy, sink, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracing::info;

use crate::peer::Peer;

/// How long a caller that was refused may take to read why.
const LINGER: Duration = Duration::from_millis(500);
const MOST_DISCARDED: u64 = 64 << 10;
/// Between two lines of the log: whoever can connect can fail, as often as he likes.
const SILENCE: Duration = Duration::from_secs(1);

/// Comes to terms with a caller within `patience`; `None` when there is no connection.
pub(crate) async fn handshake(
    tls: &ServerTls,
    stream: TcpStream,
    peer: Peer,
    patience: Duration,
    complaints: &Complaints,
) -> Option<ServerStream<TcpStream>> {
    let shaken = tokio::time::timeout(patience, tls.accept(stream));
    match shaken.await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((error, stream))) => {
            complaints.tell(peer, of_caller(&error));
            see_off(stream).await;
            None
        }
        Err(_) => {
            complaints.tell(peer, format_args!("it took longer than {} s", patience.as_secs_f64()));
            None
        }
    }
}

/// Waits for the end of a caller. With bytes unread, closing would take the alert away from him.
async fn see_off(mut stream: TcpStream) {
    let until_the_end = async {
        stream.shutdown().await?;
        copy(&mut stream.take(MOST_DISCARDED), &mut sink()).await
    };
    // However it ends, there is nobody to tell.
    let _ = tokio::time::timeout(LINGER, until_the_end).await;
}

/// Why callers are not connected, in the log now and then.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    last: Mutex<Option<Instant>>,
}

impl Complaints {
    fn tell(&self, peer: Peer, reason: impl Display) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= SILENCE) {
            *last = Some(Instant::now());
            info!("no TLS with {peer}: {reason}");
        }
    }
}
