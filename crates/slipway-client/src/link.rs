// SPDX-License-Identifier: Apache-2.0
//! One HTTP/2 connection and the unary gRPC calls over it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::header::{HeaderMap, HeaderValue};
use http::Request;
use percent_encoding::percent_decode;
use slipway_core::{Code, Error};
use slipway_tls::ClientTls;

use crate::address::Endpoint;
use crate::failure::{too_large, unavailable, Failure};
use crate::socket::{connect, Pending, Watch};

/// Flow control windows: large enough that an image is sent without waiting for the receiver.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
const MAX_FRAME_BYTES: u32 = 1 << 20;
const MAX_HEADER_BYTES: u32 = 64 << 10;
/// Before each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// An open connection. Clones share it; calls run side by side.
#[derive(Clone)]
pub(crate) struct Link {
    sender: SendRequest<Bytes>,
    shared: Arc<Shared>,
}

struct Shared {
    address: String,
    has_tls: bool,
    watch: Watch,
    closed: AtomicBool,
    /// Whether there ever was an answer: otherwise it may not be gRPC that is spoken there.
    answered: AtomicBool,
    calls: AtomicUsize,
}

impl Link {
    /// Connects. The connection's own task belongs to the runtime that this runs in.
    pub(crate) async fn open(endpoint: &Endpoint, tls: Option<&ClientTls>) -> Result<Self, Error> {
        let address = endpoint.to_string();
        let (stream, watch) = connect(endpoint, tls)
            .await
            .map_err(|error| unavailable(&address, format_args!("cannot connect: {error}")))?;
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(MAX_FRAME_BYTES)
            .max_header_list_size(MAX_HEADER_BYTES)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(|error| unavailable(&address, error))?;
        let shared = Arc::new(Shared {
            address,
            has_tls: tls.is_some(),
            watch,
            closed: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
        });
        let task = Arc::clone(&shared);
        tokio::spawn(async move {
            // What went wrong is told to each call of the connection.
            let _ = connection.await;
            task.closed.store(true, Relaxed);
        });
        Ok(Self { sender, shared })
    }

