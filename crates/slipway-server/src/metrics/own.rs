// SPDX-License-Identifier: Apache-2.0
//! The metrics of Slipway, as Prometheus' conventions have them: in seconds and bytes, and with names
//! that say so.

use std::collections::BTreeMap;

use memory_stats::memory_stats;
use slipway_core::{Code, KindTally, ModelTally, Protocol, Snapshot, State, Tallies, Tally};

use super::method_name;
use super::text::{Buckets, Family, Kind, Value};
use crate::plane::Plane;

/// What tells requests apart.
const REQUEST: &[&str] = &["model", "version", "signature", "method", "protocol"];
const REQUEST_AND_CODE: &[&str] = &["model", "version", "signature", "method", "protocol", "code"];

type Labels = Vec<String>;
type Samples = Vec<(Labels, Value)>;

/// Every family, by name in the order of bytes.
pub(super) fn families(
    plane: &Plane,
    snapshot: &Snapshot,
    models: &BTreeMap<String, ModelTally>,
) -> Vec<Family> {
    let requests = requests(models);
    let in_flight = &plane.budget;
    let resident = memory_stats().map(|memory| number([], memory.physical_mem as f64));
    vec![
        Family {
            name: "slipway_in_flight_bytes",
            help: Some("Memory that requests under way have taken."),
            kind: Kind::Gauge,
            labels: &[],
            samples: vec![number([], in_flight.used() as f64)],
        },
        Family {
            name: "slipway_in_flight_limit_bytes",
            help: Some("Memory that requests under way may take together."),
            kind: Kind::Gauge,
            labels: &[],
            samples: vec![number([], in_flight.total() as f64)],
        },
        Family {
            name: "slipway_load_seconds",
            help: Some("How long a version that is loaded took to load, warm-up included."),
            kind: Kind::Gauge,
            labels: &["model", "version"],
            samples: load_times(models),
        },
        Family {
            name: "slipway_loads_total",
            help: Some("Loads of versions that have ended, by code."),
            kind: Kind::Counter,
            labels: &["model", "code"],
            samples: loads(models),
        },
        Family {
            name: "slipway_process_resident_memory_bytes",
            help: Some("Memory of the process: models, requests and all else."),
            kind: Kind::Gauge,
            labels: &[],
            samples: resident.into_iter().collect(),
        },
        Family {
            name: "slipway_queue_seconds",
            help: Some("How long requests that were answered waited for a thread to run on."),
            kind: Kind::Histogram,
            labels: REQUEST,
            samples: times(&requests, |kind| &kind.queue),
        },
        Family {
            name: "slipway_request_seconds",
            help: Some("How long requests that were answered took."),
            kind: Kind::Histogram,
            labels: REQUEST,
            samples: times(&requests, |kind| &kind.total),
        },
        Family {
            name: "slipway_requests_total",
            help: Some("Requests that have ended, by code."),
            kind: Kind::Counter,
            labels: REQUEST_AND_CODE,
            samples: counts(&requests),
        },
        Family {
            name: "slipway_run_seconds",
            help: Some("How long the model ran for requests that were answered."),
            kind: Kind::Histogram,
            labels: REQUEST,
            samples: times(&requests, |kind| &kind.run),
        },
        Family {
            name: "slipway_versions",
            help: Some("Versions of a model by state."),
            kind: Kind::Gauge,
            labels: &["model", "state"],
            samples: states(snapshot),
        },
    ]
}

/// What was counted of requests, by the labels that tell them apart.
fn requests(models: &BTreeMap<String, ModelTally>) -> Vec<(Labels, KindTally)> {
    let mut found = Vec::new();
    for (model, ModelTally { early, versions, .. }) in models {
        let mut add = |version: &str, signature: &str, tallies: &Tallies| {
            for ((api, protocol), kind) in tallies {
                let protocol = match protocol {
                    Protocol::Grpc => "grpc",
                    Protocol::Rest => "rest",
                };
                let labels = [model, version, signature, method_name(*api), protocol];
                found.push((labels.map(str::to_owned).into(), kind.clone()));
            }
        };
        add("", "", early);
        for (version, tally) in versions {
            for (signature, tallies) in &tally.signatures {
                add(&version.to_string(), signature, tallies);
            }
        }
    }
    found
}

fn counts(requests: &[(Labels, KindTally)]) -> Samples {
    let of = |(labels, kind): &(Labels, KindTally)| {
        let count = |(code, count): (Code, u64)| {
            let labels = labels.iter().map(String::as_str).chain([code.name()]);
            (labels.map(str::to_owned).collect(), Value::Count(count))
        };
        kind.by_code().map(count).collect::<Samples>()
    };
    requests.iter().flat_map(of).collect()
}

fn times(requests: &[(Labels, KindTally)], of: fn(&KindTally) -> &Tally) -> Samples {
    let tallies = requests.iter().map(|(labels, kind)| (labels, of(kind)));
    let any = tallies.filter(|(_, tally)| tally.count() > 0);
    any.map(|(labels, tally)| {
        let below = tally.by_limits().map(|(limit, count)| (limit.to_string(), count)).collect();
        let buckets = Buckets { below, count: tally.count(), sum: tally.seconds() };
        (labels.clone(), Value::Buckets(buckets))
    })
    .collect()
}

fn loads(models: &BTreeMap<String, ModelTally>) -> Samples {
    let of = |(model, tally): (&String, &ModelTally)| {
        let any = Code::ALL.into_iter().zip(tally.loads).filter(|&(_, count)| count > 0);
        let count = |(code, count): (Code, u64)| {
            (vec![model.clone(), code.name().to_owned()], Value::Count(count))
        };
        any.map(count).collect::<Samples>()
    };
    models.iter().flat_map(of).collect()
}

fn load_times(models: &BTreeMap<String, ModelTally>) -> Samples {
    let of = |(model, tally): (&String, &ModelTally)| {
        let loaded = tally.versions.iter().filter_map(|(version, tally)| {
            Some(number([model, &version.to_string()], tally.load?.time.as_secs_f64()))
        });
        loaded.collect::<Samples>()
    };
    models.iter().flat_map(of).collect()
}

fn states(snapshot: &Snapshot) -> Samples {
    let configured = snapshot.models.iter().filter(|(_, model)| model.configured);
    let of = |(name, model): (&String, &slipway_core::Model)| {
        State::ALL.map(|state| {
            let versions = model.statuses.iter().filter(|status| status.state == state);
            (vec![name.clone(), state.name().to_owned()], Value::Count(versions.count() as u64))
        })
    };
    configured.flat_map(of).collect()
}

fn number<const N: usize>(labels: [&str; N], number: f64) -> (Labels, Value) {
    (labels.map(str::to_owned).into(), Value::Number(number))
}
