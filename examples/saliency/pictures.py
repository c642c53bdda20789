"""Pictures with something in them to be found, and masks that say where: made, not taken.

The same seed gives the same pictures. Which coat is on which shape (quadruped - stripes) belongs
either to the training part or to the held-out part: a held-out picture shows only things that no
picture of the training part has shown.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal
from zlib import crc32

import numpy as np
from coats import COATS, colour_of
from figures import SHAPES, Figure, bounds, drawn, transformed
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scenes import Scene, scene
from textures import Field, Size, blend, blurred, noise, resized, steps, vary
from textures import Picture as Pixels

Part = Literal["training", "held-out"]

SIDE: Final = 320
"""Height and width of what the network takes."""
MEANS: Final = np.array([126.88, 120.24, 112.19], np.float32)
"""Red, green and blue of the average picture, which the network wants to be subtracted."""

# One combination in so many is held out.
HELD_OUT_SHARE = 6

_SHAPE_WEIGHTS: Final = {
    "quadruped": 0.40, "facing": 0.16, "portrait": 0.08, "bird": 0.10, "furniture": 0.10,
    "blob": 0.06, "cluster": 0.10,
}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """A picture as a JPEG file, of the size of a small photograph, and its mask as a PNG file."""

    jpeg: bytes
    mask: bytes


def part_of(shape: str, coat: str) -> Part:
    """Return the part in which `shape` may have `coat`."""
    return "training" if crc32(f"{shape} - {coat}".encode()) % HELD_OUT_SHARE else "held-out"


def example(part: Part, number: int, seed: int = 1) -> Example:
    """Return picture `number` of a part; it depends on nothing else that was made."""
    random = np.random.default_rng([seed, crc32(part.encode()), number])
    pixels, mask = _composed(random, part)
    jpeg, png = io.BytesIO(), io.BytesIO()
    _image(pixels).save(jpeg, "JPEG", quality=int(random.integers(35, 96)))
    _image(mask).save(png, "PNG")
    return Example(jpeg.getvalue(), png.getvalue())


def read(file: Path | IO[bytes]) -> NDArray[np.uint8]:
    """Return a picture from a file as uint8 [320, 320, 3], upright, nearest pixels."""
    with Image.open(file) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(upright.resize((SIDE, SIDE), Image.Resampling.NEAREST))


def network_input(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures uint8 [..., 3] as the network takes them: float32, without the mean."""
    return pictures.astype(np.float32) - MEANS


def network_mask(example: Example) -> NDArray[np.float32]:
    """Return the mask of an example as float32 [320, 320, 1] in 0..1."""
    with Image.open(io.BytesIO(example.mask)) as image:
        mask = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.NEAREST), np.float32)
    return np.asarray(mask[..., None] / 255)


