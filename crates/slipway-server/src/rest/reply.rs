// SPDX-License-Identifier: Apache-2.0
//! Answers: JSON for the API, small pages for everything else, and the one table of statuses.

use bytes::Bytes;
use http::header::{
    HeaderMap, HeaderValue, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, CONNECTION, CONTENT_TYPE, ORIGIN,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use slipway_core::{Code, Error};

use super::body::Unread;
use super::inflate::Fault;
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

/// The answer to a body of which nothing came when it was inflated.
pub(super) fn not_inflated(fault: &Fault) -> Response<Body> {
    match fault {
        Fault::TooLarge(message) => {
            with_json(StatusCode::PAYLOAD_TOO_LARGE, json::write_error(message))
        }
        Fault::Refused(error) => self::error(error),
    }
}

/// The answer to `OPTIONS`, which has no body either way.
pub(super) fn preflight(headers: &HeaderMap) -> Response<Body> {
    let is_url = |origin: &HeaderValue| {
        let origin = String::from_utf8_lossy(origin.as_bytes());
        origin.contains("http://") || origin.contains("https://")
    };
    let is_asked_by_a_page = headers.get(ORIGIN).is_some_and(is_url);
    let status = if is_asked_by_a_page { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    with_type(status, Vec::new(), "text/html; charset=ISO-8859-1")
}

/// Lets pages of other origins read an answer.
pub(super) fn open_to_other_origins(response: &mut Response<Body>) {
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST, GET"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
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
