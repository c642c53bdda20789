// SPDX-License-Identifier: Apache-2.0
//! Prometheus' text format, as TensorFlow Serving writes it.

use std::fmt::{self, Display, Formatter};

/// All samples of one name.
#[derive(Debug)]
pub(super) struct Family {
    /// With slashes, as TensorFlow Serving has it within; see [`metric_name`].
    pub(super) name: &'static str,
    pub(super) help: Option<&'static str>,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    /// The values of the labels, and what there is for them.
    pub(super) samples: Vec<(Vec<String>, Value)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
pub(super) enum Value {
    Count(u64),
    Number(f64),
    Buckets(Buckets),
}

/// A histogram.
#[derive(Debug)]
pub(super) struct Buckets {
    /// Limits, each with the number of samples below it.
    pub(super) below: Vec<(String, u64)>,
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Display for Family {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = metric_name(self.name);
        if let Some(help) = self.help {
            writeln!(f, "# HELP {name} {help}")?;
        }
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        writeln!(f, "# TYPE {name} {kind}")?;
        let names: Vec<String> = self.labels.iter().map(|label| label_name(label)).collect();
        for (values, value) in &self.samples {
            let pairs = names.iter().zip(values);
            let pairs = pairs.map(|(name, value)| format!("{name}=\"{}\"", label_value(value)));
            let labels = pairs.collect::<Vec<_>>().join(",");
            match value {
                Value::Count(count) => writeln!(f, "{name}{{{labels}}} {count}")?,
                Value::Number(number) => writeln!(f, "{name}{{{labels}}} {number}")?,
                Value::Buckets(Buckets { below, count, sum }) => {
                    let comma = if labels.is_empty() { "" } else { "," };
                    for (limit, count) in below {
                        writeln!(f, "{name}_bucket{{{labels}{comma}le=\"{limit}\"}} {count}")?;
                    }
                    writeln!(f, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}")?;
                    writeln!(f, "{name}_sum{{{labels}}} {sum}")?;
                    writeln!(f, "{name}_count{{{labels}}} {count}")?;
                }
            }
        }
        Ok(())
    }
}

/// The name under which Prometheus has a metric.
pub(super) fn metric_name(name: &str) -> String {
    spelled(name, ':', |c| c.is_ascii_alphanumeric() || c == '_')
}

fn label_name(name: &str) -> String {
    spelled(name, '_', |c| c.is_ascii_alphanumeric())
}

/// `name` with `other` for what may not be in it, and beginning with no digit.
fn spelled(name: &str, other: char, may: impl Fn(char) -> bool) -> String {
    let begin = name.starts_with(|first: char| first.is_ascii_digit()).then_some('_');
    begin.into_iter().chain(name.chars().map(|c| if may(c) { c } else { other })).collect()
}

/// Escaped as the format has it. TensorFlow Serving leaves line ends as they are, which ends the
/// sample in its middle.
fn label_value(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number in six digits, as C's `%g` writes it.
pub(super) fn six_digits(number: f64) -> String {
    let text = format!("{number:.5e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        return trimmed(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

/// Without zeros at the end that say nothing.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(kind: Kind, name: &'static str, labels: &'static [&'static str]) -> Family {
        Family { name, help: None, kind, labels, samples: Vec::new() }
    }

    fn text(mut family: Family, values: &[&str], value: Value) -> String {
        family.samples.push((values.iter().map(|value| value.to_string()).collect(), value));
        family.to_string()
    }

    #[test]
    fn l1_a_counter() {
        let counter = family(Kind::Counter, "/test/path/total", &["name"]);
        assert_eq!(
            text(counter, &["abc"], Value::Count(2)),
            "# TYPE :test:path:total counter\n:test:path:total{name=\"abc\"} 2\n"
        );
    }

    #[test]
    fn l2_a_gauge() {
        let gauge = family(Kind::Gauge, "/test/path/gague", &["x", "y"]);
        assert_eq!(
            text(gauge, &["abc", "def"], Value::Count(5)),
            "# TYPE :test:path:gague gauge\n:test:path:gague{x=\"abc\",y=\"def\"} 5\n"
        );
    }

    #[test]
    fn l3_a_histogram() {
        let below = [0, 0, 1, 1, 1, 2, 2, 2, 3, 3];
        let limit = |index: usize| six_digits((1 << index) as f64);
        let below = below.into_iter().enumerate().map(|(index, count)| (limit(index), count));
        let buckets = Buckets { below: below.collect(), count: 3, sum: 222.0 };
        let histogram = family(Kind::Histogram, "/test/path/histogram", &["status"]);
        assert_eq!(
            text(histogram, &["good"], Value::Buckets(buckets)),
            r#"# TYPE :test:path:histogram histogram
:test:path:histogram_bucket{status="good",le="1"} 0
:test:path:histogram_bucket{status="good",le="2"} 0
:test:path:histogram_bucket{status="good",le="4"} 1
:test:path:histogram_bucket{status="good",le="8"} 1
:test:path:histogram_bucket{status="good",le="16"} 1
:test:path:histogram_bucket{status="good",le="32"} 2
:test:path:histogram_bucket{status="good",le="64"} 2
:test:path:histogram_bucket{status="good",le="128"} 2
:test:path:histogram_bucket{status="good",le="256"} 3
:test:path:histogram_bucket{status="good",le="512"} 3
:test:path:histogram_bucket{status="good",le="+Inf"} 3
:test:path:histogram_sum{status="good"} 222
:test:path:histogram_count{status="good"} 3
"#
        );
    }

    #[test]
    fn l4_quotes_backslashes_and_line_ends_are_escaped() {
        assert_eq!(label_value(r#""abc\""#), r#"\"abc\\\""#);
        assert_eq!(label_value("a\nb"), r"a\nb");
    }

    #[test]
    fn l5_names_are_spelled_as_prometheus_allows() {
        assert_eq!(label_name("my-name+1"), "my_name_1");
        assert_eq!(label_name("1"), "_1");
        assert_eq!(metric_name("0/path-total_count"), "_0:path:total_count");
        assert_eq!(metric_name("/tensorflow/serving/é"), ":tensorflow:serving::");
    }

    #[test]
    fn help_and_no_labels() {
        let help = Some("What it is.");
        let gauge = Family { help, ..family(Kind::Gauge, "slipway_x", &[]) };
        assert_eq!(
            text(gauge, &[], Value::Number(0.25)),
            "# HELP slipway_x What it is.\n# TYPE slipway_x gauge\nslipway_x{} 0.25\n"
        );
        let buckets = Buckets { below: vec![("1".into(), 0)], count: 1, sum: 2.5 };
        let found = text(family(Kind::Histogram, "h", &[]), &[], Value::Buckets(buckets));
        assert!(found.contains("\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"+Inf\"} 1\nh_sum{} 2.5\n"));
    }

    #[test]
    fn six_digits_are_written_as_c_does() {
        for (number, text) in [
            (10.0, "10"),
            (32.4, "32.4"),
            (104.976, "104.976"),
            (188.9568, "188.957"),
            (1101.99605, "1102"),
            (999_999.0, "999999"),
            (999_999.6, "1e+06"),
            (1_474_762_000.0, "1.47476e+09"),
            (0.0, "0"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (16384.0, "16384"),
            (100.0, "100"),
        ] {
            assert_eq!(six_digits(number), text);
        }
    }
}
