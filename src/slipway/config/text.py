"""A configuration in protobuf's text format, in the one form that all are compared in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slipway.config.schema import ModelConfig
from slipway.lifecycle.version_policy import All, Latest, Specific, VersionPolicy


def write_models(models: Sequence[ModelConfig]) -> str:
    """Return the ModelServerConfig of some models, sorted by name, with all that was set.

    `config.models.read_models` makes the same models of it.
    """
    entries = [_entry(model) for model in sorted(models, key=lambda model: model.name)]
    return "\n".join(_lines("model_config_list", {"config": entries})) + "\n"


def _entry(model: ModelConfig) -> dict[str, Any]:
    entry = {
        "name": model.name,
        "base_path": str(model.base_path),
        "model_platform": model.platform,
        "model_version_policy": _policy(model.policy),
        "version_labels": [
            {"key": label, "value": version} for label, version in sorted(model.labels.items())
        ],
        "logging_config": model.logging,
    }
    return {field: value for field, value in entry.items() if value is not None}


def _policy(policy: VersionPolicy) -> dict[str, Any] | None:
    match policy:
        case Latest(count):
            return None if policy == Latest() else {"latest": {"num_versions": count}}
        case All():
            return {"all": {}}
        case Specific(numbers):
            return {"specific": {"versions": sorted(numbers)}}


def _lines(field: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _lines(field, item)
    elif isinstance(value, Mapping):
        inner = [line for name, item in value.items() for line in _lines(name, item)]
        short = f"{field} {{ {' '.join(inner)} }}" if inner else f"{field} {{}}"
        if len(inner) <= 2 and not any(isinstance(item, Mapping) for item in value.values()):
            yield short
        else:
            yield f"{field} {{"
            yield from (f"  {line}" for line in inner)
            yield "}"
    elif isinstance(value, str):
        yield f'{field}: "{"".join(map(_escaped, value))}"'
    else:
        yield f"{field}: {str(value).lower() if isinstance(value, bool) else value!r}"


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return (
        character
        if character.isprintable()
        else "".join(f"\\{byte:03o}" for byte in character.encode())
    )
