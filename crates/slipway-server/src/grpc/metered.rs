// SPDX-License-Identifier: Apache-2.0
//! A request's body that pays for each message before its memory is taken, and does not wait for
//! a caller that has stopped sending.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use slipway_core::{Code, Error, Lease};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;

use super::wire::refusal;
use crate::plane::Limits;

/// One byte that says whether a message is compressed, and four for its length.
const PREFIX_BYTES: usize = 5;

pub(super) struct Metered {
    body: Incoming,
    lease: Arc<Lease>,
    limits: Limits,
    /// For a method that takes many messages: when to take the stream for ended, since its caller
    /// may hold it open for ever.
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// When the next part of the body must have come; made for the first one that is not there.
    patience: Option<Pin<Box<Sleep>>>,
    messages: Messages,
}

/// Finds the lengths of messages in a stream of bytes.
#[derive(Default)]
struct Messages {
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
    /// Of the message that has begun.
    left: usize,
}

impl Metered {
    /// The body of a call; `closing` only for a method that takes a stream of messages.
    pub(super) fn new(
        body: Incoming,
        lease: Arc<Lease>,
        limits: Limits,
        closing: Option<CancellationToken>,
    ) -> Self {
        let closing = closing.map(|token| Box::pin(token.cancelled_owned()));
        let messages = Messages::default();
        Self { body, lease, limits, closing, patience: None, messages }
    }

    fn pay(&self, message_bytes: usize) -> Result<(), Error> {
        let limit = self.limits.max_message_bytes;
        if message_bytes > limit {
            let message =
                format!("a message of {message_bytes} bytes is over the limit of {limit} bytes");
            return Err(Error::new(Code::ResourceExhausted, message));
        }
        if self.closing.is_some() {
            // In a stream, a message is done with when the next one comes.
            self.lease.release();
        }
        self.lease.take(message_bytes)
    }

    fn stalled(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        let timeout = self.limits.read_timeout;
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(patience.as_mut().poll(context));
        let message = format!("no part of the request came for {} s", timeout.as_secs_f64());
        Poll::Ready(refusal(Error::new(Code::Cancelled, message)))
    }
}

impl Messages {
    /// The lengths of the messages that begin in `bytes`.
    fn begun_in(&mut self, mut bytes: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        loop {
            let passed = self.left.min(bytes.len());
            self.left -= passed;
            bytes = &bytes[passed..];
            if bytes.is_empty() {
                return lengths;
            }
            let wanted = (PREFIX_BYTES - self.prefix_bytes).min(bytes.len());
            let (head, tail) = bytes.split_at(wanted);
            self.prefix[self.prefix_bytes..][..wanted].copy_from_slice(head);
            self.prefix_bytes += wanted;
            bytes = tail;
            if self.prefix_bytes == PREFIX_BYTES {
                let [_compressed, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length) as usize;
                self.prefix_bytes = 0;
                lengths.push(self.left);
            }
        }
    }
}

impl Body for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            if self.closing.as_mut().is_some_and(|at| at.as_mut().poll(context).is_ready()) {
                return Poll::Ready(None);
            }
            return self.stalled(context).map(|stalled| Some(Err(stalled)));
        };
        let next = self.limits.read_timeout;
        if let Some(patience) = &mut self.patience {
            patience.as_mut().reset(Instant::now() + next);
        }
        Poll::Ready(match frame {
            None => None,
            Some(Err(error)) => Some(Err(Status::from_error(Box::new(error)))),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(&[][..], |data| data);
                let lengths = self.messages.begun_in(bytes);
                let paid = lengths.into_iter().try_for_each(|length| self.pay(length));
                Some(paid.map(|()| frame).map_err(refusal))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_found_however_the_bytes_are_cut() {
        let stream = [&[0, 0, 0, 0, 3][..], b"abc", &[1, 0, 0, 1, 0], &[7; 256], &[0; 5]].concat();
        for part in 1..stream.len() {
            let mut messages = Messages::default();
            let lengths: Vec<usize> =
                stream.chunks(part).flat_map(|bytes| messages.begun_in(bytes)).collect();
            assert_eq!(lengths, [3, 256, 0], "in parts of {part}");
        }
    }
}
