"""The configuration of a server: frozen, made of small parts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.dataplane.base import PlaneConfig
from slipway.lifecycle.manager import LOAD_THREADS
from slipway.lifecycle.retry import Backoff
from slipway.lifecycle.version_policy import Latest, VersionPolicy


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One model: its name in requests, and where its versions are."""

    name: str
    base_path: Path
    policy: VersionPolicy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)
    platform: str = "tensorflow"
    logging: Mapping[str, Any] | None = None
    """Its `logging_config`, which has no effect yet."""


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """Everything that `slipway serve` needs to know."""

    plane: PlaneConfig
    models: tuple[ModelConfig, ...]
    backoff: Backoff
    """Its patience is also how often a first load is tried again before the server gives up."""
    poll_wait_s: float | None
    """Seconds between two looks for new versions; None to look no more once the server is up."""
    shutdown_grace_s: float
    model_config_file: Path | None = None
    """Where `models` came from."""
    config_poll_wait_s: float | None = None
    """Seconds between two readings of that file; None to read it once."""
    model_root: Path | None = None
    """The folder that all base paths must be under."""
    allow_unavailable_labels: bool = False
    load_threads: int = LOAD_THREADS
    unload_threads: int = LOAD_THREADS
    serve_while_loading: bool = False
    """Whether the ports open at once, and not when the models are loaded."""
