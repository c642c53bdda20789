"""Projects for `slipway gateway`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from slipway import models

EXAMPLES = ("slipway.examples.sentiment", "slipway.examples.saliency")


def write_models_config(folder: Path, names: Sequence[str] = ("sentiment", "saliency")) -> Path:
    """Write the configuration of a server for models that come with Slipway."""
    entries = (
        f'config {{ name: "{name}" base_path: "{models.path_of(name)}" '
        'model_platform: "tensorflow" }'
        for name in names
    )
    path = folder / "models.config"
    path.write_text(f"model_config_list {{ {' '.join(entries)} }}")
    return path


def write_project(
    folder: Path,
    upstreams: Sequence[str],
    handlers: Sequence[str] = EXAMPLES,
    settings: Mapping[str, object] | None = None,
) -> Path:
    """Write a slipway.toml into a folder, and return the folder."""
    values = {"upstreams": list(upstreams), **(settings or {})}
    lines = ["[gateway]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    for name in handlers:
        lines += ["[[gateway.routes]]", f'handler = "{name}"']
    (folder / "slipway.toml").write_text("\n".join(lines) + "\n")
    return folder
