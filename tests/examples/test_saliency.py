"""The saliency model that comes with Slipway, and the example that makes it."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import slipway
from slipway import models
from tests.conftest import ROOT, SHARED

EXAMPLE = ROOT / "examples" / "saliency"
VERSION = models.path_of("saliency") / "1"
PHOTOGRAPHS = SHARED / "data" / "saliency"

sys.path.insert(0, str(EXAMPLE))
import contact_sheet  # noqa: E402
import pictures  # noqa: E402
from coats import COATS  # noqa: E402
from figures import SHAPES  # noqa: E402

Mask = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> Iterator[slipway.SavedModel]:
    with slipway.load(VERSION) as model:
        yield model


def find(model: slipway.SavedModel, images: NDArray[np.uint8]) -> Mask:
    """Return the masks, float32 [image, 320, 320], of images uint8 [image, 320, 320, 3]."""
    given = pictures.network_input(images)
    return np.asarray(model.signatures["serving_default"](img_in=given)["img_out"])[..., 0]


def photograph(name: str) -> Path:
    path = PHOTOGRAPHS / f"{name}.jpg"
    if not path.is_file():
        pytest.skip("the photographs are not beside this checkout (../shared/data/saliency)")
    return path


def test_the_signature_is_that_of_the_usual_network(model: slipway.SavedModel) -> None:
    (signature,) = model.signatures.values()
    assert signature.name == "serving_default"
    inputs, outputs = signature.signature.inputs, signature.signature.outputs
    assert {a: (s.dtype, s.shape) for a, s in inputs.items()} == {
        "img_in": ("float32", (-1, 320, 320, 3))
    }
    assert {a: (s.dtype, s.shape) for a, s in outputs.items()} == {
        "img_out": ("float32", (-1, 320, 320, 1))
    }


def test_the_published_model_is_small() -> None:
    files = [file for file in VERSION.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 3_000_000


def test_held_out_things_are_found(model: slipway.SavedModel) -> None:
    made = [pictures.example("held-out", number) for number in range(24)]
    images = np.stack([pictures.read(io.BytesIO(example.jpeg)) for example in made])
    wanted = np.stack([pictures.network_mask(example)[..., 0] for example in made])
    assert pictures.mean_iou(find(model, images) > 0.5, wanted > 0.5) > 0.5


def test_a_picture_has_its_mask_in_every_batch(model: slipway.SavedModel) -> None:
    made = [pictures.example("held-out", number) for number in range(3)]
    images = np.stack([pictures.read(io.BytesIO(example.jpeg)) for example in made])
    together = find(model, images)
    for image, mask in zip(images, together):
        np.testing.assert_allclose(find(model, image[None])[0], mask, atol=1e-4)


@pytest.mark.parametrize("grey", [0, 119, 255])
def test_an_even_picture_has_a_mask_of_shares(model: slipway.SavedModel, grey: int) -> None:
    mask = find(model, np.full((1, 320, 320, 3), grey, np.uint8))
    assert np.isfinite(mask).all()
    assert mask.min() >= 0
    assert mask.max() <= 1


# Exports to argv[1] from the weights in argv[2], and prints the ops of both graphs and what both
# answer to one picture.
EXPORT = """
import json, sys
from pathlib import Path
import numpy as np
import tensorflow as tf
import saliency_export
v1 = tf.compat.v1
again, published = map(Path, sys.argv[1:])
saliency_export.write(again, saliency_export.read(published))
image = np.random.default_rng(1).uniform(-120, 120, (1, 320, 320, 3))
def describe(path):
    with v1.Graph().as_default(), v1.Session() as session:
        graph = v1.saved_model.load(session, ["serve"], str(path))
        signature = graph.signature_def["serving_default"]
        given, asked = signature.inputs["img_in"].name, signature.outputs["img_out"].name
        mask = session.run(asked, {given: image})
        return {
            "ops": sorted({node.op for node in graph.graph_def.node}),
            "mask": mask[0, ::16, ::16, 0].tolist(),
        }
