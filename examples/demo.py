"""Run the whole stack with two models, ask it, print each question with its answer, and end it.

    make demo

The project is that of `examples/stack`, in a temporary folder and on ports that are free. Both
models come with Slipway: `sentiment` (is a review in Chinese bad, good or neither?) and `saliency`
(where in a picture is what it shows?).
"""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from questions import ask_about_a_picture, ask_about_a_sentence, ask_grpc, ask_rest, show
from stack_project import free_first_port, write_project

from slipway.config.project_file import read_project

SLIPWAY = Path(sys.executable).parent / "slipway"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Run the demo; exit status 1 when an answer is not the right one."""
    for number in SIGNALS:
        signal.signal(number, interrupt)
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        file = write_project(Path(folder), free_first_port())
        show("cat", str(file))
        print(file.read_text())
        with running_stack(file) as url:
            show("slipway", "status", f"--config={file}")
            subprocess.run([SLIPWAY, "status", f"--config={file}"], check=False)
            is_right = ask_all(file, url)
            if not is_right:
                subprocess.run([SLIPWAY, "tail", f"--config={file}"], check=False)
    print("\nThe stack has ended.")
    if not is_right:
        sys.exit("demo: an answer is wrong")


def ask_all(file: Path, url: str) -> bool:
    """Ask what there is to ask of a stack; return whether all answers are right."""
    project = read_project(file)
    rest, grpc = url, f"127.0.0.1:{project.proxy.grpc_port}"
    if not url.endswith(f":{project.proxy.port}"):
        print("\nWithout nginx, the gateway and the model server are asked themselves.")
        rest = f"http://127.0.0.1:{project.server.rest_api_port}"
        grpc = f"127.0.0.1:{project.server.port}"
    questions: list[tuple[str, Callable[[str], bool], str]] = [
        ('A sentence, "I like this product a lot":', ask_about_a_sentence, url),
        ("A picture, an orange on dark ground:", ask_about_a_picture, url),
        ('The model itself, "I like this product a lot" and "too disappointing":', ask_rest, rest),
        ('"Too disappointing" over gRPC, with the client of TensorFlow Serving:', ask_grpc, grpc),
    ]
    answered = [is_answered(*question) for question in questions]
    return all(answered)


def is_answered(title: str, question: Callable[[str], bool], address: str) -> bool:
    """Ask one question; return whether the answer is right."""
    print(f"\n{title}")
    try:
        return question(address)
    except (OSError, ValueError, LookupError, TypeError) as error:
        # Nobody there, or an answer that looks like none of those that are right.
        print(f"{type(error).__name__}: {error}")
        return False


@contextlib.contextmanager
def running_stack(file: Path) -> Iterator[str]:
    """Run the stack of a project while the block lasts; yield where it answers.

    `slipway up` is not cut off in the middle of starting something: it has ended, one way or the
    other, before the last `slipway down`.
    """
    try:
        show("slipway", "up", f"--config={file}")
        with ThreadPoolExecutor(1) as thread:
            try:
                run = thread.submit(start, file).result()
            except SystemExit:
                # Nobody need wait for what is about to be ended.
                end(file)
                raise
        print(run.stdout)
        if run.returncode:
            sys.exit("demo: the stack is not ready")
        yield run.stdout.split()[-1]
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError):  # who reads this may have gone
            print()
            show("slipway", "down", f"--config={file}")
        end(file)


def start(file: Path) -> "subprocess.CompletedProcess[str]":
    """Run `slipway up`, out of reach of what a terminal sends with Ctrl-C."""
    return subprocess.run(
        [SLIPWAY, "up", f"--config={file}", "--timeout_s=120"],
        stdout=subprocess.PIPE, text=True, start_new_session=True, check=False,
    )  # fmt: skip


def end(file: Path) -> None:
    """Run `slipway down`, as often as one likes."""
    subprocess.run(
        [SLIPWAY, "down", f"--config={file}"],
        stderr=subprocess.DEVNULL, start_new_session=True, check=False,
    )  # fmt: skip


def interrupt(number: int, _: object) -> None:
    """End the demo. What interrupts it again would keep it from ending the stack."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    print("demo: interrupted", file=sys.stderr)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
