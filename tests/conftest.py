"""What tests of several kinds share: models, and all of it as processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.models import SavedModels
from tests.support.questions import read
from tests.support.stack import Stack, running_stack

# A shell that runs the tests in the background has them ignore SIGINT, and what they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# TensorFlow's C++ code reads it when it is loaded.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> SavedModels:
    """The models of `support/export_models.py`, exported by a process of their own."""
    folder = tmp_path_factory.mktemp("models")
    command = [sys.executable, "-m", "tests.support.export_models", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return SavedModels(folder, read(folder / "expected.json"))


@pytest.fixture(scope="session")
def lstm() -> Path:
    """The base path of the sentiment model that comes beside the checkout."""
    path = SHARED / "models" / "lstm"
    if not path.is_dir():
        pytest.skip("the sentiment model is not beside this checkout (../shared/models/lstm)")
    return path


@pytest.fixture(scope="session")
def stubs() -> ModuleType:
    """The module with TensorFlow Serving's own client; see there."""
    from tests.support import stubs

    return stubs


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The routes of the usual example under `slipway gateway`, in front of `slipway serve`."""
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack
