"""What the processes of a stack were started with, or told of last.

Each reads files when it starts, and when it is told to. What these said is written down for each
process, as a digest in `run/applied.json`, so that `slipway up` tells those alone whose files say
something else now.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from slipway.errors import SlipwayError
from slipway.stack.plan import Gateway, Nginx, Plan, Process, Server


def digests(plan: Plan) -> dict[str, str]:
    """Return what the files of each process say, by its name."""
    return {process.name: _digest(plan, process) for process in plan.processes}


def read_applied(plan: Plan) -> Mapping[str, str]:
    """Return what was written down; nothing where that cannot be read."""
    try:
        found = json.loads(_file(plan).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_applied(plan: Plan, applied: Mapping[str, str]) -> None:
    """Write it down. Raises SlipwayError where that is not possible."""
    draft = _file(plan).with_name(f"applied.json.{os.getpid()}")
    try:
        draft.write_text(json.dumps(applied, indent=2) + "\n")
        draft.replace(_file(plan))
    except OSError as error:
        raise SlipwayError(f"{_file(plan)} cannot be written: {error.strerror}") from error


def _file(plan: Plan) -> Path:
    return plan.run / "applied.json"


def _digest(plan: Plan, process: Process) -> str:
    parts: list[bytes] = []
    match process:
        case Server():
            parts = [_content(plan.models_config)]
        case Gateway():
            # The routes it reads from the project itself.
            project = plan.project
            parts = [
                _content(process.config),
                project.gateway.model_dump_json().encode(),
                repr(project.server.addresses).encode(),
            ]
        case Nginx():
            proxy = plan.project.proxy
            files = [file for file in (proxy.tls_certificate, proxy.tls_key) if file]
            parts = [_content(process.config), *(_content(plan.file.parent / one) for one in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
