"""Whether the folders of a stack that runs can still be written to."""

import os
from collections.abc import Iterator
from typing import Final

from slipway.stack.plan import Plan

_LEAST_FREE_BYTES: Final = 2**20


def folder_problems(plan: Plan) -> Iterator[str]:
    """Yield what keeps the processes of a plan from writing what they have to say."""
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
