// SPDX-License-Identifier: Apache-2.0
//! The page that Prometheus reads: everything that has been counted, written when it is asked for.

mod own;
mod serving;
mod text;

use slipway_core::Api;

use crate::plane::Plane;

/// The type of the page, as TensorFlow Serving gives it.
pub(crate) const CONTENT_TYPE: &str = "text/plain";

/// The page. Writing it may take milliseconds.
pub(crate) fn page(plane: &Plane) -> String {
    let models = plane.registry.ledger().tally();
    let mut families = serving::families(&models);
    families.extend(own::families(plane, &plane.snapshot(), &models));
    families.iter().map(ToString::to_string).collect()
}

/// The values of TensorFlow Serving's counters of these names, with slashes in them: of each the
/// first, 0 for one that there is not.
pub(crate) fn first_counts(plane: &Plane, names: &[String]) -> Vec<u64> {
    if names.is_empty() {
        return Vec::new();
    }
    let families = serving::families(&plane.registry.ledger().tally());
    names.iter().map(|name| serving::first_count(&families, name)).collect()
}

/// The method of gRPC that answers the same; empty where there is none.
fn method_name(api: Api) -> &'static str {
    match api {
        Api::Predict => "Predict",
        Api::Classify => "Classify",
        Api::Regress => "Regress",
        Api::MultiInference => "MultiInference",
        Api::Metadata => "GetModelMetadata",
        Api::Status => "GetModelStatus",
        Api::Other => "",
    }
}
