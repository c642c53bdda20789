"""`slipway.toml`: what a project says of its deployment."""

import difflib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slipway.errors import ConfigError

PROJECT_FILE = "slipway.toml"
_MAX_FILE_BYTES = 2**20

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), strict=True, str_min_length=1
    )


class RouteSection(_Section):
    """One entry of `[[gateway.routes]]`: a handler, and what it shall do other than it says."""

    handler: str = Field(
        description="`module:name` of a handler, or `module` for all handlers in it. A module is "
        "found beside the file, and then where Python finds it.",
    )
    route: str | None = Field(None, description="Path of the URL.")
    methods: list[str] | None = Field(None, min_length=1, description="HTTP methods it answers.")
    model: str | None = Field(None, description="Model to ask.")
    version: int | None = Field(None, ge=0, description="Version to ask.")
    label: str | None = Field(None, description="Label of the version to ask.")
    signature: str | None = Field(None, description="Signature to run.")
    needs: list[str] | None = Field(None, description="Other models it asks.")
    timeout_s: Seconds | None = Field(None, description="Seconds that a request may take.")
    idempotent: bool | None = Field(
        None, description="Whether a call that got lost may be sent to another model server."
    )


class GatewaySection(_Section):
    """The section `[gateway]`."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        5000, ge=0, le=65535, description="Port to listen on; 0 for any that is free."
    )
    upstreams: list[str] = Field(
        ["127.0.0.1:8500"],
        min_length=1,
        description="Model servers, as slipway.Client takes them: host:port for gRPC, http://... "
        "for REST, unix:/path.",
    )
    workers: int = Field(2, ge=1, le=1024, description="Processes that answer.")
    threads: int = Field(8, ge=1, le=1024, description="Threads of each.")
    timeout_s: Seconds = Field(
        10.0, description="Seconds that a request may take, models included."
    )
    max_body_bytes: int = Field(16 * 2**20, ge=1, description="Largest body of a request.")
    max_image_pixels: int = Field(
        40_000_000, ge=1, description="Largest picture, width times height."
    )
    open_pages: bool = Field(
        False,
        description="Answer /metrics, /openapi.json and /try to callers of other machines too.",
    )
    run_folder: str = Field("run", description="Folder for files that are made while it runs.")
    routes: list[RouteSection] = Field([], description="The handlers.")


class Project(_Section):
    """The whole file."""

    gateway: GatewaySection = Field(default_factory=GatewaySection)


def read_project(path: Path) -> Project:
    """Return what a `slipway.toml` says. Raises ConfigError, with the file and the key."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} is not there: go to the folder of a project, or make one with slipway init"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_FILE_BYTES} bytes")
    try:
        values = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return Project.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_reason(error)}") from error


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    steps = first["loc"]
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)[1:]
    if first["type"] == "extra_forbidden":
        known = list(_keys(Project, steps[:-1]))
        near = difflib.get_close_matches(str(steps[-1]), known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        return f"unknown key {key}; {hint}"
    found = f"; found {first['input']!r}" if first["type"] != "missing" else ""
    return f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}{found}"


def _keys(section: Any, steps: Sequence[int | str]) -> Iterator[str]:
    """Yield the keys of the section that is `steps` below another."""
    for step in steps:
        if isinstance(step, str):
            section = section.model_fields[step].annotation
        while get_origin(section) in (list, UnionType):
            section = get_args(section)[0]
    yield from section.model_fields