    /// Whether a call may be sent now. A connection that nobody was reading may have ended unseen.
    pub(crate) async fn is_open(&self) -> bool {
        if self.shared.calls.load(Relaxed) == 0 {
            match self.shared.watch.look() {
                Pending::Nothing => {}
                Pending::End => return false,
                // A ping or a farewell: the connection's task reads it first.
                Pending::Bytes => {
                    for _ in 0..3 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
        !self.shared.closed.load(Relaxed)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Sends one message, framed, and returns the one that answers it.
    pub(crate) async fn call(
        &self,
        head: Request<()>,
        message: Bytes,
        limit: usize,
    ) -> Result<Bytes, Failure> {
        let _call = Call::begin(&self.shared.calls);
        let unsent = |error| Failure::Unprocessed(self.failure(&error).into());
        let mut sender = self.sender.clone().ready().await.map_err(unsent)?;
        let (response, mut body) = sender.send_request(head, false).map_err(unsent)?;
        body.send_data(message, true).map_err(|error| self.failure(&error))?;
        self.receive(response, limit).await
    }

    async fn receive(&self, response: ResponseFuture, limit: usize) -> Result<Bytes, Failure> {
        let (head, mut body) = response.await.map_err(|error| self.failure(&error))?.into_parts();
        self.shared.answered.store(true, Relaxed);
        if head.status != http::StatusCode::OK {
            let code = code_of_http(head.status.as_u16());
            let message = format!("{}: HTTP status {}", self.shared.address, head.status);
            return Err(Error::new(code, message).into());
        }
        // An answer of nothing but a status comes in one block of headers.
        if let Some(status) = status(&head.headers) {
            status?;
        }
        let message = self.message(&mut body, limit).await?;
        let trailers = body.trailers().await.map_err(|error| self.failure(&error))?;
        match trailers.as_ref().and_then(status).or_else(|| status(&head.headers)) {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(self.broken("the answer has no gRPC status").into()),
        }
        message.ok_or_else(|| self.broken("the answer has no message").into())
    }

    /// Reads the body to its end; `None` when it is empty.
    async fn message(&self, body: &mut RecvStream, limit: usize) -> Result<Option<Bytes>, Failure> {
        let Some(mut message) = self.piece(body).await? else { return Ok(None) };
        let mut joined = BytesMut::new();
        let mut wanted = None;
        loop {
            let have = joined.len() + message.len();
            if wanted.is_none() && have >= PREFIX_BYTES {
                let mut prefix = joined.clone().chain(message.clone());
                if prefix.get_u8() != 0 {
                    return Err(self.broken("the answer is compressed").into());
                }
                let length = prefix.get_u32() as usize;
                if length > limit {
                    return Err(too_large("answer", length, limit).into());
                }
                wanted = Some(PREFIX_BYTES + length);
            }
            if wanted.is_some_and(|wanted| have > wanted) {
                return Err(self.broken("the answer has more than one message").into());
            }
            let Some(next) = self.piece(body).await? else { break };
            if joined.is_empty() {
                // As much as came already is believed of what was announced, and grown into.
                joined.reserve(wanted.unwrap_or(0).min(16 * have));
            }
            joined.extend_from_slice(&message);
            message = next;
        }
        if !joined.is_empty() {
            joined.extend_from_slice(&message);
            message = joined.freeze();
        }
        if wanted != Some(message.len()) {
            return Err(self.broken("the answer is cut off").into());
        }
        message.advance(PREFIX_BYTES);
        Ok(Some(message))
    }

    async fn piece(&self, body: &mut RecvStream) -> Result<Option<Bytes>, Failure> {
        match body.data().await.transpose().map_err(|error| self.failure(&error))? {
            None => Ok(None),
            Some(piece) => {
                // What is in memory was paid for by the window; `limit` bounds it from here on.
                let _ = body.flow_control().release_capacity(piece.len());
                Ok(Some(piece))
            }
        }
    }

    fn failure(&self, error: &h2::Error) -> Failure {
        let address = &self.shared.address;
        if error.is_remote() {
            if error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM) {
                return Failure::Unprocessed(unavailable(address, "the server is closing"));
            }
            if error.is_reset() {
                let code = match error.reason() {
                    Some(Reason::CANCEL) => Code::Cancelled,
                    Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
                    Some(Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
                    _ => Code::Internal,
                };
                return Error::new(code, format!("{address}: {error}")).into();
            }
        }
        // Over TLS both sides have said what they speak.
        let reason = if self.shared.has_tls || self.shared.answered.load(Relaxed) {
            format!("the connection was lost: {error}")
        } else {
            format!(
                "no gRPC answer came ({error}); for REST the address is http://{address}, with TLS \
                 grpcs://{address}"
            )
        };
        unavailable(address, reason).into()
    }

    fn broken(&self, fact: &str) -> Error {
        Error::internal(format!("{}: {fact}", self.shared.address))
    }
}

/// `message` as gRPC puts it into a body.
pub(crate) fn framed(message: &impl prost::Message, limit: usize) -> Result<Bytes, Error> {
    let length = message.encoded_len();
    let prefix = u32::try_from(length).ok().filter(|_| length <= limit);
    let prefix = prefix.ok_or_else(|| too_large("request", length, limit))?;
    let mut framed = Vec::with_capacity(PREFIX_BYTES + length);
    framed.push(0);
    framed.extend_from_slice(&prefix.to_be_bytes());
    // A vector has room for any message.
    let _ = message.encode(&mut framed);
    Ok(framed.into())
}

/// The value of `grpc-timeout`: at most eight digits and a unit, never longer than `left`.
pub(crate) fn timeout_header(left: std::time::Duration) -> HeaderValue {
    let micros = left.as_micros();
    let text = match micros {
        0..=99_999_999 => format!("{micros}u"),
        100_000_000..=99_999_999_999 => format!("{}m", micros / 1000),
        _ => format!("{}S", (micros / 1_000_000).min(99_999_999)),
    };
    // Digits and a letter are a header value; were they none, the server would do without it.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("99999999S"))
}

/// What the headers say of the outcome, if they say it.
fn status(headers: &HeaderMap) -> Option<Result<(), Error>> {
    let code = headers.get("grpc-status")?.to_str().ok().and_then(|text| text.parse().ok());
    let code = Code::from_number(code.unwrap_or(Code::Unknown as i32));
    if code == Code::Ok {
        return Some(Ok(()));
    }
    let message = headers.get("grpc-message").map_or(&b""[..], HeaderValue::as_bytes);
    let message = percent_decode(message).decode_utf8_lossy().into_owned();
    Some(Err(Error::new(code, message)))
}

/// By gRPC's table for answers that are none of gRPC's.
fn code_of_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// Counts a call for as long as it lives.
struct Call<'a>(&'a AtomicUsize);

impl<'a> Call<'a> {
    fn begin(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Relaxed);
        Self(calls)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_timeout_is_written_in_the_finest_unit_that_has_room() {
        for (timeout, text) in [
            (Duration::ZERO, "0u"),
            (Duration::from_millis(1500), "1500000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            assert_eq!(timeout_header(timeout), text);
        }
    }

    #[test]
    fn a_status_is_a_code_and_a_decoded_text() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|&(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            pairs.collect::<HeaderMap>()
        };
        assert_eq!(status(&headers(&[])), None);
        assert_eq!(status(&headers(&[("grpc-status", "0")])), Some(Ok(())));
        assert_eq!(
            status(&headers(&[("grpc-status", "5"), ("grpc-message", "nobody %E5%A5%BD%0A")])),
            Some(Err(Error::not_found("nobody 好\n")))
        );
        for strange in ["x", "77", ""] {
            let found = status(&headers(&[("grpc-status", strange)]));
            assert_eq!(found, Some(Err(Error::new(Code::Unknown, ""))));
        }
    }

    #[test]
    fn a_message_over_the_limit_is_not_sent() {
        let message = "twelve bytes".to_owned();
        assert_eq!(framed(&message, 14).unwrap()[..7], [0, 0, 0, 0, 14, 10, 12]);
        assert_eq!(framed(&message, 13).unwrap_err().code, Code::ResourceExhausted);
    }
}
