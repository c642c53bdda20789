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
    models = []
    for index, section in enumerate(sections):
        model = model_of_section(section, file)
        if model is None:
            raise ConfigError(
                f"{file}: models[{index}].versions: {section.versions} asks for no version"
            )
        models.append(model)
    try:
        check_models(models)
    except ServingError as error:
        raise ConfigError(f"{file}: {error}") from error
    return models


def model_of_section(section: ModelSection, file: Path) -> ModelConfig | None:
    """Return the model of one entry; None when it asks for no version."""
    policy = _policy(section.versions)
    if policy is None:
        return None
    return ModelConfig(section.name, file.parent / section.base_path, policy, section.labels)


def _policy(versions: str | int | list[int]) -> VersionPolicy | None:
    match versions:
        case int(count):
            return Latest(count) if count >= 1 else None
        case list(numbers):
            is_sound = numbers and all(number >= 0 for number in numbers)
            return Specific(frozenset(numbers)) if is_sound else None
        case _:
            return All()
