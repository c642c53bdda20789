"""What covers a figure: fur, fleece, spots, stripes, cloth."""

from collections.abc import Callable
from typing import Final

import numpy as np
from textures import Colour, Field, Picture, Size, any_of, blend, noise, ridges, steps, vary, vivid

ANIMALS: Final = [
    "#8a6a48", "#b08a5a", "#c9a873", "#5f4630", "#3a302a", "#1f1d1c", "#e8e2d6", "#f5f2ea",
    "#8f8a84", "#6a6663", "#c77f3a", "#a35a2a", "#d8b98a", "#d9a35a", "#b0a496",
]  # fmt: skip


def colour_of(random: np.random.Generator, around: Colour) -> Colour:
    """Return the colour of a coat: of an animal, any, or one that hardly differs from `around`."""
    kind = random.random()
    if kind < 0.72:
        return any_of(random, ANIMALS)
    if kind < 0.88:
        return vivid(random)
    return np.clip(around + random.normal(0, 0.12, 3), 0, 1).astype(np.float32)


def plain(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return one colour, a little uneven."""
    return _shaded(colour, random.uniform(0, 0.06) * noise(random, size, grain * 0.5, 2))


def fur(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return hairs in one direction, in patches of two tones."""
    hairs = noise(random, size, (grain * random.uniform(0.03, 0.3), random.uniform(1, 4)), 2)
    patches = noise(random, size, grain, 3)
    other = vary(random, colour, 0.25)
    base = blend(colour, other, steps(patches, 0, random.uniform(1, 4)))
    return _shaded(base, random.uniform(0.04, 0.2) * hairs)


def fleece(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return small curls with dark between them."""
    curls = np.abs(noise(random, size, max(2.0, grain * random.uniform(0.05, 0.2)), 2))
    return _shaded(colour, random.uniform(0.1, 0.3) * (curls - 0.8))


def hide(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return bare skin with folds and stains."""
    folds = ridges(noise(random, size, (grain * 0.6, grain * 0.3), 3), random.uniform(0.05, 0.3))
    stains = noise(random, size, grain, 4)
    return _shaded(colour, random.uniform(0.03, 0.2) * stains - random.uniform(0.05, 0.3) * folds)


def spots(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return spots of a second colour, few and large or many and small."""
    field = noise(random, size, grain * random.uniform(0.08, 0.6))
    share = steps(field, random.uniform(0, 1.2), random.uniform(0.1, 0.5))
    return blend(fur(random, size, grain, colour), _second(random, colour), share)


def net(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return dark patches with light lines between them."""
    field = noise(random, size, grain * random.uniform(0.08, 0.25))
    lines = ridges(field, random.uniform(0.15, 0.4))
    return blend(fur(random, size, grain, colour), _second(random, colour), lines)


def stripes(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return wavy stripes."""
    down, across = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle = random.uniform(0, np.pi)
    along = across * np.cos(angle) + down * np.sin(angle)
    waves = np.sin(
        along * 2 * np.pi / (grain * random.uniform(0.08, 0.4))
        + random.uniform(0, 2) * noise(random, size, grain)
    )
    share = steps(waves, random.uniform(-0.5, 0.5), random.uniform(0.2, 1))
    return blend(fur(random, size, grain, colour), _second(random, colour), share)


def cloth(random: np.random.Generator, size: Size, grain: float, colour: Colour) -> Picture:
    """Return cloth or wood: fine weave, broad folds."""
    weave = noise(random, size, (random.uniform(1, 3), random.uniform(1, 8)))
    folds = noise(random, size, grain * random.uniform(0.3, 1))
    shade = random.uniform(0, 0.08) * weave + random.uniform(0, 0.15) * folds
    return _shaded(colour, shade)


COATS: Final[dict[str, Callable[[np.random.Generator, Size, float, Colour], Picture]]] = {
    "plain": plain,
    "fur": fur,
    "fleece": fleece,
    "hide": hide,
    "spots": spots,
    "net": net,
    "stripes": stripes,
    "cloth": cloth,
}
"""Each takes the size of the picture, that of the figure in pixels, and a colour."""


def _second(random: np.random.Generator, colour: Colour) -> Colour:
    """Return a colour that is seen on the given one."""
    if random.random() < 0.3:
        return any_of(random, ANIMALS)
    lighter = bool(colour.mean() < random.uniform(0.2, 0.7))
    near = colour + 0.55 * (1 - colour) if lighter else colour * random.uniform(0.2, 0.6)
    return vary(random, near, 0.1)


def _shaded(colour: Colour | Picture, shade: Field) -> Picture:
    return np.asarray((colour * (1 + shade[..., None])).clip(0, 1), np.float32)
