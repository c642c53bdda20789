"""Whether a stack that runs still finds what it needs on disk: room, its logs, its models."""

import os
from collections.abc import Iterator
from typing import Final

from slipway.stack.check_models import models_of
from slipway.stack.plan import Plan

_LEAST_FREE_BYTES: Final = 2**20
_MISSED: Final = "model servers go on with what they have loaded, and would not start again"


def disk_problems(plan: Plan) -> Iterator[str]:
    """Yield what is wrong there, and is not to be seen by the processes as long as they run."""
    yield from _full_or_closed(plan)
    if plan.servers and not plan.models_config.exists():
        yield f"{plan.models_config} is not there: {_MISSED}"
        return
    for model in models_of(plan) or () if plan.servers else ():
        if not model.base_path.exists():
            yield f"{model.base_path}, the base path of {model.name}, is not there: {_MISSED}"


def _full_or_closed(plan: Plan) -> Iterator[str]:
    for folder in dict.fromkeys((plan.run, plan.logs)):
        try:
            disk = os.statvfs(folder)
        except OSError:
            # Nothing was started, or the folder has been taken away.
            continue
        free = disk.f_bavail * disk.f_frsize
        if free < _LEAST_FREE_BYTES:
            yield (
                f"the disk of {folder} is full, with {free >> 10} KiB left: logs are lost, and "
                "changes fail; make room"
            )
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield f"{folder} cannot be written to"
    for process in plan.processes:
        log = plan.logs / f"{process.name}.log"
        if log.exists() and not os.access(log, os.W_OK):
            yield f"{log} cannot be written to"
