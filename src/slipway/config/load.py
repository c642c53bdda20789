"""From flags, files and environment to a configuration: flags win."""

from collections.abc import Mapping
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path

from pydantic import ValidationError

from slipway.config.channel_arguments import parse_channel_arguments
from slipway.config.ignored import refuse_what_cannot_be_ignored
from slipway.config.models import (
    check_models,
    check_platforms,
    local_path,
    models_of_file,
)
from slipway.config.monitoring_file import read_monitoring_file
from slipway.config.options import ServeOptions
from slipway.config.schema import ModelConfig, ServeConfig
from slipway.config.ssl_file import read_ssl_file
from slipway.dataplane.base import Limits, LoadOptions, PlaneConfig, Tls
from slipway.errors import ConfigError, ServingError
from slipway.lifecycle.manager import LOAD_THREADS
from slipway.lifecycle.retry import Backoff

# What the Docker image of TensorFlow Serving sets.
_DOCKER_BASE_PATH = "/models"
_DOCKER_NAME = "model"
_DOCKER_REST_PORT = 8501


def load_serve_config(options: ServeOptions, environ: Mapping[str, str]) -> ServeConfig:
    """Return the configuration that flags, files and environment ask for.

    Without model flags, MODEL_NAME and MODEL_BASE_PATH mean what they mean to TensorFlow Serving's
    Docker image: the model is at MODEL_BASE_PATH/MODEL_NAME, and REST is on. Raises ConfigError.
    """
    refuse_what_cannot_be_ignored(options.foreign_flags)
    rest_port = options.rest_api_port
    model_root = Path(options.model_root).absolute() if options.model_root else None
    file = Path(options.model_config_file) if options.model_config_file else None
    if file:
        models = _models_of_file(file, model_root)
    elif options.model_base_path is not None:
        models = (_single(options.model_name or "default", options.model_base_path, model_root),)
    elif options.model_name is None and {"MODEL_NAME", "MODEL_BASE_PATH"} & environ.keys():
        name = environ.get("MODEL_NAME", _DOCKER_NAME)
        base_path = environ.get("MODEL_BASE_PATH", _DOCKER_BASE_PATH)
        models = (_single(name, f"{base_path}/{name}", model_root),)
        rest_port = _DOCKER_REST_PORT if rest_port is None else rest_port
    else:
        raise ConfigError(
            "No model to serve. Name its folder with --model_base_path=/path/to/model or several "
            "models in a --model_config_file, or set MODEL_BASE_PATH and MODEL_NAME."
        )
    if not options.port and not options.grpc_socket_path and not rest_port:
        raise ConfigError(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be "
            "set. Give --port, --grpc_socket_path or --rest_api_port."
        )
    if options.port and options.port == rest_port:
        raise ConfigError(
            f"--port and --rest_api_port are both {rest_port}. gRPC and REST need a port each."
        )
    plane = PlaneConfig(
        host=_host(options.host),
        grpc_port=options.port or None,
        grpc_socket_path=Path(options.grpc_socket_path) if options.grpc_socket_path else None,
        rest_port=rest_port or None,
        grpc_tls=_tls("ssl_config_file", options.ssl_config_file),
        rest_tls=_tls("rest_api_ssl_config_file", options.rest_api_ssl_config_file),
        metrics_path=_metrics_path(options) if rest_port else None,
        allow_remote_reload=options.allow_remote_reload,
        limits=_limits(options),
        rest_timeout_s=max(options.rest_api_timeout_in_ms, 0) / 1000 or None,
        rest_cors=options.rest_api_enable_cors_support,
        run_threads=_run_threads(options, rest_port),
        load_options=_load_options(options),
    )
    interval_s = max(0.0, options.load_retry_interval_micros / 1e6)
    poll_wait_s = options.file_system_poll_wait_seconds
    config_poll_wait_s = options.model_config_file_poll_wait_seconds
    return ServeConfig(
        plane=plane,
        models=models,
        backoff=Backoff(interval_s, patience=options.max_num_load_retries),
        poll_wait_s=poll_wait_s if poll_wait_s > 0 else None,
        shutdown_grace_s=options.shutdown_grace_s,
        model_config_file=file,
        config_poll_wait_s=config_poll_wait_s if config_poll_wait_s > 0 else None,
        model_root=model_root,
        allow_unavailable_labels=options.allow_version_labels_for_unavailable_models,
        load_threads=options.num_load_threads or LOAD_THREADS,
        unload_threads=options.num_unload_threads or LOAD_THREADS,
        serve_while_loading=options.serve_while_loading,
    )


