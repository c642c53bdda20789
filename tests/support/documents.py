"""Pages of documentation, and doing what they say to the letter."""

import os
import re
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.process import GUNICORN, SLIPWAY, GatewayProcess, GunicornProcess, ServeProcess
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Block:
    """A block of code, and what the comment above it says of it, such as `file app.py`."""

    purpose: str
    language: str
    text: str


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of code in a page, in order."""
    pattern = r"^(?:<!-- ([^\n]+) -->\n)?```(\w+)\n(.*?)^```$"
    return [Block(*found) for found in re.findall(pattern, page, re.MULTILINE | re.DOTALL)]


def commands_of(console: str) -> list[tuple[str, str]]:
    """Return the commands of a console session, each with what it prints.

    A here-document is part of its command.
    """
    commands: list[tuple[str, str]] = []
    end_of_text = ""
    for line in console.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], ""))
            found = re.search(r"<<(\w+)$", line)
            end_of_text = found[1] if found else ""
            continue
        command, output = commands.pop()
        if end_of_text:
            command += f"\n{line}"
            end_of_text = "" if line == end_of_text else end_of_text
        else:
            output += f"{line}\n"
        commands.append((command, output))
    return commands


class Shell:
    """A person at a console, who sees there what the page says, or the test fails.

    It knows the commands of our pages. Servers that are started (`... &`) get ports of their own
    in place of the usual ones, and are ended by `kill`, or with the block that this is used in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._home = folder
        self._environ = {
            **os.environ,
            "PATH": f"{SLIPWAY.parent}:{os.environ['PATH']}",
            "no_proxy": "127.0.0.1",
        }
        self._variables: list[str] = []
        self._servers = ExitStack()
        self._addresses: dict[str, str] = {}
        """The usual ones, with those that take their place."""

    def follow(self, console: str) -> None:
        for command, output in commands_of(console):
            self._do(command, output)

    def _do(self, command: str, output: str) -> None:
        if command.endswith(" &"):
            self._start(command.removesuffix(" &").split())
        elif command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
        elif command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self._environ[name] = value
        elif re.match(r"\w+(=|\(\) )", command):
            # A variable or a function, which this shell and no other has.
            self._variables.append(command)
        elif command.startswith("kill "):
            self._servers.close()
        else:
            self._expect(command, output)

    def _expect(self, command: str, output: str) -> None:
        wanted, found = self._normal(output), ""

        def matches() -> bool:
            nonlocal found
            found = self._normal(self._run(command))
            # A gateway may be taking up what has just been written.
            return found == wanted or not command.startswith("curl ")

        with suppress(AssertionError):
            wait_until(matches, command)
        assert found == wanted, f"{command}\nprinted\n{found}\nwhere the page shows\n{wanted}"

    def _run(self, command: str) -> str:
        for usual, ours in self._addresses.items():
            command = command.replace(usual, ours)
        run = subprocess.run(
            ["sh", "-c", "\n".join([*self._variables, command])],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return run.stdout if run.returncode == 0 else run.stdout + run.stderr

    def _start(self, command: list[str]) -> None:
        match command:
            case ["slipway", "serve", *flags]:
                flags = [flag for flag in flags if "port=" not in flag]
                server = self._servers.enter_context(ServeProcess(*flags, folder=self.folder))
                server.wait_until_open()
                self._addresses["127.0.0.1:8500"] = server.grpc
                self._addresses["127.0.0.1:8501"] = server.rest
            case ["slipway", "gateway", *flags]:
                upstream = f"--upstream={self._addresses['127.0.0.1:8500']}"
                gateway = GatewayProcess(self.folder, upstream, *flags)
                self._servers.enter_context(gateway).wait_until_open()
                self._addresses["127.0.0.1:5000"] = gateway.url.removeprefix("http://")
            case ["gunicorn", bind, *flags]:
                gunicorn = GunicornProcess(
                    "--bind=127.0.0.1:0",
                    *flags,
                    environ=self._environ,
                    folder=self.folder,
                    program=GUNICORN,
                )
                self._servers.enter_context(gunicorn).wait_until_open()
                address = bind.removeprefix("--bind=")
                self._addresses[address] = gunicorn.url.removeprefix("http://")
            case _:
                raise AssertionError(f"a page starts what nobody here can: {command}")

    def _normal(self, text: str) -> str:
        """Leave out what differs from run to run and from machine to machine."""
        text = text.replace(str(self._home), "/home/you")
        text = re.sub(r" in \d+\.\d\ds", " in SECONDS", text)
        # Of a network's numbers, the last digits are the processor's.
        text = re.sub(r"0\.\d{5,}", lambda number: f"{float(number[0]):.3f}", text)
        return text.strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._servers.__exit__(kind, error, traceback)
