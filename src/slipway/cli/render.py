"""`slipway render`: the files of a stack, for people who deploy it another way."""

import getpass
from pathlib import Path

import click

from slipway.cli.project import project_file
from slipway.errors import ConfigError


@click.command()
@project_file
@click.argument("name", required=False)
def render(path: Path, name: str | None) -> None:
    """Print the files that `slipway up` would write, and a unit of systemd. Writes nothing.

    NAME is one of them: nginx.conf, supervisord.conf, gateway-1.conf.py, models.config, ...; it is
    printed alone, to be written elsewhere.
    """
    from slipway.stack.files import nginx_path
    from slipway.stack.files import render as render_files
    from slipway.stack.plan import make_plan
    from slipway.stack.systemd import UNITS, systemd_units

    plan = make_plan(path, nginx=nginx_path())
    units = systemd_units(plan, user=getpass.getuser())
    files = {**render_files(plan), **{UNITS / unit: text for unit, text in units.items()}}
    if name is None:
        click.echo("\n".join(f"==> {file} <==\n{text}" for file, text in files.items()), nl=False)
        return
    found = [text for file, text in files.items() if name in (file.name, str(file))]
    if not found:
        known = ", ".join(file.name for file in files)
        raise ConfigError(f"there is no file {name}; there are {known}")
    click.echo(found[0], nl=False)
