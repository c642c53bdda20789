// SPDX-License-Identifier: Apache-2.0
//! The REST port: TensorFlow Serving's HTTP API.

mod body;
mod inference;
mod inflate;
mod json;
mod monitoring;
mod reply;
mod report;
mod route;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use slipway_core::{Api, Code, Lease, Protocol};

use self::inflate::Fault;
use self::reply::Body;
use self::route::{is_api, Route, Target};
use crate::activity::{keep_busy, Activity, BusyBody};
use crate::plane::Plane;

#[derive(Clone, Debug)]
pub(crate) struct RestService {
    plane: Arc<Plane>,
}

/// The API for one connection.
#[derive(Debug)]
pub(crate) struct RestConnection {
    plane: Arc<Plane>,
    activity: Activity,
}

impl RestService {
    pub(crate) fn new(plane: Arc<Plane>) -> Self {
        Self { plane }
    }

    pub(crate) fn of(self, activity: Activity) -> RestConnection {
        RestConnection { plane: self.plane, activity }
    }
}

impl hyper::service::Service<Request<Incoming>> for RestConnection {
    type Response = Response<BusyBody<Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let plane = Arc::clone(&self.plane);
        let busy = self.activity.begin();
        Box::pin(async move { Ok(keep_busy(answer(plane, request).await, busy)) })
    }
}

async fn answer(plane: Arc<Plane>, request: Request<Incoming>) -> Response<Body> {
    let is_open = plane.rest_cors && is_api(request.uri().path());
    let mut response = respond(plane, request).await;
    if is_open {
        reply::open_to_other_origins(&mut response);
    }
    response
}

async fn respond(plane: Arc<Plane>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    // hyper knows the one expectation there is.
    let mut expectations = head.headers.get_all(EXPECT).iter();
    if !expectations.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return reply::page(StatusCode::EXPECTATION_FAILED);
    }
    let lease = plane.budget.lease();
    // Whatever is asked for: with a body unread, hyper closes the connection without a word.
    let body = body::read(body, &plane.limits, &lease).await;
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let target = Target::of(&head.method, path, plane.metrics_path.as_deref());
    let route = match (target, &body) {
        (Target::Api(route), _) => route,
        (_, Err(unread)) => return reply::unread(unread),
        (Target::Preflight, _) => return reply::preflight(&head.headers),
        (Target::Metrics, _) => return monitoring::answer(plane, path).await,
        (Target::Elsewhere, _) => return reply::page(StatusCode::NOT_FOUND),
        (Target::Illegal, _) => return reply::page(StatusCode::BAD_REQUEST),
        (Target::Unsupported, _) => return reply::page(StatusCode::NOT_IMPLEMENTED),
    };
    let api = route.as_ref().map_or(Api::Other, Route::api);
    let mut watch = plane.stopwatch(api, Protocol::Rest);
    let received = match body {
        Ok(body) if body.is_empty() || !inflate::is_gzip(&head.headers) => Ok((body, lease)),
        gzip_or_unread => {
            if let Ok(route) = &route {
                watch.names(plane.meter(&route.model().name));
            }
            match gzip_or_unread {
                Ok(body) => inflated(&plane, body, lease).await,
                Err(unread) => Err((unread.code(), reply::unread(&unread))),
            }
        }
    };
    let (body, lease) = match received {
        Ok(received) => received,
        Err((code, answer)) => {
            watch.stop_with(code);
            return answer;
        }
    };
    let result = match route {
        Err(error) => Err(error),
        Ok(Route::Status(model)) => report::status(&plane, &model, &mut watch),
        Ok(Route::Metadata(model)) => report::metadata(&plane, &model, &mut watch),
        Ok(Route::Inference(verb, model)) => {
            inference::answer(&plane, verb, model, body, lease, &mut watch).await
        }
    };
    watch.stop(&result);
    result.map_or_else(|error| reply::error(&error), reply::json)
}

/// What comes of a body in gzip, with what pays for it; else what the request is counted as, and its
/// answer.
async fn inflated(
    plane: &Plane,
    body: Bytes,
    lease: Lease,
) -> Result<(Bytes, Lease), (Code, Response<Body>)> {
    let limits = plane.limits;
    let inflate = move || Ok((inflate::inflate(&body, &limits, &lease), lease));
    let refuse = |fault: Fault| (fault.code(), reply::not_inflated(&fault));
    let inflated = plane.runner.block(inflate).await;
    let (inflated, lease) = inflated.map_err(|error| refuse(Fault::Refused(error)))?;
    Ok((inflated.map_err(refuse)?, lease))
}
