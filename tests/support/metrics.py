"""The metrics of a server, read as Prometheus reads them."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.rest import ask

PATH = "/monitoring/prometheus/metrics"
ORIGINAL = ":tensorflow:serving:"

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Page:
    """Everything on one page, by name and labels."""

    families: Mapping[str, Metric]
    samples: Mapping[tuple[str, Labels], float]

    def value(self, name: str, **labels: str) -> float:
        """Return one sample; 0 where there is none, since a counter begins there."""
        return self.samples.get((name, frozenset(labels.items())), 0)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of all samples that have these labels among others."""
        wanted = frozenset(labels.items())
        return sum(
            value for (found, has), value in self.samples.items() if found == name and wanted <= has
        )

    def labels(self, label: str) -> set[str]:
        """Return all values of a label."""
        return {dict(labels)[label] for _, labels in self.samples if label in dict(labels)}


def scrape(address: str, path: str = PATH) -> Page:
    """Return the metrics of a server, checked for what makes sense to no reader."""
    reply = ask(address, "GET", path)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain"), reply.body
    return read(reply.body.decode())


def read(text: str) -> Page:
    """Read a page: each family and each sample is there once, and histograms add up."""
    assert text.endswith("\n")
    begun = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    helped = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP ")]
    assert len(set(begun)) == len(begun)
    assert len(set(helped)) == len(helped)
    parsed = list(text_string_to_metric_families(text))
    assert len(parsed) == len(begun), "a sample is of no family that was begun"
    # The parser has the names of counters without and their samples with an end of its own.
    families = dict(zip(begun, parsed))
    samples = {}
    for name, family in families.items():
        for sample in family.samples:
            found = sample.name
            if family.type == "counter":
                assert found.removesuffix("_total") == name.removesuffix("_total")
                found = name
            key = (found, frozenset(sample.labels.items()))
            assert key not in samples, f"{key} is there twice"
            assert math.isfinite(sample.value)
            samples[key] = sample.value
        if family.type == "histogram":
            _check_histogram(family)
    return Page(families, samples)


def _check_histogram(family: Metric) -> None:
    for buckets, count in _histograms(family):
        limits = [limit for limit, _ in buckets]
        counts = [below for _, below in buckets]
        assert limits == sorted(limits)
        assert counts == sorted(counts)
        assert limits[-1] == math.inf
        assert counts[-1] == count


def _histograms(family: Metric) -> Iterator[tuple[list[tuple[float, float]], float]]:
    buckets: dict[Labels, list[tuple[float, float]]] = {}
    counts = {}
    for sample in family.samples:
        labels = frozenset((name, value) for name, value in sample.labels.items() if name != "le")
        if sample.name.endswith("_bucket"):
            buckets.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[labels] = sample.value
    assert buckets.keys() == counts.keys()
    for labels, below in buckets.items():
        yield below, counts[labels]
