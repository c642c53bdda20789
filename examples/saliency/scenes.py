"""Backgrounds: where nothing is to be found, however much there is to see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from textures import (
    Colour,
    Field,
    Picture,
    Size,
    any_of,
    blend,
    blurred,
    noise,
    resized,
    ridges,
    steps,
    vary,
    vivid,
)

GREENS: Final = ["#4f8a2b", "#7fb23a", "#a3c940", "#35631f", "#5e7f3a", "#8aa85b", "#9fc23f"]
DRY: Final = ["#b59a5a", "#8f7a43", "#c9b47a", "#a58d52", "#7d6f3c", "#ad9f58"]
EARTH: Final = ["#7b6248", "#95805f", "#6d6a64", "#a3988a", "#5b4a3a", "#c7b28c"]
PALE: Final = ["#f4f5f7", "#e6ecf2", "#d8dadd", "#fafafa", "#efe9e0", "#cfd6db"]
SKIES: Final = ["#2f6fc4", "#5f9be0", "#8fbfec", "#a9b4bf", "#c9d7e2", "#1f4fa0", "#9aa3aa"]
WATERS: Final = ["#3a6f8f", "#2b5568", "#5f8a8f", "#7fa3b5", "#41604f", "#27485f"]
WALLS: Final = ["#c8b79c", "#a9a39a", "#8f5f4a", "#d6cfc2", "#7b8a94", "#5f5a57", "#b08a62"]


@dataclass(frozen=True)
class Scene:
    """A background, and how it treats what stands in it."""

    picture: Picture
    horizon: float
    """Where the ground begins, as a share of the height; 0 when it fills the picture."""
    grass: bool
    """Whether blades grow in front of feet."""


def scene(random: np.random.Generator, size: Size) -> Scene:
    """Return a scene of any kind."""
    kinds, weights = zip(*_KINDS)
    return kinds[random.choice(len(kinds), p=weights)](random, size)  # type: ignore[no-any-return]


def landscape(random: np.random.Generator, size: Size) -> Scene:
    """Return sky, hills and trees above a meadow, savanna, field, beach or snow."""
    height, width = size
    horizon = random.uniform(0.08, 0.75)
    slope = random.normal(0, 0.12) if random.random() < 0.4 else 0.0
    across = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    line = height * (horizon + slope * across)
    down = np.arange(height, dtype=np.float32)[:, None]
    picture = _sky(random, size)
    for _ in range(random.integers(0, 3)):
        picture = _hill(random, picture, line)
    if random.random() < 0.6:
        picture = _tree_line(random, picture, line)
    kind = random.choice(["green", "dry", "earth", "pale"], p=[0.5, 0.25, 0.17, 0.08])
    grass = kind in ("green", "dry")
    ground = _grass(random, size, kind == "dry") if grass else _soil(random, size, kind == "pale")
    edge = line + noise(random, (2, width), (2, 20), 3)[0] * random.uniform(0, 0.012) * height
    picture = blend(picture, ground, steps(down - edge, 0, random.uniform(1, 4)))
    for _ in range(random.choice([0, 1, 2, 4], p=[0.4, 0.25, 0.2, 0.15])):
        picture = _tree(random, picture, line)
    return Scene(picture, horizon, grass)


def meadow(random: np.random.Generator, size: Size) -> Scene:
    """Return grass everywhere, with paths and bare spots."""
    picture = _grass(random, size, bool(random.random() < 0.35))
    if random.random() < 0.4:
        bare = steps(noise(random, size, size[1] * random.uniform(0.1, 0.4), 4), 0.8, 0.6)
        picture = blend(picture, _soil(random, size, False), bare)
    if random.random() < 0.3:
        picture = _posts(random, picture)
    return Scene(picture, 0.0, True)


def thicket(random: np.random.Generator, size: Size) -> Scene:
    """Return leaves, twigs and gaps of light, in or out of focus."""
    picture = _leaves(random, size, random.uniform(3, 0.12 * size[1]))
    if random.random() < 0.5:
        picture = _posts(random, picture)
    if random.random() < 0.5:
        down = np.linspace(0, 1, size[0], dtype=np.float32)[:, None]
        start = random.uniform(0.4, 0.9)
        ragged = down - start + 0.03 * noise(random, size, (60, 8), 3)
        picture = blend(picture, _grass(random, size, False), steps(ragged, 0, 0.05))
    return Scene(blurred(picture, _focus(random)), 0.0, False)


def studio(random: np.random.Generator, size: Size) -> Scene:
    """Return an even backdrop, nearly white more often than not, light on one side."""
    height, width = size
    colour = any_of(random, PALE) if random.random() < 0.6 else vary(random, vivid(random), 0.1)
    picture = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    slant = noise(random, size, width * 2.0)
    picture = picture * (1 + random.uniform(0, 0.12) * slant[..., None])
    if random.random() < 0.4:
        down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        floor = steps(down + np.zeros_like(slant), random.uniform(0.5, 0.9), random.uniform(0, 0.4))
        picture = blend(picture, vary(random, colour, 0.15), floor)
    return Scene(picture.clip(0, 1), random.uniform(0.3, 0.8), False)


def room(random: np.random.Generator, size: Size) -> Scene:
    """Return a wall with frames, windows or shelves, and a floor of boards, tiles or carpet."""
    height, width = size
    picture = _surface(random, size, any_of(random, WALLS))
    for _ in range(random.integers(0, 5)):
        picture = _panel(random, picture)
    horizon = random.uniform(0.45, 0.85)
    floor = _surface(random, size, any_of(random, EARTH + WALLS))
    if random.random() < 0.6:
        floor = _boards(random, floor)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None] + np.zeros((1, width), np.float32)
    return Scene(blend(picture, floor, steps(down, horizon, 0.01)), horizon, False)


def wall(random: np.random.Generator, size: Size) -> Scene:
    """Return bricks, stones, planks or plaster."""
    picture = _boards(random, _surface(random, size, any_of(random, WALLS + EARTH)))
    return Scene(picture, 0.0, False)


def water(random: np.random.Generator, size: Size) -> Scene:
    """Return waves, with or without a shore and a sky."""
    height, width = size
    colour = any_of(random, WATERS)
    waves = noise(random, size, (random.uniform(2, 8), random.uniform(15, 80)), 3)
    picture = colour * (1 + random.uniform(0.05, 0.3) * waves[..., None])
    glints = steps(waves + 0.3 * noise(random, size, 3), random.uniform(1.5, 3), 0.5)
    picture = blend(picture.clip(0, 1), any_of(random, PALE), 0.8 * glints)
    horizon = 0.0
    if random.random() < 0.5:
        horizon = random.uniform(0.1, 0.5)
        down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        share = steps(down + np.zeros((1, width), np.float32), horizon, 0.02)
        picture = blend(_sky(random, size), picture, share)
    return Scene(picture, horizon, False)


def blur(random: np.random.Generator, size: Size) -> Scene:
    """Return what a long lens leaves of a background: large soft spots."""
    picture = np.broadcast_to(any_of(random, GREENS + DRY + EARTH + WATERS), (*size, 3))
    for _ in range(random.integers(1, 5)):
        spots = noise(random, size, size[1] * random.uniform(0.15, 0.8), 2)
        colour = any_of(random, GREENS + DRY + EARTH + SKIES + WALLS)
        picture = blend(picture, colour, steps(spots, random.uniform(0, 1), random.uniform(0.5, 3)))
    return Scene(picture.astype(np.float32), 0.0, False)


def texture(random: np.random.Generator, size: Size) -> Scene:
    """Return noise in any colours, of any grain."""
    picture = np.broadcast_to(vivid(random), (*size, 3)).astype(np.float32)
    for _ in range(random.integers(1, 4)):
        grain = (float(random.uniform(2, 60)), float(random.uniform(2, 60)))
        spots = noise(random, size, grain, int(random.integers(1, 5)))
        picture = blend(
            picture, vivid(random), steps(spots, random.normal(), random.uniform(0.1, 3))
        )
    return Scene(picture, 0.0, False)


_KINDS: Final[list[tuple[Callable[[np.random.Generator, Size], Scene], float]]] = [
    (landscape, 0.40), (meadow, 0.15), (thicket, 0.10), (studio, 0.10), (room, 0.08),
    (wall, 0.04), (water, 0.05), (blur, 0.05), (texture, 0.03),
]  # fmt: skip


def _focus(random: np.random.Generator) -> float:
    """Return a blur radius; half of all lenses are in focus."""
    return float(random.uniform(0.5, 5)) if random.random() < 0.5 else 0.0


def _sky(random: np.random.Generator, size: Size) -> Picture:
    height, width = size
    high, low = any_of(random, SKIES), any_of(random, SKIES + PALE)
    share = np.linspace(0, random.uniform(1, 2), height, dtype=np.float32).clip(0, 1)
    picture = blend(high, low, np.repeat(share[:, None], width, 1))
    if random.random() < 0.6:
        clouds = noise(random, size, (height * 0.15, width * random.uniform(0.2, 0.6)), 5)
        share = random.uniform(0.4, 1) * steps(
            clouds, random.uniform(0, 1.5), random.uniform(0.5, 2)
        )
        picture = blend(picture, any_of(random, PALE), share)
    if random.random() < 0.35:
        # A bank of clouds, brightest on an edge that may be as sharp as that of a thing.
        down = np.arange(height, dtype=np.float32)[:, None] / height
        away = np.abs(down - random.uniform(0.1, 0.8)) / random.uniform(0.05, 0.25)
        puffs = random.uniform(0.2, 0.8) * noise(random, size, (height * 0.2, width * 0.3), 5)
        share = random.uniform(0.5, 1) * steps(puffs - away, -1, random.uniform(0.2, 1.5))
        picture = blend(picture, any_of(random, PALE), share)
    return picture


def _hill(random: np.random.Generator, picture: Picture, line: Field) -> Picture:
    """Put a range of hills or mountains behind the ground, in the blue of distance or in green."""
    height, width = picture.shape[:2]
    shape = noise(random, (2, width), (2, width * random.uniform(0.15, 0.6)), 4)[0]
    crest = line - height * np.maximum(0.02, random.uniform(0.05, 0.2) + 0.06 * shape)
    down = np.arange(height, dtype=np.float32)[:, None]
    colour = blend(any_of(random, GREENS + EARTH), any_of(random, SKIES), random.uniform(0, 0.9))
    rock = noise(random, (height, width), random.uniform(4, 30), 3)[..., None]
    slope = (colour * (1 + random.uniform(0.02, 0.25) * rock)).clip(0, 1)
    return blend(picture, slope, steps(down - crest, 0, random.uniform(1, 3)))


def _tree_line(random: np.random.Generator, picture: Picture, line: Field) -> Picture:
    """Put a wood along the horizon, closed or with gaps."""
    height, width = picture.shape[:2]
    grain = random.uniform(0.03, 0.2) * width
    tops = noise(random, (2, width), (2, grain), 4)[0]
    tall = height * random.uniform(0.02, 0.3)
    crest = line - np.maximum(0, tall * (random.uniform(0, 1.2) + 0.5 * tops))
    down = np.arange(height, dtype=np.float32)[:, None]
    wood = _leaves(random, (height, width), random.uniform(4, 20)) * random.uniform(0.3, 1)
    ragged = down - crest + random.uniform(1, 4) * noise(random, (height, width), 6, 2)
    return blend(picture, wood, steps(ragged, 0, 2) * (down < line + 2))


def _tree(random: np.random.Generator, picture: Picture, line: Field) -> Picture:
    """Put one tree or bush on the ground: a thin trunk and a crown."""
    height, width = picture.shape[:2]
    x = random.uniform(0, 1) * width
    foot = line[int(np.clip(x, 0, width - 1))] + random.uniform(-0.02, 0.12) * height
    tall = random.uniform(0.06, 0.4) * height
    wide = tall * random.uniform(0.4, 1.2)
    down, across = np.mgrid[:height, :width].astype(np.float32)
    crown_y = foot - tall * random.uniform(0.35, 0.8)
    reach = np.hypot((across - x) / wide, (down - crown_y) / (0.55 * tall))
    ragged = reach + random.uniform(0.1, 0.35) * noise(random, (height, width), wide * 0.4, 3)
    if random.random() < 0.25:
        blossom = any_of(random, [*PALE, "#d9a3b0", "#c98a4a"])
        speckles = noise(random, (height, width), 4, 2)[..., None]
        crown = (blossom * (0.8 + 0.15 * speckles)).clip(0, 1)
    else:
        crown = _leaves(random, (height, width), random.uniform(3, 10)) * random.uniform(0.4, 1.1)
    trunk = steps(-np.abs(across - x), -wide * random.uniform(0.03, 0.12) - 1, 1.5)
    trunk = trunk * (down < foot) * (down > crown_y)
    picture = blend(picture, vary(random, any_of(random, EARTH) * 0.7, 0.2), trunk)
    return blend(picture, crown.clip(0, 1), steps(-ragged, -0.8, random.uniform(0.05, 0.3)))


def _posts(random: np.random.Generator, picture: Picture) -> Picture:
    """Put trunks or fence posts in a picture, which enter from above or stand in a row."""
    height, width = picture.shape[:2]
    down, across = np.mgrid[:height, :width].astype(np.float32)
    colour = any_of(random, EARTH)
    top = -1.0 if random.random() < 0.6 else random.uniform(0.05, 0.4) * height
    bottom = random.uniform(0.15, 1.1) * height
    thick = random.uniform(0.005, 0.05) * width
    for _ in range(random.integers(1, 6)):
        x = random.uniform(0, width) + random.normal(0, 0.1) * down
        share = steps(-np.abs(across - x), -thick * random.uniform(0.5, 1.5), 1.5)
        bark = 0.25 * noise(random, (height, width), (12, 2), 2) - 0.3 * (across - x) / thick
        shaded = colour * (1 + bark.clip(-0.6, 0.6)[..., None])
        picture = blend(picture, shaded.clip(0, 1), share * (down > top) * (down < bottom))
    return picture


def _grass(random: np.random.Generator, size: Size, dry: bool) -> Picture:
    """Return blades, longer and more apart towards the viewer, in patches of two colours."""
    height, width = size
    dark, light = any_of(random, DRY if dry else GREENS), any_of(random, DRY if dry else GREENS)
    if random.random() < 0.25:
        light = any_of(random, DRY + GREENS)
    near = np.linspace(0, 1, height, dtype=np.float32) ** random.uniform(1, 2.5)
    # Rows are picked ever further apart upwards, which makes what is far away small.
    rows = np.cumsum(1 + (1 - near) * random.uniform(0, 2)).astype(int)
    tall = (int(rows[-1]) + 1, width)
    blades = noise(random, tall, (random.uniform(4, 25), random.uniform(1, 5)), 2)[rows]
    blades = blades * (random.uniform(0.3, 1) + near[:, None]) * random.uniform(0.05, 0.3)
    spots = noise(random, size, (height * 0.1, width * random.uniform(0.1, 0.5)), 4)
    picture = blend(dark, light, steps(spots, random.normal(0, 0.5), random.uniform(1, 4)))
    picture = picture * (1 + blades[..., None])
    if random.random() < 0.2:
        flowers = steps(noise(random, size, random.uniform(3, 6)), random.uniform(2, 2.8), 0.3)
        picture = blend(picture, any_of(random, [*PALE, "#e8d040", "#c05080"]), flowers)
    return picture.clip(0, 1)


def _soil(random: np.random.Generator, size: Size, pale: bool) -> Picture:
    """Return earth, sand, stones or snow."""
    colour = any_of(random, PALE if pale else EARTH)
    grit = noise(random, size, (random.uniform(3, 30), random.uniform(5, 60)), 5)
    return (colour * (1 + random.uniform(0.03, 0.2) * grit[..., None])).clip(0, 1)


def _leaves(random: np.random.Generator, size: Size, grain: float) -> Picture:
    dark, light = any_of(random, GREENS) * random.uniform(0.1, 0.6), any_of(random, GREENS)
    if random.random() < 0.15:
        light = any_of(random, DRY + EARTH)
    leaves = noise(random, size, grain, 3)
    picture = blend(dark, light, steps(leaves, random.normal(0, 0.5), random.uniform(0.5, 3)))
    if random.random() < 0.4:
        twigs = ridges(noise(random, size, (grain * 6, grain * 3), 2), random.uniform(0.01, 0.08))
        picture = blend(picture, any_of(random, EARTH), twigs)
    if random.random() < 0.3:
        gaps = steps(noise(random, size, grain * 2, 2), random.uniform(1.5, 2.5), 0.3)
        picture = blend(picture, any_of(random, PALE + SKIES), gaps)
    return picture


def _surface(random: np.random.Generator, size: Size, colour: Colour) -> Picture:
    """Return paint or plaster, unevenly lit."""
    light = noise(random, size, size[1] * random.uniform(0.5, 2))
    grain = noise(random, size, random.uniform(1, 30), 3)
    shade = random.uniform(0, 0.15) * light + random.uniform(0, 0.08) * grain
    return np.asarray((colour * (1 + shade[..., None])).clip(0, 1))


def _boards(random: np.random.Generator, picture: Picture) -> Picture:
    """Put joints into a surface, and make each board or brick a little lighter or darker."""
    height, width = picture.shape[:2]
    rows = int(random.integers(3, 20))
    columns = int(random.integers(1, 12))
    tones = 1 + random.uniform(0, 0.2) * random.standard_normal((rows, columns), np.float32)
    down = np.arange(height) * rows // height
    shift = (down % 2) * random.choice([0.0, 0.5])
    across = np.arange(width)[None, :] * columns / width + shift[:, None]
    picture = picture * tones[down[:, None], across.astype(int) % columns][..., None]
    joint = (np.diff(down, prepend=0) > 0)[:, None] | (np.diff(across.astype(int), prepend=0) > 0)
    return blend(picture, vary(random, vivid(random), 0.1) * 0.4, joint * random.uniform(0.2, 0.9))


def _panel(random: np.random.Generator, picture: Picture) -> Picture:
    """Put a frame, a window or a cupboard on a wall; many reach beyond the picture."""
    height, width = picture.shape[:2]
    top, left = random.uniform(-0.3, 0.7) * height, random.uniform(-0.3, 0.95) * width
    tall, wide = random.uniform(0.1, 0.9) * height, random.uniform(0.05, 0.5) * width
    colour = any_of(random, WALLS + PALE + SKIES + EARTH)
    rim = int(random.integers(1, 6))
    rows = slice(max(0, int(top)), max(0, int(top + tall)))
    columns = slice(max(0, int(left)), max(0, int(left + wide)))
    picture = picture.copy()
    picture[rows, columns] = colour * 0.6
    inner = picture[rows, columns][rim:-rim, rim:-rim]
    if inner.size:
        shade = resized(random.standard_normal((3, 3), np.float32), inner.shape[:2])
        inner[:] = (colour * (1 + 0.1 * shade[..., None])).clip(0, 1)
    return picture
