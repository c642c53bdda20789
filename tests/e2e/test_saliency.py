"""A real network of 113 MB, from the graph of its training to the map of a picture."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import slipway
from tests.conftest import ROOT, SHARED
from tests.support.process import ServeProcess
from tests.support.rest import ask

DATA = SHARED / "data" / "saliency"


@dataclass(frozen=True)
class Saliency:
    """The network's base path, a picture for it, and the map that TensorFlow makes of it."""

    base_path: Path
    image: NDArray[np.float32]
    mask: NDArray[np.float32]


@pytest.fixture(scope="module")
def saliency(tmp_path_factory: pytest.TempPathFactory) -> Saliency:
    meta_graph, picture = DATA / "my-model.meta", DATA / "animal1.jpg"
    if not meta_graph.is_file():
        pytest.skip("the saliency network is not beside this checkout (../shared/data/saliency)")
    folder = tmp_path_factory.mktemp("saliency")
    arguments = [str(path) for path in (meta_graph, picture, folder)]
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.export_saliency", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    image, mask = np.load(folder / "image.npy"), np.load(folder / "mask.npy")
    return Saliency(folder / "saliency", image, mask)


@pytest.fixture(scope="module")
def server(saliency: Saliency) -> Iterator[ServeProcess]:
    flags = ("--model_name=saliency", f"--model_base_path={saliency.base_path}")
    with ServeProcess(*flags) as server:
        server.wait_until_open()
        yield server


def assert_same_map(found: Any, saliency: Saliency) -> None:
    """As near as sums in another order come, which is nearer than two pictures are."""
    assert np.ptp(saliency.mask) > 0.1
    np.testing.assert_allclose(found, saliency.mask, rtol=1e-5)


def test_a_picture_has_the_map_of_tensorflow_over_grpc(
    server: ServeProcess, saliency: Saliency
) -> None:
    with slipway.Client(server.grpc, timeout_s=60) as client:
        outputs = client.predict("saliency", {"image": saliency.image})
    assert_same_map(outputs["mask"], saliency)


def test_a_picture_has_the_map_of_tensorflow_over_rest(
    server: ServeProcess, saliency: Saliency
) -> None:
    body = {"instances": saliency.image.tolist()}
    reply = ask(server.rest, "POST", "/v1/models/saliency:predict", body)
    assert reply.status == 200, reply.error
    assert_same_map(np.asarray(reply.json["predictions"], np.float32), saliency)
