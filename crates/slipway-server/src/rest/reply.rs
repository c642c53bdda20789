// SPDX-License-Identifier: Apache-2.0
//! Answers: JSON for the API, small pages for everything else, and the one table of statuses.

use bytes::Bytes;
use http::header::{HeaderValue, CONNECTION, CONTENT_TYPE};
use http::{Response, StatusCode};
use http_body_util::Full;
use slipway_core::{Code, Error};

use super::body::Unread;
use super::json;
use crate::metrics;

pub(super) type Body = Full<Bytes>;

/// The HTTP status of a canonical code.
pub(super) fn status(code: Code) -> StatusCode {
    let number = match code {
        Code::Ok => 200,
        Code::Cancelled => 499,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::DeadlineExceeded => 504,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::PermissionDenied => 403,
        Code::ResourceExhausted => 429,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::Unauthenticated => 401,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
    };
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

pub(super) fn json(body: Vec<u8>) -> Response<Body> {
    with_json(StatusCode::OK, body)
}

pub(super) fn error(error: &Error) -> Response<Body> {
    with_json(status(error.code), json::write_error(&error.message))
}

/// The answer to a body that was not read to its end: the connection cannot be used again.
pub(super) fn unread(unread: &Unread) -> Response<Body> {
    let mut response = match unread {
        Unread::TooLarge { limit } => with_json(
            StatusCode::PAYLOAD_TOO_LARGE,
            json::write_error(&format!(
                "The request body is larger than the limit of {limit} bytes"
            )),
        ),
        Unread::NoRoom(error) | Unread::Broken(error) => self::error(error),
        Unread::Stalled(message) => {
            with_json(StatusCode::REQUEST_TIMEOUT, json::write_error(message))
        }
    };
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What no program takes for JSON.
pub(super) fn text(status: StatusCode, body: String) -> Response<Body> {
    with_type(status, body.into_bytes(), metrics::CONTENT_TYPE)
}

/// For requests that do not get as far as the API.
pub(super) fn page(status: StatusCode) -> Response<Body> {
    let phrase = status.canonical_reason().unwrap_or_default();
    let body = format!(
        "<HTML><HEAD>\n<TITLE>{} {phrase}</TITLE>\n</HEAD><BODY>\n<H1>{phrase}</H1>\n</BODY></HTML>\n",
        status.as_u16()
    );
    let mut response = with_type(status, body.into_bytes(), "text/html");
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn with_json(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    with_type(status, body, "application/json")
}

fn with_type(status: StatusCode, body: Vec<u8>, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ok_is_a_success() {
        for code in Code::ALL {
            assert_eq!(status(code).is_success(), code == Code::Ok, "{code:?}");
        }
    }
}