def _models_of_file(file: Path, model_root: Path | None) -> tuple[ModelConfig, ...]:
    models = models_of_file(file, model_root)
    try:
        check_platforms(models, {})
    except ServingError as error:
        raise ConfigError(f"{file}: {error}") from error
    return models


def _single(name: str, base_path: str, model_root: Path | None) -> ModelConfig:
    try:
        model = ModelConfig(name, local_path(name, base_path))
        check_models([model], model_root)
    except ServingError as error:
        is_relative = "://" not in base_path and not Path(base_path).is_absolute()
        hint = f". Try {Path(base_path).absolute()}" if is_relative else ""
        raise ConfigError(f"{error}{hint}") from error
    return model


def _metrics_path(options: ServeOptions) -> str | None:
    file = options.monitoring_config_file
    try:
        return read_monitoring_file(Path(file)) if file else None
    except ConfigError as error:
        raise ConfigError(f"--monitoring_config_file: {error}") from error


def _tls(flag: str, file: str | None) -> Tls | None:
    try:
        return read_ssl_file(Path(file)) if file else None
    except ConfigError as error:
        raise ConfigError(f"--{flag}: {error}") from error


def _limits(options: ServeOptions) -> Limits:
    """Return the limits that flags set, and channel arguments where no flag does."""
    arguments = parse_channel_arguments(options.grpc_channel_arguments).limits
    values = options.model_dump(include={field.name for field in fields(Limits)})
    values |= {
        name: value for name, value in arguments.items() if name not in options.model_fields_set
    }
    try:
        checked = ServeOptions.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"--grpc_channel_arguments sets {first['loc'][0]} to {first['input']}: "
            f"{first['msg'].lower()}"
        ) from error
    return Limits(**checked.model_dump(include=set(values)))


def _run_threads(options: ServeOptions, rest_port: int | None) -> int | None:
    """Return the size of the pool that gRPC and REST share; None where one of them has no limit."""
    shares = []
    if options.port or options.grpc_socket_path:
        shares.append(options.grpc_max_threads)
    if rest_port:
        shares.append(options.rest_api_num_threads)
    given = [threads for threads in shares if threads is not None]
    return sum(given) if len(given) == len(shares) else None


def _host(text: str) -> str:
    try:
        return str(ip_address("127.0.0.1" if text == "localhost" else text))
    except ValueError as error:
        raise ConfigError(
            f"--host is {text!r}; it must be an IP address, such as 127.0.0.1 or 0.0.0.0"
        ) from error


def _load_options(options: ServeOptions) -> LoadOptions:
    both = options.tensorflow_session_parallelism
    intra = options.tensorflow_intra_op_parallelism
    inter = options.tensorflow_inter_op_parallelism
    if both and intra and inter:
        raise ConfigError(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately: all three flags are given."
        )
    if not (intra or inter):
        intra = inter = both
    return LoadOptions(
        tags=tuple(tag for tag in options.saved_model_tags.split(",") if tag),
        executor=None if options.executor == "auto" else options.executor,
        intra_op_threads=intra or None,
        inter_op_threads=inter or None,
        check_method_names=options.enable_signature_method_name_check,
        gpu_memory_fraction=options.per_process_gpu_memory_fraction or None,
        warm_up=options.enable_model_warmup,
        warm_up_iterations=max(1, options.num_request_iterations_for_warmup),
        generated_warm_up=options.enable_generated_warmup,
    )
