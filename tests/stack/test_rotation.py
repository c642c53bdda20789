"""Rotating the access log of nginx."""

import os
import subprocess
import sys
from pathlib import Path

from slipway.stack.rotation import KEPT, rotate
from tests.support.nginx import Upstream, plan_of, running_nginx
from tests.support.ports import free_port
from tests.support.rest import ask
from tests.support.waiting import wait_until

ROUTE = '[[gateway.routes]]\nhandler = "handlers:A"\n'


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    assert not rotate(log, tmp_path / "pid", 10)
    log.write_text("x" * 10)
    assert not rotate(log, tmp_path / "pid", 10)


def test_the_last_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    for number in range(KEPT + 3):
        log.write_text(f"{number:20}")
        assert rotate(log, tmp_path / "pid", 10)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"access.log.{number}" for number in range(1, KEPT + 1)]
    assert int((tmp_path / "access.log.1").read_text()) == KEPT + 2


def test_nginx_goes_on_in_a_new_log(tmp_path: Path) -> None:
    text = f"{ROUTE}[proxy]\nport = {free_port()}\n"
    with Upstream() as upstream:
        plan = plan_of(tmp_path, text, gateways=[upstream.address])
        with running_nginx(plan) as nginx:
            ask(nginx, "GET", "/a")
            log, old = plan.access_log, plan.access_log.with_name("access.log.1")
            wait_until(lambda: log.stat().st_size > 0, "a line")
            assert rotate(log, plan.nginx_pid, 10)
            wait_until(log.exists, "a new log")

            def goes_on() -> bool:
                ask(nginx, "GET", "/a")
                return log.stat().st_size > 0

            wait_until(goes_on, "a line in the new log")
            assert old.stat().st_size > 0


def test_it_speaks_with_supervisord(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with log.open("wb") as file:
        os.truncate(file.fileno(), 2**30)
    event = "ver:3.0 server:supervisor serial:1 pool:x poolserial:1 eventname:TICK_60 len:15\n"
    run = subprocess.run(
        [sys.executable, "-m", "slipway.stack.rotation", str(log), str(tmp_path / "pid")],
        input=f"{event}when:1200000000", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == "READY\nRESULT 2\nOKREADY\n"
    assert not run.stderr
    assert (tmp_path / "access.log.1").exists()
