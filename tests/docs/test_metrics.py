"""The reference of metrics has each of them, as a server shows them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.dataplane.base import PlaneConfig
from slipway.dataplane.native import NativePlane
from tests.conftest import ROOT
from tests.support import half
from tests.support.metrics import ORIGINAL, PATH, Page, scrape
from tests.support.models import SavedModels
from tests.support.rest import ask


@pytest.fixture(scope="module")
def metrics(saved_models: SavedModels) -> Iterator[Page]:
    """The metrics of a server that has answered a request."""
    plane = NativePlane(PlaneConfig(rest_port=0, metrics_path=PATH))
    half.load(plane, saved_models, 123)
    half.publish(plane, saved_models, 123)
    address = plane.start().rest
    assert address
    assert ask(address, "POST", "/v1/models/half:predict", {"instances": [1.0]}).status == 200
    yield scrape(address)
    plane.drain(5)


def rows(page: Path) -> list[list[str]]:
    """Return the cells of all rows of tables."""
    lines = page.read_text().splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]


def test_our_own_are_in_the_reference_with_type_and_labels(metrics: Page) -> None:
    listed = {
        name.strip("`"): (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _meaning in map(_four, rows(ROOT / "docs/reference/metrics.md"))
    }
    shown = {
        name: (
            family.type,
            {label for sample in family.samples for label in sample.labels} - {"le"},
        )
        for name, family in metrics.families.items()
        if not name.startswith(ORIGINAL)
    }
    assert listed == shown


def test_those_of_the_original_are_in_the_page_of_compatibility(metrics: Page) -> None:
    section = (ROOT / "docs/compatibility.md").read_text().split("\n## Metrics\n")[1]
    table = next(part for part in section.split("\n\n") if part.startswith("| metric"))
    listed = {
        name: line.count("to come") + line.count("not there")
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([\w:]+)`", line.split(" | ")[0])
    }
    shown = {name.removeprefix(ORIGINAL) for name in metrics.families if name.startswith(ORIGINAL)}
    assert shown <= listed.keys()
    assert all(listed[name] for name in listed.keys() - shown)


def _four(cells: list[str]) -> list[str]:
    # A metric without labels has an empty cell, which has lost its blanks.
    return cells if len(cells) == 4 else [cells[0], cells[1].removesuffix(" |"), "", cells[-1]]
