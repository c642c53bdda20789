"""From `[[models]]` of a `slipway.toml` to the configuration of a model server."""

from collections.abc import Sequence
from pathlib import Path

from slipway.config.models import check_models
from slipway.config.project import ModelSection
from slipway.config.schema import ModelConfig
from slipway.errors import ConfigError, ServingError
from slipway.lifecycle.version_policy import All, Latest, Specific, VersionPolicy


def models_of_sections(sections: Sequence[ModelSection], file: Path) -> list[ModelConfig]:
    """Return the models; base paths begin at the folder of the file. Raises ConfigError."""
    models = [
        ModelConfig(
            name=section.name,
            base_path=file.parent / section.base_path,
            policy=_policy(section.versions),
            labels=section.labels,
        )
        for section in sections
    ]
    try:
        check_models(models)
    except ServingError as error:
        raise ConfigError(f"{file}: {error}") from error
    return models


def _policy(versions: str | int | list[int]) -> VersionPolicy:
    match versions:
        case int(count):
            return Latest(count)
        case list(numbers):
            return Specific(frozenset(numbers))
        case _:
            return All()
