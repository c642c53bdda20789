// SPDX-License-Identifier: Apache-2.0
//! What all gRPC calls have in common: the model a request names, its deadline, errors as statuses.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slipway_core::{Error, Lease, Result, Servable, VersionChoice};
use slipway_proto::tensorflow::serving::model_spec::VersionChoice as WireChoice;
use slipway_proto::tensorflow::serving::ModelSpec;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Status};

use crate::plane::Plane;

/// Longer texts are cut, as TensorFlow Serving cuts them: they travel in a header.
const MAX_MESSAGE_BYTES: usize = 1024;

/// The source of a status that a handler gave.
#[derive(Debug)]
struct Handled;

impl fmt::Display for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a handler gave it")
    }
}

impl std::error::Error for Handled {}

/// The status of an error that a handler answers with.
pub(super) fn status(error: Error) -> Status {
    let mut status = refusal(error);
    status.set_source(Arc::new(Handled));
    status
}

/// Whether the request got as far as a handler, which has it counted.
pub(super) fn is_handled(status: &Status) -> bool {
    status.source().is_some_and(|source| source.is::<Handled>())
}

/// The status of an error before there is a handler.
pub(super) fn refusal(error: Error) -> Status {
    let mut message = error.message;
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES).rev().find(|&end| message.is_char_boundary(end));
        message.truncate(end.unwrap_or(0));
        message.push_str("...TRUNCATED");
    }
    Status::new(Code::from(error.code as i32), message)
}

/// The model spec that each request must have.
pub(super) fn model_spec(spec: Option<&ModelSpec>) -> Result<&ModelSpec> {
    spec.ok_or_else(|| Error::invalid_argument("Missing ModelSpec"))
}

pub(super) fn version_choice(spec: &ModelSpec) -> VersionChoice {
    match &spec.version_choice {
        None => VersionChoice::Latest,
        Some(WireChoice::Version(version)) => VersionChoice::Specific(*version),
        Some(WireChoice::VersionLabel(label)) => VersionChoice::Label(label.clone()),
    }
}

/// The model spec of an answer: the version that gave it, never a label.
pub(super) fn echo(servable: &Servable, signature_name: &str) -> ModelSpec {
    ModelSpec {
        name: servable.id().model.clone(),
        signature_name: signature_name.to_owned(),
        version_choice: Some(WireChoice::Version(servable.id().version)),
    }
}

/// What has paid for the message of a request, and pays for what it comes to.
pub(super) fn lease<T>(request: &Request<T>, plane: &Plane) -> Arc<Lease> {
    let lease = request.extensions().get::<Arc<Lease>>().cloned();
    lease.unwrap_or_else(|| Arc::new(plane.budget.lease()))
}

/// When the caller stops waiting, by its `grpc-timeout` header: up to 8 digits and a unit.
pub(super) fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    let timeout = match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    };
    Instant::now().checked_add(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = status(Error::internal("é".repeat(600)));
        assert_eq!(long.message(), format!("{}...TRUNCATED", "é".repeat(512)));
        assert_eq!(status(Error::internal("short")).message(), "short");
    }

    #[test]
    fn codes_keep_their_numbers() {
        for code in slipway_core::Code::ALL {
            assert_eq!(status(Error::new(code, "")).code() as i32, code as i32);
        }
    }

    #[test]
    fn a_timeout_is_read_in_its_unit() {
        let left = |text: &'static str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            deadline(&metadata).map(|at| at.saturating_duration_since(Instant::now()).as_secs_f64())
        };
        let about = |text, seconds: f64| (left(text).unwrap() - seconds).abs() < 0.5;
        assert!(about("2H", 7200.0) && about("1M", 60.0) && about("90S", 90.0));
        assert!(about("5000m", 5.0) && about("7000000u", 7.0) && about("99999999n", 0.1));
        for text in ["", "5", "S", "123456789S", "-5S", "5x"] {
            assert_eq!(left(text), None, "{text}");
        }
    }
}
