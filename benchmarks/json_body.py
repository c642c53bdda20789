"""An image as JSON: through the REST port, beside the json module and NumPy in Python.

    python benchmarks/json_body.py [--rounds=9]

`make bench` runs it. An image is 320x320x3 floats, written as `json.dumps` writes them. The model
takes such images and answers a single number, or takes a number and answers an image; it computes
next to nothing. The time of a request is all of it, from the first byte sent to the last received.
What is not JSON's is in a second request: one pixel, and a string beside it that makes the body as
long; or one pixel in the answer. Only ratios within a round mean anything. Linux only.
"""

import argparse
import http.client
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from report import table
from saved_models import ExportError, export
from servers import Server, ServerError, free_ports, started

MODEL = "images"
SIDE = 320
TIMES = 10
"""How often each thing is done in a round; the median counts."""
BAR = 15
MEMORY_BAR = 3


class WrongAnswerError(Exception):
    """The server answered something else than the model computes."""


@dataclass(frozen=True)
class Sample:
    """Seconds for one way of an image."""

    python: float
    request: float
    other: float
    """A request with everything but the image."""

    @property
    def ratio(self) -> float:
        """Python to the whole request."""
        return self.python / self.request

    @property
    def json_ratio(self) -> float:
        """Python to the part of the request that is JSON's."""
        return self.python / (self.request - self.other)


def main() -> None:
    """Export, serve, check the answers, measure in rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="at least 3 for a usable median")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = free_ports(2)
        command: list[str | Path] = [
            Path(sys.executable).with_name("slipway"), "serve", f"--port={ports[0]}",
            f"--rest_api_port={ports[1]}", f"--model_name={MODEL}",
            f"--model_base_path={folder / 'base'}",
        ]  # fmt: skip
        try:
            export("image_model.py", folder / "base" / "1")
            server = stack.enter_context(started(command, ports, folder / "slipway.log"))
            print(measure(server, ports[1], arguments.rounds))
        except (ExportError, ServerError, WrongAnswerError) as error:
            sys.exit(f"benchmark: {error}")


def measure(server: Server, port: int, rounds: int) -> str:
    """Ask, and do the same in Python, in turn; return the tables."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(body: bytes) -> bytes:
        connection.request("POST", f"/v1/models/{MODEL}:predict", body)
        response = connection.getresponse()
        answer = response.read()
        if response.status != http.client.OK:
            raise WrongAnswerError(f"{response.status}: {answer[:200]!r}")
        return answer

    image = (np.arange(SIDE * SIDE * 3) * 31 % 251).astype(np.float32) - np.float32(120.24)
    image = image.reshape(1, SIDE, SIDE, 3)
    pixel = image[:, :1, :1].tolist()
    take, give, give_pixel = (
        body_of("take", image.tolist()), body_of("give", [float(SIDE)]), body_of("give", [1.0])
    )  # fmt: skip
    take_pixel = body_of("take", pixel, length=len(take))
    # So that what the large one adds to the memory is its own.
    for _ in range(TIMES):
        ask(body_of("take", pixel))
        ask(give_pixel)
    reset_peak(server)
    resident = memory_mib(server, "VmRSS")
    last = json.loads(ask(take))["predictions"]
    grown = memory_mib(server, "VmHWM") - resident
    if np.float32(last[0]) != image[0, -1, -1, -1]:
        raise WrongAnswerError(f"{last} for an image that ends with {image[0, -1, -1, -1]}")
    given_image = np.asarray(json.loads(ask(give))["predictions"], np.float32)
    if not np.array_equal(given_image, image):
        raise WrongAnswerError("another image than the model has")

    def loads() -> Any:
        return np.asarray(json.loads(take)["instances"], np.float32)

    def dumps() -> Any:
        return json.dumps({"predictions": image.tolist()}).encode()

    taken, given = [], []
    for number in range(rounds):
        print(f"measuring, round {number + 1}", file=sys.stderr)
        taken.append(
            Sample(seconds(loads), seconds(lambda: ask(take)), seconds(lambda: ask(take_pixel)))
        )
        given.append(
            Sample(seconds(dumps), seconds(lambda: ask(give)), seconds(lambda: ask(give_pixel)))
        )
    return "\n\n".join([times_table(taken, given), memory_table(grown, len(take), image.nbytes)])


def body_of(signature: str, instances: Any, length: int = 0) -> bytes:
    """Return a request in rows, at least so long."""
    request = {"signature_name": signature, "instances": instances, "nothing": ""}
    bare = len(json.dumps(request))
    request["nothing"] = "x" * max(0, length - bare)
    return json.dumps(request).encode()


def seconds(do: Callable[[], Any]) -> float:
    """Return the median time of some times."""
    times = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        do()
        times.append(time.perf_counter() - begin)
    return median(times)


def reset_peak(server: Server) -> None:
    """Have VmHWM begin anew at what is resident."""
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


def memory_mib(server: Server, field: str) -> float:
    """Return a line of /proc's status page."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    assert found
    return int(found[1]) / 1024


def times_table(taken: list[Sample], given: list[Sample]) -> str:
    """Return medians over the rounds, ratios taken within each."""
    rows = []
    for name, samples in (
        ("in: json.loads, numpy.asarray", taken),
        ("out: tolist, json.dumps", given),
    ):
        python, request, other = (
            median(1000 * time for time in times)
            for times in zip(*((s.python, s.request, s.other) for s in samples))
        )
        ratio = median(sample.ratio for sample in samples)
        json_ratio = median(sample.json_ratio for sample in samples)
        rows.append(
            [
                name, f"{python:.1f}", f"{request:.2f}", f"{other:.2f}", f"{ratio:.1f}",
                f"{json_ratio:.1f}", "met" if json_ratio >= BAR else "not met",
            ]
        )  # fmt: skip
    return table(
        [
            "320x320x3 floats", "Python, ms", "request, ms", "but the image, ms",
            "Python / request", "Python / difference", f">= {BAR}",
        ],
        rows,
    )  # fmt: skip


def memory_table(grown_mib: float, body_bytes: int, tensor_bytes: int) -> str:
    """Return what the first image in took at its peak."""
    body, tensor = body_bytes / 2**20, tensor_bytes / 2**20
    limit = body + MEMORY_BAR * tensor
    verdict = "met" if grown_mib <= limit else "not met"
    return table(
        ["MiB", "body", "tensor", "peak", f"<= body + {MEMORY_BAR} tensors"],
        [["first image in", f"{body:.1f}", f"{tensor:.1f}", f"{grown_mib:.1f}", verdict]],
    )


if __name__ == "__main__":
    main()
