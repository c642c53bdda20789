"""Flags of `tensorflow_model_server` that Slipway takes without doing what they say.

`docs/compatibility.md` lists them; a test holds it to this page.
"""

from collections.abc import Mapping
from typing import Final

from slipway.errors import ConfigError

_BATCHING = "batching is to come"
_TFLITE = "TFLite models are not served"
_XLA = "XLA compiles what a graph itself asks for, and nothing else"

IGNORED: Final[Mapping[str, str]] = {
    "batching_parameters_file": _BATCHING,
    "enable_batching": _BATCHING,
    "enable_grpc_healthcheck_service": "the health service is always on",
    "enable_per_model_batching_parameters": _BATCHING,
    "enable_profiler": "there is no profiler service",
    "enable_serialization_as_tensor_content": "outputs travel as typed lists",
    "flush_filesystem_caches": "the system decides which files it keeps in memory",
    "mixed_precision": "a graph runs in the precision it was saved with",
    "num_tflite_interpreters_per_pool": _TFLITE,
    "num_tflite_pools": _TFLITE,
    "platform_config_file": "tensorflow, the one platform, is set up by flags",
    "prefer_tflite_model": _TFLITE,
    "remove_unused_fields_from_bundle_metagraph": "nothing but signatures is kept of a graph",
    "skip_initialize_tpu": "there is no TPU support",
    "tensorflow_session_config_file": "session options from a file are to come",
    "thread_pool_factory_config_file": "TensorFlow's own thread pools are used",
    "xla_cpu_compilation_enabled": _XLA,
    "xla_gpu_compilation_enabled": _XLA,
}
"""Why each has no effect."""

REFUSED: Final[Mapping[str, str]] = {
    "use_alts_credentials": "there is no ALTS; --ssl_config_file has the server speak TLS",
}
"""Why each is an error: who asks for security must not be served without."""

_OFF = ("", "0", "false")
"""Values, in lower case, of a flag that asks for nothing."""


def refuse_what_cannot_be_ignored(given: Mapping[str, str]) -> None:
    """Raise ConfigError for flags that the server cannot start with, by name and value."""
    for name, reason in REFUSED.items():
        if given.get(name, "").lower() not in _OFF:
            raise ConfigError(f"--{name}: {reason}")
    if given.get("batching_parameters_file") and given.get("enable_batching", "").lower() in _OFF:
        raise ConfigError(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        )


def explanation(given: Mapping[str, str]) -> str | None:
    """Return one line on the flags given that have no effect; None when there are none."""
    reasons = [f"--{name} ({IGNORED[name]})" for name in given if name in IGNORED]
    return f"Without effect here: {', '.join(reasons)}" if reasons else None
