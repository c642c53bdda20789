"""The reference of slipway.toml is printed from what the file may say."""

import subprocess
import sys

from tests.conftest import ROOT


def test_the_reference_is_up_to_date() -> None:
    printed = subprocess.run(
        [sys.executable, "scripts/reference.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    page = ROOT / "docs" / "reference" / "slipway-toml.md"
    assert page.read_text() == printed, f"python scripts/reference.py > {page.relative_to(ROOT)}"
