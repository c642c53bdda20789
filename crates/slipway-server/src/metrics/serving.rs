// SPDX-License-Identifier: Apache-2.0
//! The metrics of TensorFlow Serving, under its names and labels.

use std::collections::BTreeMap;

use slipway_core::{Api, ModelTally, Protocol, Tally};

use super::method_name;
use super::text::{six_digits, Buckets, Family, Kind, Value};

/// What runs models.
const RUNTIME: &str = "TF1";

type Labels = Vec<String>;

/// Every family, by name in the order of bytes.
pub(super) fn families(models: &BTreeMap<String, ModelTally>) -> Vec<Family> {
    let mut counts: BTreeMap<Labels, u64> = BTreeMap::new();
    let mut totals: BTreeMap<Labels, Tally> = BTreeMap::new();
    let mut runs: BTreeMap<Labels, Tally> = BTreeMap::new();
    for (model, tally) in models {
        for ((api, protocol), kind) in tally.all() {
            if is_counted(api, protocol) {
                for (code, count) in kind.by_code() {
                    *counts.entry(labels([model, code.name()])).or_default() += count;
                }
                let key = labels([model, api_name(api, protocol), entry_point(protocol)]);
                *totals.entry(key).or_default() += &kind.total;
            }
            *runs.entry(labels([model, method_name(api), RUNTIME])).or_default() += &kind.run;
        }
    }
    let examples = || {
        let models = models.iter().map(|(model, tally)| (labels([model]), &tally.examples));
        models.filter(|(_, examples)| examples.requests() > 0)
    };
    let replays = || {
        models.iter().flat_map(|(model, tally)| {
            tally.versions.iter().filter_map(move |(version, tally)| {
                // Callers get to know no folders of this machine.
                let path = format!("{model}/{version}");
                Some((labels([path.as_str(), "OK"]), tally.load?.replayed?))
            })
        })
    };
    vec![
        family("/tensorflow/serving/mlmd_map", Kind::Gauge, &["model_name", "version"], []),
        family(
            "/tensorflow/serving/model_warmup_latency",
            Kind::Histogram,
            &["model_path", "status"],
            replays().map(|(labels, replay)| (labels, times(&Tally::of(replay.time)))),
        ),
        family(
            "/tensorflow/serving/model_warmup_records_read",
            Kind::Counter,
            &["model_path", "status"],
            replays().map(|(labels, replay)| (labels, Value::Count(replay.records as u64))),
        ),
        family(
            "/tensorflow/serving/request_count",
            Kind::Counter,
            &["model_name", "status"],
            counts.into_iter().map(|(labels, count)| (labels, Value::Count(count))),
        ),
        family(
            "/tensorflow/serving/request_example_count_total",
            Kind::Counter,
            &["model"],
            examples().map(|(labels, tally)| (labels, Value::Count(tally.examples))),
        ),
        family(
            "/tensorflow/serving/request_example_counts",
            Kind::Histogram,
            &["model"],
            examples().map(|(labels, tally)| {
                let below = tally.by_serving_limits();
                (labels, buckets(below, tally.requests(), tally.examples))
            }),
        ),
        family(
            "/tensorflow/serving/request_latency",
            Kind::Histogram,
            &["model_name", "API", "entrypoint"],
            all_times(totals),
        ),
        family(
            "/tensorflow/serving/request_log_count",
            Kind::Counter,
            &["model_name", "status_code"],
            [],
        ),
        family(
            "/tensorflow/serving/runtime_latency",
            Kind::Histogram,
            &["model_name", "API", "runtime"],
            all_times(runs),
        ),
    ]
}

/// The value of the first sample of a counter, as a reload reports it; 0 where there is none.
pub(super) fn first_count(families: &[Family], name: &str) -> u64 {
    let family = families.iter().find(|family| family.name == name);
    match family.and_then(|family| family.samples.first()) {
        Some((_, Value::Count(count))) => *count,
        _ => 0,
    }
}

fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    samples: impl IntoIterator<Item = (Labels, Value)>,
) -> Family {
    Family { name, help: None, kind, labels, samples: samples.into_iter().collect() }
}

fn labels<const N: usize>(values: [&str; N]) -> Labels {
    values.map(str::to_owned).into()
}

fn all_times(tallies: BTreeMap<Labels, Tally>) -> impl Iterator<Item = (Labels, Value)> {
    let any = tallies.into_iter().filter(|(_, tally)| tally.count() > 0);
    any.map(|(labels, tally)| (labels, times(&tally)))
}

fn times(tally: &Tally) -> Value {
    buckets(tally.by_serving_limits(), tally.count(), tally.micros())
}

/// The sum has all of its digits: the original's six are too few for rates after some weeks.
fn buckets(below: impl Iterator<Item = (f64, u64)>, count: u64, sum: u64) -> Value {
    let below = below.map(|(limit, count)| (six_digits(limit), count)).collect();
    Value::Buckets(Buckets { below, count, sum: sum as f64 })
}

/// Of gRPC, three methods alone are counted.
fn is_counted(api: Api, protocol: Protocol) -> bool {
    protocol == Protocol::Rest || matches!(api, Api::Predict | Api::Classify | Api::Regress)
}

fn entry_point(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "GRPC",
        Protocol::Rest => "REST",
    }
}

/// As `request_latency` has it.
fn api_name(api: Api, protocol: Protocol) -> &'static str {
    match (protocol, api) {
        (Protocol::Grpc, _) => method_name(api),
        (Protocol::Rest, Api::Predict) => "predict",
        (Protocol::Rest, Api::Classify) => "classify",
        (Protocol::Rest, Api::Regress) => "regress",
        (Protocol::Rest, _) => "",
    }
}
