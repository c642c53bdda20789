// SPDX-License-Identifier: Apache-2.0
//! TensorFlow Serving's REST API over HTTP/1.1 connections that are kept for the next call.
//!
//! JSON has no dtypes: a Predict is answered in those of the model's signature, which is asked for
//! once and again when an answer does not fit it.

mod http1;
mod json;
mod read;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::{utf8_percent_encode, AsciiSet, NON_ALPHANUMERIC};
use slipway_core::{Code, Error, Result, Tensor, VersionChoice};
use slipway_tls::ClientTls;

use self::http1::Http1;
use self::json::Value;
use crate::address::Endpoint;
use crate::failure::too_large;
use crate::model::{Answer, Metadata, ModelRef, Predict, Request, SignatureInfo};

/// What stands in a path as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const DEFAULT_SIGNATURE: &str = "serving_default";

pub(crate) struct Rest {
    address: String,
    limit: usize,
    http: Http1,
    /// Metadata by the path of the model they were asked for with.
    known: Mutex<HashMap<String, Arc<Metadata>>>,
}

impl Rest {
    pub(crate) fn new(endpoint: Endpoint, tls: Option<ClientTls>, limit: usize) -> Self {
        let address = endpoint.to_string();
        Self { address, limit, http: Http1::new(endpoint, tls, limit), known: Mutex::default() }
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer> {
        match request {
            Request::Predict(predict) => self.predict(predict).await.map(Answer::Predict),
            Request::Metadata(model) => {
                let metadata = self.metadata(&path(&model)).await?;
                Ok(Answer::Metadata(Metadata::clone(&metadata)))
            }
            Request::Status(model) => {
                let body = self.exchange(Method::GET, path(&model), Bytes::new()).await?;
                let statuses = read::statuses(&self.parsed(&body)?);
                statuses.map(Answer::Status).ok_or_else(|| self.unreadable("it has no statuses"))
            }
            Request::Models => Err(self.grpc_only("Listing models")),
            Request::Reload(_) => Err(self.grpc_only("A reload")),
            Request::Configuration => Err(self.grpc_only("The configuration")),
        }
    }

    pub(crate) fn close(&self) {
        self.http.close();
    }

    async fn predict(&self, predict: Predict) -> Result<Vec<(String, Tensor)>> {
        let body = Bytes::from(write::predict_body(&predict)?);
        if body.len() > self.limit {
            return Err(too_large("request", body.len(), self.limit));
        }
        let path = path(&predict.model);
        let body = self.exchange(Method::POST, format!("{path}:predict"), body).await?;
        let answer = self.parsed(&body)?;
        let known = self.known().get(&path).cloned();
        let outputs = match known.map(|metadata| self.outputs(&answer, &metadata, &predict)) {
            Some(Ok(outputs)) => outputs,
            // Unknown, or another version answers by now.
            None | Some(Err(_)) => {
                let metadata = self.metadata(&path).await?;
                self.outputs(&answer, &metadata, &predict)?
            }
        };
        filtered(outputs, &predict.outputs)
    }

    fn outputs(
        &self,
        answer: &Value<'_>,
        metadata: &Metadata,
        predict: &Predict,
    ) -> Result<Vec<(String, Tensor)>> {
        let name = match predict.signature.as_str() {
            "" => DEFAULT_SIGNATURE,
            name => name,
        };
        let signature: Option<&SignatureInfo> = metadata.signatures.get(name);
        let signature = signature
            .ok_or_else(|| self.unreadable(&format!("no signature \"{name}\" is declared")))?;
        read::outputs(answer, signature).map_err(|fault| self.unreadable(&fault))
    }

    async fn metadata(&self, path: &str) -> Result<Arc<Metadata>> {
        let body = self.exchange(Method::GET, format!("{path}/metadata"), Bytes::new()).await?;
        let metadata = read::metadata(&self.parsed(&body)?)
            .map(Arc::new)
            .ok_or_else(|| self.unreadable("it has no signatures"))?;
        self.known().insert(path.to_owned(), Arc::clone(&metadata));
        Ok(metadata)
    }

    /// Sends a request and returns the body of a successful answer.
    async fn exchange(&self, method: Method, path: String, body: Bytes) -> Result<Bytes> {
        let (status, body) = self.http.exchange(method, path, body).await?;
        if status.is_success() {
            return Ok(body);
        }
        let text = read::error(&body).unwrap_or_else(|| format!("{}: {status}", self.address));
        Err(Error::new(code(status), text))
    }

    fn parsed<'a>(&self, body: &'a [u8]) -> Result<Value<'a>> {
        Value::parse(body)
            .map_err(|error| self.unreadable(&format!("no JSON at offset {}", error.offset)))
    }

    fn grpc_only(&self, what: &str) -> Error {
        let message = format!(
            "{}: {what} is not part of the REST API; give the client the gRPC address, host:port \
             or unix:/path",
            self.address
        );
        Error::unimplemented(message)
    }

    fn unreadable(&self, fault: &str) -> Error {
        Error::internal(format!("{}: the answer cannot be read: {fault}", self.address))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<Metadata>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path(model: &ModelRef) -> String {
    let name = utf8_percent_encode(&model.name, ESCAPED);
    match &model.choice {
        VersionChoice::Latest => format!("/v1/models/{name}"),
        VersionChoice::Specific(version) => format!("/v1/models/{name}/versions/{version}"),
        VersionChoice::Label(label) => {
            format!("/v1/models/{name}/labels/{}", utf8_percent_encode(label, ESCAPED))
        }
    }
}

/// The outputs that were wanted, by the rules and in the words of gRPC: REST has no filter.
fn filtered(
    mut outputs: Vec<(String, Tensor)>,
    wanted: &[String],
) -> Result<Vec<(String, Tensor)>> {
    for (index, alias) in wanted.iter().enumerate() {
        if !outputs.iter().any(|(found, _)| found == alias) {
            let known: Vec<&str> = outputs.iter().map(|(alias, _)| alias.as_str()).collect();
            return Err(Error::invalid_argument(format!(
                "output tensor alias not found in signature: {alias} Outputs expected to be in \
                 the set {{{}}}.",
                known.join(",")
            )));
        }
        if wanted[..index].contains(alias) {
            let message = format!("duplicate output tensor alias: {alias}");
            return Err(Error::invalid_argument(message));
        }
    }
    if !wanted.is_empty() {
        outputs.retain(|(alias, _)| wanted.contains(alias));
    }
    Ok(outputs)
}

/// The code that an HTTP status most likely stands for: several codes share one.
fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::AlreadyExists,
        413 | 429 => Code::ResourceExhausted,
        499 => Code::Cancelled,
        500 => Code::Internal,
        501 => Code::Unimplemented,
        502 | 503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_model_and_version() {
        let path = |name: &str, choice| path(&ModelRef { name: name.to_owned(), choice });
        assert_eq!(path("m", VersionChoice::Latest), "/v1/models/m");
        assert_eq!(path("m", VersionChoice::Specific(3)), "/v1/models/m/versions/3");
        let label = VersionChoice::Label("a b".to_owned());
        assert_eq!(path("x/y:好", label), "/v1/models/x%2Fy%3A%E5%A5%BD/labels/a%20b");
    }

    #[test]
    fn a_filter_keeps_what_it_names_once() {
        let outputs = || {
            ["a", "b"]
                .map(|alias| (alias.to_owned(), Tensor::from_slice(vec![], &[1i32]).unwrap()))
                .to_vec()
        };
        let filter = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|&alias| alias.to_owned()).collect();
            filtered(outputs(), &wanted)
                .map(|found| found.into_iter().map(|(alias, _)| alias).collect::<String>())
                .map_err(|error| error.message)
        };
        assert_eq!(filter(&[]).unwrap(), "ab");
        assert_eq!(filter(&["b"]).unwrap(), "b");
        assert_eq!(filter(&["b", "b"]).unwrap_err(), "duplicate output tensor alias: b");
        assert!(filter(&["c"]).unwrap_err().contains("not found in signature: c Outputs"));
    }
}
