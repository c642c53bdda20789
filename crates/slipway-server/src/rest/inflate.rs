// SPDX-License-Identifier: Apache-2.0
//! Bodies that came compressed.

use std::io::Write;

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http::header::{HeaderMap, CONTENT_ENCODING};
use slipway_core::{Code, Error, Lease};

use crate::plane::Limits;

/// Up to so many bytes may come of however few: pictures of one colour are small.
const FREE_BYTES: usize = 16 << 20;
/// Beyond that, of each byte.
const MOST_OF_ONE: usize = 200;

/// Why there is no body.
#[derive(Debug)]
pub(super) enum Fault {
    /// More came of it than is taken.
    TooLarge(String),
    /// It is not what its header says, or there is no memory for it now.
    Refused(Error),
}

impl Fault {
    /// What the request is counted as.
    pub(super) fn code(&self) -> Code {
        match self {
            Fault::TooLarge(_) => Code::ResourceExhausted,
            Fault::Refused(error) => error.code,
        }
    }
}

/// Whether a body is said to be gzip; TensorFlow Serving looks for the word in any other.
pub(super) fn is_gzip(headers: &HeaderMap) -> bool {
    let names_gzip = |value: &[u8]| value.windows(4).any(|word| word.eq_ignore_ascii_case(b"gzip"));
    headers.get_all(CONTENT_ENCODING).iter().any(|value| names_gzip(value.as_bytes()))
}

/// What comes of a body, a piece at a time, each of which is paid for before it is kept.
pub(super) fn inflate(body: &Bytes, limits: &Limits, lease: &Lease) -> Result<Bytes, Fault> {
    // What one step makes of its bytes is never more than the decoder's buffer.
    let mut decoder = MultiGzDecoder::new(Vec::new());
    let mut whole = BytesMut::new();
    let mut rest = &body[..];
    let mut keep = |piece: &mut Vec<u8>, read: usize| {
        let length = whole.len() + piece.len();
        if length > limits.max_message_bytes {
            let limit = limits.max_message_bytes;
            return Err(Fault::TooLarge(format!(
                "The request body is larger than the limit of {limit} bytes when it is inflated"
            )));
        }
        if length > FREE_BYTES && length / MOST_OF_ONE > read {
            return Err(Fault::TooLarge(format!(
                "The request body becomes more than {MOST_OF_ONE} times as large when it is inflated"
            )));
        }
        lease.take(piece.len()).map_err(Fault::Refused)?;
        whole.extend_from_slice(piece);
        piece.clear();
        Ok(())
    };
    while !rest.is_empty() {
        let taken = decoder.write(rest).map_err(|error| broken(&error))?;
        rest = &rest[taken..];
        keep(decoder.get_mut(), body.len() - rest.len())?;
        if taken == 0 && !rest.is_empty() {
            return Err(broken(&"it goes on behind its end"));
        }
    }
    decoder.try_finish().map_err(|error| broken(&error))?;
    keep(decoder.get_mut(), body.len())?;
    Ok(whole.freeze())
}

fn broken(reason: &dyn std::fmt::Display) -> Fault {
    let message = format!("The request body is no gzip, as its Content-Encoding says: {reason}");
    Fault::Refused(Error::invalid_argument(message))
}
