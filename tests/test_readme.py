"""What the README shows is what happens."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.documents import Shell
from tests.support.nginx import nginx_program
from tests.support.process import SLIPWAY, ServeProcess

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# What differs from run to run and from machine to machine.
VOLATILE: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"/\S+/slipway-\w{8}/"), "/tmp/slipway-FOLDER/"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"port = \d+"), "port = PORT"),
    # Where root runs it, the file says as whom.
    (re.compile(r'\n\[stack\]\nuser = "\w+"\n'), ""),
    (re.compile(r"(?<=@)\S*(?=examples/)"), ""),
    # The table of processes is as wide as their numbers are long.
    (re.compile(r"(ready +)\d+ +\d+ s +0 *"), r"\1PID SECONDS 0"),
    (re.compile(r" *pid +uptime"), " pid uptime"),
    (re.compile(r"─+"), "─"),
    (re.compile(r" +$", re.MULTILINE), ""),
    # Of a network's numbers, the last digits are the processor's.
    (re.compile(r"0\.\d{5,}|\d\.\d+e-\d+"), lambda number: f"{float(number[0]):.3f}"),
]


def normal(text: str) -> str:
    for pattern, replacement in VOLATILE:
        text = pattern.sub(replacement, text)
    return text.strip()


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    nginx_program()
    shown = README.split("```text\n")[1].split("```")[0]
    demo = subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    assert normal(demo.stdout).splitlines() == normal(shown).splitlines()
    assert (tmp_path / "mask.png").stat().st_size > 1000


@pytest.fixture(scope="module")
def half_plus_two() -> Iterator[ServeProcess]:
    base_path = ROOT / "examples" / "half_plus_two"
    with ServeProcess("--model_name=half_plus_two", f"--model_base_path={base_path}") as server:
        server.wait_until_open()
        yield server


def test_python_answers_what_the_readme_shows(half_plus_two: ServeProcess) -> None:
    shown = README.split("```pycon\n")[1].split("```")[0]
    session = shown.replace("127.0.0.1:8500", half_plus_two.grpc)
    test = doctest.DocTestParser().get_doctest(session, {}, "README.md", "README.md", 0)
    report: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert result.attempted > 5
    assert result.failed == 0, "".join(report)


def test_the_shell_answers_what_the_readme_shows(half_plus_two: ServeProcess) -> None:
    shown = README.split("From Python and the shell")[1].split("```console\n")[1].split("```")[0]
    for command, wanted in re.findall(r"\$ (.*)\n(.*)\n", shown):
        address = half_plus_two.rest if "--rest" in command else half_plus_two.grpc
        run = subprocess.run(
            ["sh", "-c", f"{command} --server={address}"],
            env={**os.environ, "PATH": f"{SLIPWAY.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (run.returncode, run.stdout.strip()) == (0, wanted), run.stderr


def test_the_gateway_answers_what_the_readme_shows(tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    shown = README.split("\n## The gateway\n")[1].split("```console\n")[1].split("```")[0]
    with Shell(tmp_path) as shell:
        shell.follow(shown)


def test_the_commands_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|\$ )make (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *ROOT.glob("examples/**/*.md")]
    for page in pages:
        for path, _, heading in re.findall(r"\]\(([^)#]*)(#([^)]+))?\)", page.read_text()):
            if path.startswith("http"):
                continue
            target = page.parent / path if path else page
            assert target.exists(), f"{page}: {path}"
            assert not heading or heading in anchors(target), f"{page}: {path}#{heading}"


def anchors(page: Path) -> set[str]:
    """Return what the headings of a page are called in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
