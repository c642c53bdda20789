"""ab, and what it prints."""

import re
import subprocess
from dataclasses import dataclass

_TIMEOUT_S = 300


@dataclass(frozen=True)
class AbRun:
    """One run of ab."""

    rate: float
    """Requests a second."""
    failed: int
    """Requests that were not answered, or with another status than 2xx, or another length."""
    median_ms: int
    p99_ms: int


def run_ab(url: str, *, requests: int, concurrency: int) -> AbRun:
    """Ask a URL by GET, a connection for each request. Raises RuntimeError where ab gives up."""
    run = subprocess.run(
        ["ab", "-q", "-n", str(requests), "-c", str(concurrency), url],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"ab has given up on {url}: {run.stderr.strip()}")
    return read_ab(run.stdout)


def read_ab(text: str) -> AbRun:
    """Return what ab has printed."""
    return AbRun(
        rate=float(_number(r"Requests per second: +([0-9.]+)", text)),
        failed=int(_number(r"Failed requests: +(\d+)", text))
        # It prints this line only where there are some.
        + int(_number(r"Non-2xx responses: +(\d+)", text, default="0")),
        median_ms=int(_number(r"\n +50% +(\d+)", text)),
        p99_ms=int(_number(r"\n +99% +(\d+)", text)),
    )


def _number(pattern: str, text: str, default: str = "") -> str:
    found = re.search(pattern, text)
    if found is None and not default:
        raise RuntimeError(f"ab has printed nothing like {pattern}:\n{text}")
    return found[1] if found else default
