// SPDX-License-Identifier: Apache-2.0
//! The URL grammar. Matching ignores case, except for the verb at the end.

use http::Method;
use percent_encoding::percent_decode_str;
use slipway_core::{Api, Error, Result, VersionChoice};

/// What a URL asks for, beginning with whether it is ours at all.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    /// A path under `/v1/`: a route, or the error for one that fits none.
    Api(Result<Route>),
    /// The path of the metrics, whatever the query.
    Metrics,
    /// `OPTIONS` of a path under `/v1/`.
    Preflight,
    Elsewhere,
    /// Not written as URLs are.
    Illegal,
    /// A method that HTTP has and this API does not know.
    Unsupported,
}

#[derive(Debug, PartialEq)]
pub(super) enum Route {
    Inference(Verb, ModelRef),
    Status(ModelRef),
    Metadata(ModelRef),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Classify,
    Regress,
    Predict,
}

#[derive(Debug, PartialEq)]
pub(super) struct ModelRef {
    pub(super) name: String,
    pub(super) choice: VersionChoice,
}

impl Target {
    /// `path` is the path with its query, as it was sent: a query is not taken apart. `metrics` is
    /// where the metrics are, if they are anywhere.
    pub(super) fn of(method: &Method, path: &str, metrics: Option<&str>) -> Target {
        if !is_legal(path) {
            return Target::Illegal;
        }
        let known = [
            Method::GET,
            Method::POST,
            Method::HEAD,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::PATCH,
        ];
        if !known.contains(method) {
            return Target::Unsupported;
        }
        if metrics.is_some() && path.split('?').next() == metrics {
            return Target::Metrics;
        }
        if !is_api(path) {
            return Target::Elsewhere;
        }
        if *method == Method::OPTIONS {
            return Target::Preflight;
        }
        let route = match *method {
            Method::POST => inference(path),
            Method::GET => report(path),
            _ => None,
        };
        Target::Api(route.unwrap_or_else(|| {
            Err(Error::invalid_argument(format!("Malformed request: {method} {path}")))
        }))
    }
}

impl Route {
    pub(super) fn model(&self) -> &ModelRef {
        match self {
            Route::Inference(_, model) | Route::Status(model) | Route::Metadata(model) => model,
        }
    }

    /// What it is counted as.
    pub(super) fn api(&self) -> Api {
        match self {
            Route::Inference(Verb::Classify, _) => Api::Classify,
            Route::Inference(Verb::Regress, _) => Api::Regress,
            Route::Inference(Verb::Predict, _) => Api::Predict,
            Route::Status(_) => Api::Status,
            Route::Metadata(_) => Api::Metadata,
        }
    }
}

/// Whether a path is one of the API's, right or wrong.
pub(super) fn is_api(path: &str) -> bool {
    strip_prefix(path, "/v1/").is_some()
}

/// `/v1/models/NAME[/versions/N|/labels/L]:VERB`
fn inference(path: &str) -> Option<Result<Route>> {
    let (target, verb) = strip_prefix(path, "/v1/models/")?.split_once(':')?;
    let verb = match verb {
        "classify" => Verb::Classify,
        "regress" => Verb::Regress,
        "predict" => Verb::Predict,
        _ => return None,
    };
    let parts: Vec<&str> = target.split('/').collect();
    let (name, choice) = match *parts {
        [name] => (name, Ok(VersionChoice::Latest)),
        [name, kind, value] => (name, version_choice(kind, value)?),
        _ => return None,
    };
    if name.is_empty() {
        return None;
    }
    Some(choice.map(|choice| Route::Inference(verb, ModelRef { name: decode(name), choice })))
}

/// `/v1/models[/NAME][/versions/N|/labels/L][/metadata]`
fn report(path: &str) -> Option<Result<Route>> {
    let target = strip_prefix(path, "/v1/models")?;
    let mut parts: Vec<&str> = match target.strip_prefix('/') {
        Some(target) => target.split('/').collect(),
        None if target.is_empty() => Vec::new(),
        None => return None,
    };
    if parts.iter().any(|part| part.is_empty() || part.contains(':')) {
        return None;
    }
    // A model may be called "metadata": alone, the word is a name.
    let is_metadata = match *parts {
        [.., _, last] if last.eq_ignore_ascii_case("metadata") => {
            parts.pop();
            last == "metadata"
        }
        _ => false,
    };
    let nameless = || Some(Err(Error::invalid_argument("Missing model name in request.")));
    let (name, choice) = match *parts {
        [] => return nameless(),
        [name] => (name, Ok(VersionChoice::Latest)),
        [kind, value] => {
            version_choice(kind, value)?.ok()?;
            return nameless();
        }
        [name, kind, value] => (name, version_choice(kind, value)?),
        _ => return None,
    };
    let model = match choice {
        Ok(choice) => ModelRef { name: decode(name), choice },
        Err(error) => return Some(Err(error)),
    };
    Some(Ok(if is_metadata { Route::Metadata(model) } else { Route::Status(model) }))
}

/// Whether all characters are those of RFC 3986; hyper lets others pass.
fn is_legal(path: &str) -> bool {
    let is_legal =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
    let is_escape = |part: &str| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    path.bytes().all(is_legal) && path.split('%').skip(1).all(is_escape)
}

fn version_choice(kind: &str, value: &str) -> Option<Result<VersionChoice>> {
    if value.is_empty() {
        return None;
    }
    if kind.eq_ignore_ascii_case("labels") {
        return Some(Ok(VersionChoice::Label(decode(value))));
    }
    if !kind.eq_ignore_ascii_case("versions") || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(value.parse().map(VersionChoice::Specific).map_err(|_| {
        Error::invalid_argument(format!("Failed to convert version: {value} to numeric."))
    }))
}

fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = path.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

fn decode(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(method: Method, path: &str) -> Target {
        Target::of(&method, path, Some("/v1/metrics"))
    }

    fn model(name: &str, choice: VersionChoice) -> ModelRef {
        ModelRef { name: name.into(), choice }
    }

    fn error(method: Method, path: &str) -> String {
        match target(method, path) {
            Target::Api(Err(error)) => error.message,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn inference_names_model_version_and_verb() {
        use VersionChoice::{Label, Latest, Specific};
        for (path, verb, model) in [
            ("/v1/models/foo:predict", Verb::Predict, model("foo", Latest)),
            ("/V1/Models/foo:classify", Verb::Classify, model("foo", Latest)),
            ("/v1/models/foo/versions/50:regress", Verb::Regress, model("foo", Specific(50))),
            ("/v1/models/f/labels/x%2Fy:predict", Verb::Predict, model("f", Label("x/y".into()))),
            ("/v1/models/a%3Ab+c:predict", Verb::Predict, model("a:b+c", Latest)),
        ] {
            assert_eq!(
                target(Method::POST, path),
                Target::Api(Ok(Route::Inference(verb, model))),
                "{path}"
            );
        }
    }

    #[test]
    fn status_and_metadata_name_model_and_version() {
        use VersionChoice::{Label, Latest, Specific};
        for (path, route) in [
            ("/v1/models/foo", Route::Status(model("foo", Latest))),
            ("/v1/models/metadata", Route::Status(model("metadata", Latest))),
            ("/v1/models/foo/METADATA", Route::Status(model("foo", Latest))),
            ("/v1/models/foo?x=1", Route::Status(model("foo?x=1", Latest))),
            ("/v1/models/foo/versions/7", Route::Status(model("foo", Specific(7)))),
            ("/v1/models/foo/metadata", Route::Metadata(model("foo", Latest))),
            ("/v1/models/f/labels/x/metadata", Route::Metadata(model("f", Label("x".into())))),
        ] {
            assert_eq!(target(Method::GET, path), Target::Api(Ok(route)), "{path}");
        }
    }

    #[test]
    fn what_fits_no_route_is_malformed() {
        for (method, path) in [
            (Method::GET, "/v1/foo"),
            (Method::POST, "/v1/foo"),
            (Method::POST, "/v1/models"),
            (Method::GET, "/v1/models/debug/model_name"),
            (Method::GET, "/v1/models/foo:predict"),
            (Method::POST, "/v1/models/foo/version/50:regress"),
            (Method::POST, "/v1/models/foo/versions/HELLO:regress"),
            (Method::POST, "/v1/models/foo/label/x:regress"),
            (Method::POST, "/v1/models/foo/versions/50/labels/x:regress"),
            (Method::POST, "/v1/models/foo/metadata"),
            (Method::POST, "/v1/models/foo:predict?x=1"),
            (Method::POST, "/v1/models/foo:PREDICT"),
            (Method::GET, "/v1/models/"),
            (Method::GET, "/v1/models/foo/"),
            (Method::PUT, "/v1/models/foo"),
        ] {
            assert_eq!(error(method.clone(), path), format!("Malformed request: {method} {path}"));
        }
    }

    #[test]
    fn a_missing_name_and_a_huge_version_are_said_to_be() {
        assert_eq!(error(Method::GET, "/v1/models"), "Missing model name in request.");
        assert_eq!(error(Method::GET, "/v1/models/versions/3"), "Missing model name in request.");
        assert_eq!(
            error(Method::POST, "/v1/models/foo/versions/18446744073709551615:regress"),
            "Failed to convert version: 18446744073709551615 to numeric."
        );
    }

    #[test]
    fn paths_outside_the_api_are_left_alone() {
        for path in ["/statuspage", "/index", "/v1", "/"] {
            assert_eq!(target(Method::GET, path), Target::Elsewhere);
        }
        assert_eq!(target(Method::TRACE, "/v1/models/m"), Target::Unsupported);
        assert_eq!(target(Method::OPTIONS, "/"), Target::Elsewhere);
        assert_eq!(target(Method::OPTIONS, "/v1/whatever"), Target::Preflight);
    }

    #[test]
    fn metrics_are_at_one_path_and_come_before_the_api() {
        for path in ["/v1/metrics", "/v1/metrics?", "/v1/metrics?a=b?c"] {
            assert_eq!(target(Method::PUT, path), Target::Metrics, "{path}");
        }
        for path in ["/v1/metrics/", "/V1/metrics", "/v1/metric", "/metrics"] {
            assert_ne!(target(Method::GET, path), Target::Metrics, "{path}");
        }
        assert_eq!(target(Method::TRACE, "/v1/metrics"), Target::Unsupported);
        assert_eq!(Target::of(&Method::GET, "/metrics", None), Target::Elsewhere);
    }

    #[test]
    fn characters_that_no_url_has_are_looked_for_first() {
        for path in
            ["/v1/models/[m]", "/v1/models/m|", "/{}", "/v1/é", "/%", "/%4", "/%4x/", "/a?^"]
        {
            assert_eq!(target(Method::GET, path), Target::Illegal, "{path}");
        }
        assert_eq!(target(Method::TRACE, "/\""), Target::Illegal);
        assert_ne!(target(Method::GET, "/v1/models/%5b~!$&'()*+,;=@%5D?%aF"), Target::Illegal);
    }
}
