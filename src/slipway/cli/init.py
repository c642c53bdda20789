"""`slipway init`: a project that runs."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import click

from slipway import models
from slipway.config.schema import ModelConfig
from slipway.config.text import write_models
from slipway.errors import ConfigError

_MODEL = "sentiment"
_GITIGNORE = "/run/\n__pycache__/\n"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
def init(folder: Path) -> None:
    """Write a project into FOLDER, by default this one: a model, a handler and its test.

    Touches nothing that is there already.
    """
    folder = folder.absolute()
    template = files("slipway.cli") / "template"
    names = sorted(entry.name for entry in template.iterdir() if entry.is_file())
    taken = [name for name in (*names, "models.config", "models") if (folder / name).exists()]
    if taken:
        raise ConfigError(f"{folder} has {', '.join(taken)} already: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    base_path = folder / "models" / _MODEL
    shutil.copytree(models.path_of(_MODEL), base_path)
    for name in names:
        with as_file(template / name) as path:
            shutil.copyfile(path, folder / name)
    (folder / "models.config").write_text(
        "# Base paths are absolute, as TensorFlow Serving wants them.\n"
        + write_models([ModelConfig(_MODEL, base_path)])
    )
    if not (folder / ".gitignore").exists():
        (folder / ".gitignore").write_text(_GITIGNORE)
    place = "" if folder == Path.cwd() else f"  cd {folder}\n"
    click.echo(
        f"Wrote {', '.join(names)}, models.config and models/{_MODEL}. Next:\n\n"
        f"{place}"
        "  slipway serve --model_config_file=models.config &\n"
        "  slipway gateway &\n"
        '  curl -d \'{"line": "我 很 喜欢 这个 产品"}\' http://127.0.0.1:5000/sentence'
    )
