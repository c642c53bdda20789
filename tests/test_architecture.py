"""What the drawing of the package promises: which part may know which, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import slipway

PACKAGE = Path(slipway.__file__).parent

# Each part, and the parts it may import besides itself.
KNOWS = {
    "errors": set[str](),
    "servables": {"errors"},
    "lifecycle": {"errors", "servables"},
    "sources": {"lifecycle"},
    "runtime": {"errors"},
    "dataplane": {"errors", "servables", "lifecycle", "runtime", "_native"},
    "config": {"errors", "lifecycle", "dataplane"},
    "server": {"errors", "servables", "lifecycle", "sources", "dataplane", "config"},
    "telemetry": set[str](),
    "testing": {"errors", "servables", "gateway"},
    "signatures": set[str](),
    "arrays": {"errors", "signatures"},
    "client": {"errors", "servables", "signatures", "arrays", "_native"},
    "saved_model": {"errors", "runtime", "signatures", "arrays", "_native"},
    "models": set[str](),
    "gateway": {"errors", "servables", "signatures", "arrays", "client", "config"},
    "examples": {"errors", "arrays", "gateway"},
    # What is checked before a start: the runtime, and the versions that are on disk.
    "stack": {
        "errors", "servables", "config", "client", "gateway", "models", "runtime", "dataplane",
        "lifecycle", "sources",
    },
    "cli": {
        "errors", "servables", "lifecycle", "config", "dataplane", "server", "telemetry",
        "arrays", "signatures", "client", "models", "gateway", "stack",
    },
}  # fmt: skip


def imports(module: Path) -> set[str]:
    """Return the parts of slipway that a module imports."""
    tree = ast.parse(module.read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = (
                [f"slipway.{alias.name}" for alias in node.names]
                if node.module == "slipway"
                else [node.module or ""]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("slipway.")}
    return found


@pytest.mark.parametrize("part", KNOWS)
def test_knowledge_points_one_way(part: str) -> None:
    # What slipway init writes belongs to the projects that get it.
    files = [
        file
        for file in (PACKAGE / f"{part}.py", *(PACKAGE / part).glob("**/*.py"))
        if "template" not in file.parts
    ]
    for module in filter(Path.exists, files):
        assert imports(module) - {part} <= KNOWS[part], module


def test_every_part_is_in_the_drawing() -> None:
    parts = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
    }
    assert parts - {"__init__", "__main__"} == set(KNOWS)


def test_native_is_imported_in_one_place_a_part() -> None:
    users = {path for path in PACKAGE.glob("**/*.py") if "_native" in imports(path)}
    assert users == {
        PACKAGE / "client" / "native.py",
        PACKAGE / "dataplane" / "native.py",
        PACKAGE / "saved_model.py",
    }


def test_public_names_are_listed_and_sorted() -> None:
    assert sorted(slipway.__all__) == slipway.__all__
    assert all(hasattr(slipway, name) for name in slipway.__all__)


@pytest.mark.parametrize("module", ["slipway", "slipway.cli.main"])
def test_importing_brings_in_no_framework(module: str) -> None:
    unwanted = {"tensorflow", "google.protobuf", "grpc", "flask", "numpy"}
    assert brought_in_by(f"import {module}", unwanted) == []


def test_the_public_names_bring_in_no_native_code_before_they_are_used() -> None:
    assert brought_in_by("import slipway; dir(slipway)", {"slipway._native", "asyncio"}) == []


@pytest.mark.parametrize("client", ["Client", "AsyncClient"])
def test_a_client_brings_in_no_framework(client: str) -> None:
    unwanted = {"tensorflow", "google.protobuf", "grpc", "flask", "pydantic", "click"}
    use = f"import slipway; slipway.{client}('127.0.0.1:1').close()"
    assert brought_in_by(use, unwanted) == []


def test_a_loaded_model_brings_in_no_framework() -> None:
    unwanted = {"tensorflow", "google.protobuf", "grpc", "flask", "pydantic", "click"}
    use = (
        "import slipway, slipway.models as models; "
        "path = models.path_of('sentiment') / '1'; "
        "slipway.load(path).predict({'words': [['好']], 'nwords': [1]})"
    )
    assert brought_in_by(use, unwanted) == []


def brought_in_by(script: str, unwanted: set[str]) -> list[str]:
    """Return which of the unwanted modules a process has imported after a script."""
    script += f"; import sys; print(*sorted({unwanted!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return run.stdout.split()
