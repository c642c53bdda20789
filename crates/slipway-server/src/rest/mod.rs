// SPDX-License-Identifier: Apache-2.0
//! The REST port: TensorFlow Serving's HTTP API.

mod body;
mod inference;
mod inflate;
mod json;
mod reply;
mod report;
mod route;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::header::EXPECT;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

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
    let mut lease = plane.budget.lease();
    // Whatever is asked for: with a body unread, hyper closes the connection without a word.
    let body = match body::read(body, &plane.limits, &lease).await {
        Ok(body) => body,
        Err(unread) => return reply::unread(&unread),
    };
    let body = if inflate::is_gzip(&head.headers) && !body.is_empty() {
        let limits = plane.limits;
        let inflated = plane.runner.block(move || {
            let inflated = inflate::inflate(&body, &limits, &lease);
            Ok((inflated, lease))
        });
        let inflated = match inflated.await {
            Ok((inflated, kept)) => {
                lease = kept;
                inflated
            }
            Err(error) => return reply::error(&error),
        };
        match inflated {
            Ok(body) => body,
            Err(fault) => return reply::not_inflated(&fault),
        }
    } else {
        body
    };
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let result = match Target::of(&head.method, path) {
        Target::Elsewhere => return reply::page(StatusCode::NOT_FOUND),
        Target::Illegal => return reply::page(StatusCode::BAD_REQUEST),
        Target::Unsupported => return reply::page(StatusCode::NOT_IMPLEMENTED),
        Target::Preflight => return reply::preflight(&head.headers),
        Target::Api(Err(error)) => Err(error),
        Target::Api(Ok(Route::Status(model))) => report::status(&plane, &model),
        Target::Api(Ok(Route::Metadata(model))) => report::metadata(&plane, &model),
        Target::Api(Ok(Route::Inference(verb, model))) => {
            inference::answer(plane, verb, model, body, lease).await
        }
    };
    result.map_or_else(|error| reply::error(&error), reply::json)
}