def mean_iou(found: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> float:
    """Return the mean over pictures of intersection over union, of masks [picture, ...].

    Nothing found where there is nothing counts as 1.
    """
    axes = tuple(range(1, found.ndim))
    both, either = (found & wanted).sum(axes), (found | wanted).sum(axes)
    return float(np.where(either, both / np.maximum(either, 1), 1.0).mean())


def _image(values: Field) -> Image.Image:
    return Image.fromarray((values * 255 + 0.5).clip(0, 255).astype(np.uint8))


def _composed(random: np.random.Generator, part: Part) -> tuple[Pixels, Field]:
    """Return a picture and the mask of what is to be found in it."""
    height = int(random.integers(150, 250))
    size = (height, int(height * random.uniform(0.9, 1.7)))
    background = scene(random, size)
    pixels = background.picture
    if random.random() < 0.35:
        pixels = blurred(pixels, random.uniform(0.5, 4))
    mask = np.zeros(size, np.float32)
    # A few show nothing.
    if random.random() < 0.97:
        shape, coat = _combination(random, part)
        colour = colour_of(random, pixels.reshape(-1, 3).mean(0))
        alike = random.random() < 0.75
        for figure in _placed(random, shape, size, background):
            if not alike:
                colour = colour_of(random, pixels.reshape(-1, 3).mean(0))
            skin = COATS[coat](random, size, _grain(figure), vary(random, colour, 0.08))
            pixels, cover = _painted(random, pixels, figure, skin, background)
            mask = np.maximum(mask, cover)
    if random.random() < 0.15:
        pixels = _lettered(random, pixels)
    return _taken(random, pixels), mask


def _combination(random: np.random.Generator, part: Part) -> tuple[str, str]:
    """Draw a shape and a coat that belong to this part."""
    while True:
        shape = str(random.choice(list(_SHAPE_WEIGHTS), p=list(_SHAPE_WEIGHTS.values())))
        coat = str(random.choice(list(COATS)))
        if part_of(shape, coat) == part:
            return shape, coat


def _placed(random: np.random.Generator, shape: str, size: Size, background: Scene) -> list[Figure]:
    """Return one or several figures of a kind in pixels, those in front last."""
    height, width = size
    count = int(random.choice([1, 2, 3, 5], p=[0.66, 0.17, 0.10, 0.07]))
    if shape in ("portrait", "furniture"):
        count = 1
    share = random.uniform(0.12, 1.15) if count == 1 else random.uniform(0.12, 0.7)
    middle = np.array([random.normal(0.5, 0.16), random.normal(0.55, 0.12)])
    middle[1] = max(middle[1], background.horizon * random.uniform(0.8, 1.1))
    mirrored = random.choice([-1.0, 1.0])
    figures = []
    for _ in range(count):
        figure = SHAPES[shape](random)
        low, high = bounds(figure)
        # As large as it may be in either direction.
        scale = share * random.uniform(0.8, 1.2) * min(np.array([width, height]) / (high - low))
        if random.random() < 0.15:
            mirrored = -mirrored
        tilt = random.normal(0, 0.08 if shape not in ("blob", "cluster") else 1.0)
        turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        matrix = scale * turn @ np.diag([mirrored * random.uniform(0.85, 1.15), 1.0])
        apart = 0.0 if count == 1 else 0.22
        at = middle + random.normal(0, 1, 2) * (apart, apart * 0.25)
        if shape == "portrait":
            at[1] = 1.0 - random.uniform(0.2, 0.4) * share
        # Most are whole; some leave the picture.
        reach = scale * (high - low) / 2 / (width, height)
        if random.random() < 0.85 and shape != "portrait":
            at = np.clip(at, np.minimum(reach, 0.5), np.maximum(1 - reach, 0.5))
        offset = at * (width, height) - matrix @ ((low + high) / 2)
        figures.append(transformed(figure, matrix, offset))
    return sorted(figures, key=lambda figure: float(bounds(figure)[1][1]))


def _painted(
    random: np.random.Generator, pixels: Pixels, figure: Figure, skin: Pixels, background: Scene
) -> tuple[Pixels, Field]:
    """Return a picture with a figure in it, and what of each pixel the figure covers."""
    size = pixels.shape[:2]
    cover, tones = drawn(figure, size)
    low, high = bounds(figure)
    # Fur has no sharp outline.
    if random.random() < 0.5:
        hairs = noise(random, size, random.uniform(2, 5)).clip(-2, 2)
        cover = steps(blurred(cover, 1.5) + random.uniform(0.05, 0.15) * hairs, 0.5, 0.3)
    skin = skin * _light(random, cover, figure)[..., None]
    skin = skin * (1 + random.uniform(0.3, 1.0) * (blurred(tones / 2, 0.7) * 2 - 1))[..., None]
    if random.random() < 0.3:
        haze = pixels.reshape(-1, 3).mean(0)
        skin = blend(skin, haze, random.uniform(0, 0.25))
    if background.grass and random.random() < 0.6:
        cover = _overgrown(random, cover, float(low[1]), float(high[1]))
    pixels = _shadowed(random, pixels, figure)
    return blend(pixels, skin.clip(0, 1), blurred(cover, random.uniform(0, 1.2))), cover


def _grain(figure: Figure) -> float:
    """Return the lesser of height and width of a figure, in pixels."""
    low, high = bounds(figure)
    return float(max(8.0, min(high - low)))


def _light(random: np.random.Generator, cover: Field, figure: Figure) -> Field:
    """Return how light a round body is: by the side that the light comes from, and by height."""
    height, width = cover.shape
    low, high = bounds(figure)
    small = (max(2, height // 4), max(2, width // 4))
    radius = 0.12 * float(min(high - low)) / 4
    thick = resized(np.sqrt(blurred(resized(cover, small).clip(0, 1), radius)), cover.shape)
    slope_y, slope_x = np.gradient(thick * radius * 4)
    angle = random.uniform(0, np.pi)
    lit = -(slope_x * np.cos(angle) + slope_y * np.sin(angle))
    down = (np.arange(height, dtype=np.float32)[:, None] - low[1]) / (high - low)[1]
    belly = random.uniform(-0.1, 0.5) * (down.clip(0, 1) - 0.4)
    shade = 1 + random.uniform(0, 1.2) * np.tanh(lit) - belly
    return np.asarray(shade.clip(0.25, 1.6), np.float32)


def _shadowed(random: np.random.Generator, pixels: Pixels, figure: Figure) -> Pixels:
    """Return a picture with the shadow of a figure on the ground."""
    if random.random() < 0.4:
        return pixels
    height, width = pixels.shape[:2]
    low, high = bounds(figure)
    down, across = np.mgrid[:height, :width].astype(np.float32)
    middle = (low[0] + high[0]) / 2 + random.normal(0, 0.2) * (high - low)[0]
    wide = (high - low)[0] * random.uniform(0.3, 0.7)
    flat = (high - low)[1] * random.uniform(0.03, 0.15) + 1
    reach = np.hypot((across - middle) / wide, (down - high[1]) / flat)
    share = random.uniform(0.1, 0.8) * steps(-reach, -1, random.uniform(0.1, 1.2))
    return blend(pixels, pixels * 0.25, share)


def _overgrown(random: np.random.Generator, cover: Field, top: float, bottom: float) -> Field:
    """Return a cover with blades of grass in front of its lower part."""
    height = cover.shape[0]
    blades = noise(random, cover.shape, (random.uniform(6, 20), random.uniform(1, 4)), 2)
    tall = random.choice([0.08, 0.15, 0.4], p=[0.5, 0.35, 0.15]) * (bottom - top)
    depth = (np.arange(height, dtype=np.float32)[:, None] - bottom) / max(tall, 1.0) + 1
    share = steps(blades + 2.5 * depth - 1.8, 0, 0.8) * (depth > 0)
    return np.asarray(cover * (1 - share), np.float32)


def _lettered(random: np.random.Generator, pixels: Pixels) -> Pixels:
    """Return a picture with a line or two of small strokes like writing, near a border."""
    height, width = pixels.shape[:2]
    ink = np.zeros((height, width), np.float32)
    for _ in range(random.integers(1, 3)):
        tall = int(random.integers(4, 10))
        top = int(random.choice([0.02, 0.1, 0.85, 0.93]) * height)
        left = int(random.uniform(0, 0.6) * width)
        long = int(random.uniform(0.1, 0.5) * width)
        row = ink[top : top + tall, left : left + long]
        row[:] = np.abs(noise(random, (tall, long), (tall / 2, 3))[: row.shape[0], : row.shape[1]])
    colour = np.float32(random.choice([0.0, 1.0, 1.0]))
    return blend(pixels, colour, steps(ink, 1.0, 0.4) * random.uniform(0.3, 0.9))


def _taken(random: np.random.Generator, pixels: Pixels) -> Pixels:
    """Return a picture as cameras and editors leave it: tint, contrast, blur, noise."""
    height, width = pixels.shape[:2]
    pixels = pixels * (1 + 0.06 * random.standard_normal(3)).astype(np.float32)
    grey = pixels.mean(-1, keepdims=True)
    pixels = grey + (pixels - grey) * random.uniform(0.5, 1.5)
    pixels = (pixels - 0.5) * random.uniform(0.75, 1.3) + 0.5 + random.normal(0, 0.05)
    pixels = pixels.clip(0, 1) ** np.float32(np.exp(random.normal(0, 0.2)))
    if random.random() < 0.25:
        down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        pixels = pixels * (1 - random.uniform(0, 0.4) * (down**2 + across**2)[..., None] / 2)
    if random.random() < 0.25:
        pixels = blurred(pixels, random.uniform(0.3, 1.2))
    if random.random() < 0.3:
        pixels = pixels + random.uniform(0, 0.04) * random.standard_normal(pixels.shape, np.float32)
    return np.asarray(pixels.clip(0, 1), np.float32)
