// SPDX-License-Identifier: Apache-2.0
//! The page with the metrics.

use std::sync::Arc;

use http::{Response, StatusCode};

use super::reply::{self, Body};
use crate::metrics;
use crate::plane::Plane;
use crate::runner::aside;

/// Answers a request for the metrics; `path` is theirs, and may have a query.
pub(super) async fn answer(plane: Arc<Plane>, path: &str) -> Response<Body> {
    if let Some(right) = plane.metrics_path.as_deref().filter(|&right| right != path) {
        let message = format!("Unexpected path: {path}. Should be {right}");
        return reply::text(StatusCode::BAD_REQUEST, message);
    }
    // One at a time, however many ask and hang up.
    let turn = Arc::clone(&plane.scraping).lock_owned().await;
    let write = move || {
        let page = metrics::page(&plane);
        drop(turn);
        Ok(page)
    };
    // Neither on a network thread, which has requests to answer, nor on one of the run pool, where
    // they might all be waiting.
    match aside(write).await {
        Ok(page) => reply::text(StatusCode::OK, page),
        Err(error) => reply::text(reply::status(error.code), error.message),
    }
}