print(json.dumps([describe(again), describe(published)]))
"""


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    again = tmp_path_factory.mktemp("saliency") / "1"
    run = subprocess.run(
        [sys.executable, "-c", EXPORT, str(again), str(VERSION)],
        capture_output=True,
        text=True,
        cwd=EXAMPLE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    described: list[Any] = json.loads(run.stdout)
    return described


def test_an_export_from_the_published_weights_is_the_published_model(exports: list[Any]) -> None:
    again, published = exports
    np.testing.assert_allclose(again["mask"], published["mask"], atol=1e-5)
    assert again["ops"] == published["ops"]


def test_the_graph_neither_draws_lots_nor_normalises_batches(exports: list[Any]) -> None:
    _, published = exports
    assert not [op for op in published["ops"] if op.startswith(("Random", "FusedBatchNorm", "Py"))]


def test_a_seed_makes_the_same_pictures_again() -> None:
    first = [pictures.example("training", number, seed=7) for number in range(6)]
    assert first == [pictures.example("training", number, seed=7) for number in range(6)]
    others = [pictures.example("training", number, seed=8) for number in range(6)]
    assert not {example.jpeg for example in first} & {example.jpeg for example in others}


def test_every_shape_is_in_both_parts_or_in_training() -> None:
    parts = {(shape, pictures.part_of(shape, coat)) for shape in SHAPES for coat in COATS}
    assert {shape for shape, part in parts if part == "training"} == set(SHAPES)
    assert len({shape for shape, part in parts if part == "held-out"}) > 3


def test_what_is_made_shows_things_of_all_sizes_and_their_masks() -> None:
    masks = np.stack(
        [pictures.network_mask(pictures.example("training", number)) for number in range(40)]
    )
    assert masks.min() == 0
    assert masks.max() == 1
    covered = masks.mean((1, 2, 3))
    assert covered.min() < 0.03
    assert covered.max() > 0.3


def test_a_picture_is_read_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "black")
    image.paste("white", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    pixels = pictures.read(tmp_path / "turned.png")
    assert pixels.shape == (320, 320, 3)
    assert pixels[:160].min() == 255
    assert pixels[160:].max() == 0


def test_a_contact_sheet_shows_pictures_beside_their_masks(tmp_path: Path) -> None:
    picture = tmp_path / "grey.png"
    Image.new("RGB", (64, 48), (99, 99, 99)).save(picture)
    contact_sheet.main([str(tmp_path / "sheet.png"), str(picture)])
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == contact_sheet.SIDE
        assert sheet.getpixel((10, 10)) == (99, 99, 99)


Box = tuple[float, float, float, float]
"""Left, top, right and bottom, as shares of width and height."""


def in_box(box: Box) -> NDArray[np.bool_]:
    """Return which pixels [320, 320] are in a box."""
    left, top, right, bottom = (round(share * pictures.SIDE) for share in box)
    inside = np.zeros((pictures.SIDE, pictures.SIDE), np.bool_)
    inside[top:bottom, left:right] = True
    return inside


# Drawn by hand: a box around the animals or the sofa, and one within the body of the foremost.
@pytest.mark.parametrize(
    ("name", "around", "within"),
    [
        ("animal1", (0.00, 0.18, 0.92, 0.95), (0.12, 0.42, 0.60, 0.65)),
        ("animal2", (0.15, 0.08, 0.72, 0.88), (0.48, 0.50, 0.60, 0.62)),
        ("animal3", (0.00, 0.17, 0.97, 0.90), (0.12, 0.38, 0.26, 0.62)),
        ("goat", (0.08, 0.33, 0.85, 0.95), (0.62, 0.42, 0.80, 0.65)),
        ("goat2", (0.58, 0.42, 0.74, 0.72), (0.62, 0.48, 0.69, 0.62)),
        ("sofa", (0.02, 0.04, 0.98, 0.97), (0.15, 0.20, 0.60, 0.70)),
    ],
)
def test_what_a_photograph_is_of_is_found(
    model: slipway.SavedModel, name: str, around: Box, within: Box
) -> None:
    mask = find(model, pictures.read(photograph(name))[None])[0]
    assert mask[~in_box(around)].mean() < 0.05
    assert mask[in_box(within)].mean() > 0.6
    assert 0.01 < (mask > 0.5).mean() < 0.75
