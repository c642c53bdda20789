"""Files with a MonitoringConfig, as TensorFlow Serving has it: where metrics are, if anywhere."""

import re
from pathlib import Path

from slipway.config.message_file import read_message_file
from slipway.errors import ConfigError

DEFAULT_PATH = "/monitoring/prometheus/metrics"

_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
"""Of a URL, as it is sent."""


def read_monitoring_file(path: Path) -> str | None:
    """Return the path of the metrics; None where a file asks for none.

    Raises ConfigError with the file.
    """
    config = read_message_file(path, "tensorflow.serving.MonitoringConfig")
    prometheus = config.get("prometheus_config", {})
    if not prometheus.get("enable", False):
        return None
    metrics_path: str = prometheus.get("path") or DEFAULT_PATH
    if not _PATH.fullmatch(metrics_path):
        raise ConfigError(
            f"{path}: prometheus_config has the path {metrics_path!r}, which no request can have. "
            f"It must be the path of a URL, such as {DEFAULT_PATH}"
        )
    return metrics_path
