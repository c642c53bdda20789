"""Who follows the guide of TLS gets what it shows."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.documents import Shell, blocks_of

GUIDE = (ROOT / "docs" / "guides" / "tls.md").read_text()


def test_every_command_prints_what_is_shown(tmp_path: Path) -> None:
    for program in ("curl", "openssl", "awk"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    with Shell(tmp_path) as shell:
        for block in blocks_of(GUIDE):
            if block.language == "console":
                shell.follow(block.text)
