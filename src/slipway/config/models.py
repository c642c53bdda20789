"""The models of a `tensorflow.serving.ModelServerConfig`, checked one by one and together.

What is refused, and in which words, is TensorFlow Serving's
(`model_servers/server_core.cc`), save for base paths: those are local folders here.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slipway.config.message_file import read_message_file
from slipway.config.schema import ModelConfig
from slipway.errors import (
    ConfigError,
    FailedPreconditionError,
    InvalidArgumentError,
    ServingError,
)
from slipway.lifecycle.version_policy import All, Latest, Specific, VersionPolicy

PLATFORM = "tensorflow"
NO_TRANSITION = (
    "Cannot transition to requested config. It is only legal to transition from one "
    "ModelConfigList to another."
)
_MESSAGE = "tensorflow.serving.ModelServerConfig"


def read_model_config_file(path: Path) -> Mapping[str, Any]:
    """Return the ModelServerConfig in a file, as a dict. Raises ConfigError with the file."""
    return read_message_file(path, _MESSAGE)


def models_of_file(path: Path, model_root: Path | None = None) -> tuple[ModelConfig, ...]:
    """Return the models of a file. Raises ConfigError, with the file, whatever is wrong with it."""
    try:
        return read_models(read_model_config_file(path), model_root)
    except ServingError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_models(config: Mapping[str, Any], model_root: Path | None) -> tuple[ModelConfig, ...]:
    """Return the models of a ModelServerConfig that was read into a dict; an empty one has none.

    `model_root`, where there is one, is the folder that all base paths must be under. Raises
    InvalidArgumentError for a list that cannot be served, FailedPreconditionError for a config
    of another kind.
    """
    if "custom_model_config" in config:
        raise FailedPreconditionError(NO_TRANSITION)
    entries: Sequence[Mapping[str, Any]] = config.get("model_config_list", {}).get("config", ())
    models = tuple(_model(entry) for entry in entries)
    check_models(models, model_root)
    return models


def check_models(models: Sequence[ModelConfig], model_root: Path | None = None) -> None:
    """Refuse models that cannot be served together. Raises InvalidArgumentError."""
    for name, times in Counter(model.name for model in models).items():
        if times > 1:
            raise InvalidArgumentError(
                f"Illegal to list model {name} multiple times in config list"
            )
    for model in models:
        if not model.name:
            raise InvalidArgumentError(
                f"The model with base path {model.base_path} has no name: give it one"
            )
        if model_root and not _is_under(model_root, model.base_path):
            raise InvalidArgumentError(
                f"Model {model.name} has the base path {model.base_path}, which is outside of the "
                "folder that --model_root allows"
            )


def check_platforms(models: Sequence[ModelConfig], before: Mapping[str, ModelConfig]) -> None:
    """Refuse platforms that differ from those `before`, or that are not there.

    Raises InvalidArgumentError.
    """
    for model in models:
        old = before.get(model.name)
        if old and old.platform != model.platform:
            raise InvalidArgumentError(
                f"Illegal to change a model's platform. For model {model.name} platform was "
                f"{old.platform} and new platform requested is {model.platform}"
            )
        if model.platform != PLATFORM:
            raise InvalidArgumentError(
                f"Model {model.name} requests unsupported platform {model.platform}; there is "
                f'"{PLATFORM}"'
            )


def local_path(name: str, text: str) -> Path:
    """Return the base path that a configuration gives a model. Raises InvalidArgumentError."""
    if "://" in text:
        raise InvalidArgumentError(
            f"Model {name} has the base path {text}, which is a URL: base paths are local folders"
        )
    if "\0" in text:
        raise InvalidArgumentError(f"Model {name} has a NUL character in its base path {text!r}")
    if not Path(text).is_absolute():
        raise InvalidArgumentError(
            f"Expected model {name} to have an absolute path or URI; got base_path()={text}"
        )
    return Path(text)


def _model(entry: Mapping[str, Any]) -> ModelConfig:
    name = entry.get("name", "")
    return ModelConfig(
        name=name,
        base_path=local_path(name, entry.get("base_path", "")),
        policy=_policy(entry.get("model_version_policy", {})),
        labels=entry.get("version_labels", {}),
        platform=_platform(name, entry),
        logging=entry.get("logging_config"),
    )


def _policy(policy: Mapping[str, Any]) -> VersionPolicy:
    if "all" in policy:
        return All()
    if "specific" in policy:
        return Specific(frozenset(policy["specific"].get("versions", ())))
    return Latest(policy.get("latest", {}).get("num_versions", 0) or 1)


def _platform(name: str, entry: Mapping[str, Any]) -> str:
    kind, platform = entry.get("model_type"), entry.get("model_platform")
    fields = (
        "ModelServerConfig::model_type (deprecated) {} ModelServerConfig::model_platform, "
        f"model name is {name}"
    )
    if kind and platform:
        raise InvalidArgumentError(f"Illegal setting both {fields.format('and')}")
    if kind == "TENSORFLOW":
        return PLATFORM
    if kind:
        choice = 2 if kind == "OTHER" else kind
        raise InvalidArgumentError(f"ModelServerConfig::model_type choice {choice} not supported.")
    if not platform:
        raise InvalidArgumentError(f"Illegal setting neither {fields.format('nor')}")
    return str(platform)


def _is_under(root: Path, path: Path) -> bool:
    # Unlike Path.resolve, realpath takes links that lead in a circle.
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
