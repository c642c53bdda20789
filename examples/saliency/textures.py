"""Noise and what is made of it: fields of numbers, and colours for them.

A field is float32 [height, width], a picture float32 [height, width, 3] of red, green and blue in
0..1. Everything is drawn from the generator that is passed in.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Field = NDArray[np.floating]
Picture = NDArray[np.floating]
Colour = NDArray[np.floating]
Size = tuple[int, int]
"""Height and width, in pixels."""


def noise(
    random: np.random.Generator, size: Size, grain: float | tuple[float, float], octaves: int = 1
) -> Field:
    """Return smooth noise of mean 0 and deviation 1.

    `grain` is the size of its largest spots in pixels, or their height and width; each octave adds
    spots of half the size and 0.6 of the strength.
    """
    tall, wide = grain if isinstance(grain, tuple) else (grain, grain)
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        rows, columns = (
            int(np.clip(length * 2**octave / max(spot, 1.0), 2, length))
            for length, spot in zip(size, (tall, wide))
        )
        total += 0.6**octave * resized(random.standard_normal((rows, columns), np.float32), size)
    total -= total.mean()
    return np.asarray(total / (total.std() + 1e-6))


def resized(field: Field, size: Size) -> Field:
    """Return a field in another size, smoothly."""
    height, width = size
    return np.asarray(Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC))


def blurred(values: Field, radius: float) -> Field:
    """Return a field or picture in 0..1 with a Gaussian blur."""
    if radius < 0.3:
        return values
    image = Image.fromarray((values * 255).clip(0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def ridges(field: Field, width: float) -> Field:
    """Return 1 along the zeros of a field, 0 away from them, with soft edges."""
    return np.asarray(np.clip(1.5 - np.abs(field) / width, 0, 1))


def steps(field: Field, threshold: float, softness: float) -> Field:
    """Return 1 where a field is above a threshold and 0 below it, with soft edges."""
    return np.asarray(np.clip((field - threshold) / softness + 0.5, 0, 1))


def blend(below: Any, above: Any, share: Field | float) -> Picture:
    """Return `above` where `share` is 1, and `below` where it is 0; both pictures or colours."""
    mixed = np.asarray(above - below, np.float32) * np.asarray(share, np.float32)[..., None]
    mixed += below
    return mixed


def vary(random: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """Return a colour near the given one: lighter or darker, and a little of another hue."""
    varied = colour * (1 + amount * random.standard_normal()) + (
        0.5 * amount * random.standard_normal(3) * colour.mean()
    )
    return np.asarray(np.clip(varied, 0, 1), np.float32)


def any_of(random: np.random.Generator, colours: list[str]) -> Colour:
    """Return one of some colours like `#ffcc00`, varied."""
    code = colours[random.integers(len(colours))]
    rgb = np.array([int(code[start : start + 2], 16) for start in (1, 3, 5)], np.float32)
    return vary(random, rgb / 255, 0.12)


def vivid(random: np.random.Generator) -> Colour:
    """Return any colour."""
    return random.random(3).astype(np.float32)
