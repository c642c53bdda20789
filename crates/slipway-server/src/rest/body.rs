// SPDX-License-Identifier: Apache-2.0
//! Reading a request's body.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use slipway_core::{Code, Error, Lease};

use crate::plane::Limits;

const MOST_DISCARDED: usize = 1 << 20;
const LONGEST_DISCARD: Duration = Duration::from_millis(500);

/// Why a body was not read to its end.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is over the limit for one body.
    TooLarge { limit: usize },
    /// There is no memory for it now.
    NoRoom(Error),
    /// It is not framed as it was announced, or the connection broke.
    Broken(Error),
    /// No part of it came for too long.
    Stalled(String),
}

impl Unread {
    /// What the request is counted as.
    pub(super) fn code(&self) -> Code {
        match self {
            Unread::TooLarge { .. } => Code::ResourceExhausted,
            Unread::NoRoom(error) | Unread::Broken(error) => error.code,
            Unread::Stalled(_) => Code::Cancelled,
        }
    }
}

/// The whole body, paid for with `lease` before it is read.
pub(super) async fn read(
    mut body: Incoming,
    limits: &Limits,
    lease: &Lease,
) -> Result<Bytes, Unread> {
    let limit = limits.max_message_bytes;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        discard(&mut body, limits).await;
        return Err(Unread::TooLarge { limit });
    }
    lease.take(announced).map_err(Unread::NoRoom)?;
    let mut paid = announced;
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(data) = next_part(&mut body, limits).await? {
        let length = first.len() + joined.len() + data.len();
        if length > limit {
            discard(&mut body, limits).await;
            return Err(Unread::TooLarge { limit });
        }
        if length > paid {
            lease.take(length - paid).map_err(Unread::NoRoom)?;
            paid = length;
        }
        // Most bodies come in one part, which is kept as it is.
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(paid);
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// Passes over what is left of a body, up to a point: a caller who is still sending when the
/// connection closes would not see the answer.
async fn discard(body: &mut Incoming, limits: &Limits) {
    let pass_over = async {
        let mut left = MOST_DISCARDED;
        while let Ok(Some(data)) = next_part(body, limits).await {
            let Some(fewer) = left.checked_sub(data.len()) else { return };
            left = fewer;
        }
    };
    // Whether it came to an end or not, the answer is the same.
    let _ = tokio::time::timeout(LONGEST_DISCARD, pass_over).await;
}

async fn next_part(body: &mut Incoming, limits: &Limits) -> Result<Option<Bytes>, Unread> {
    loop {
        let frame =
            tokio::time::timeout(limits.read_timeout, body.frame()).await.map_err(|_| {
                let seconds = limits.read_timeout.as_secs_f64();
                Unread::Stalled(format!("No part of the request body came for {seconds} s"))
            })?;
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|error| {
            // hyper's own words are that it was reading; the cause says what it met.
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            let message = format!("The request body could not be read: {cause}");
            Unread::Broken(Error::invalid_argument(message))
        })?;
        // Trailers say nothing that is asked for.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}
