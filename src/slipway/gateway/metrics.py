"""What the gateway counts, in Prometheus's format."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder where worker processes add up; set before this module is imported."""
_BUCKETS_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


class Metrics:
    """Counts of one app; of all of its processes where these share a folder."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "slipway_gateway_requests",
            "Requests by route, method and HTTP status.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._request_s = Histogram(
            "slipway_gateway_request_seconds",
            "Seconds from the request to its answer, by route.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._calls = Counter(
            "slipway_gateway_model_calls",
            "Calls of models by model and canonical code.",
            ["model", "code"],
            registry=self._registry,
        )
        self._call_s = Histogram(
            "slipway_gateway_model_seconds",
            "Seconds from a call of a model to its answer, by model.",
            ["model"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        # Where processes add up, finding the child of some labels takes 8 us, counting in it 3.
        self._child: Callable[..., Any] = cache(lambda metric, *labels: metric.labels(*labels))

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request. `route` is the rule, not the path of a client."""
        self._child(self._requests, route, method, status).inc()
        self._child(self._request_s, route).observe(seconds)

    def count_call(self, model: str, code: str, seconds: float) -> None:
        """Count a call of a model."""
        self._child(self._calls, model, code).inc()
        self._child(self._call_s, model).observe(seconds)

    def text(self) -> bytes:
        """Return everything as a scrape gets it."""
        if not os.environ.get(FOLDER_VARIABLE):
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
