"""Outlines of things to be found: animals from the side, from the front and in portrait, birds,
furniture, and shapes of no name.

A figure is parts in the order of drawing, in coordinates of its own: x to the right, y down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from textures import Field, Size

Points = NDArray[np.float64]
"""[corner, 2]: x and y."""


@dataclass(frozen=True)
class Part:
    """A polygon of a figure, and how light it is beside the others."""

    outline: Points
    tone: float = 1.0


Figure = list[Part]


def quadruped(random: np.random.Generator) -> Figure:
    """Return an animal from the side or aslant: from a long-legged one to one that lies down."""
    turned = random.uniform(0.4, 1.0)
    thick = random.uniform(0.3, 0.75)
    leg = 0.0 if random.random() < 0.12 else random.uniform(0.2, 0.85)
    leg_thick = random.uniform(0.07, 0.17)
    dark = random.uniform(0.6, 1.1)
    left, right = -0.5 * turned + leg_thick / 2, 0.5 * turned - leg_thick / 2
    parts: Figure = []
    if leg:
        for hip, tone in ((left, 0.75), (right, 0.75), (left, 1.0), (right, 1.0)):
            x = hip + random.normal(0, 0.07)
            foot_x = x + random.normal(0, 0.1 * leg)
            end = thick * 0.3 + leg * random.uniform(0.93, 1.0)
            knee = (x + random.normal(0, 0.05), 0.55 * end)
            parts.append(Part(limb((x, 0.1), knee, leg_thick, leg_thick * 0.6), tone))
            foot = limb(knee, (foot_x, end), leg_thick * 0.6, leg_thick * 0.45)
            parts.append(Part(foot, tone * dark))
    if random.random() < 0.7:
        swing = random.uniform(-0.15, 0.25)
        tail = ((-0.48 * turned, -0.1), (-0.55 * turned - swing, random.uniform(-0.2, 0.5)))
        parts.append(Part(limb(*tail, 0.05, random.uniform(0.02, 0.09)), dark))
    parts.append(Part(closed_curve(random, 0.56 * turned, thick / 2, 0.06)))
    angle = np.radians(random.uniform(-75, 45))
    reach = random.choice([random.uniform(0.05, 0.35), random.uniform(0.3, 0.9)])
    start = np.array([0.42 * turned, -0.15 * thick])
    nape = start + reach * np.array([np.cos(angle) * turned, np.sin(angle)])
    head = random.uniform(0.09, 0.2)
    parts.append(
        Part(limb(tuple(start), tuple(nape), thick * random.uniform(0.4, 0.8), head * 1.3))
    )
    if random.random() < 0.25:
        mane = random.uniform(1.2, 2.2) * head
        parts.append(Part(closed_curve(random, mane, mane, 0.1) + nape, random.uniform(0.5, 0.9)))
    parts += _profile(random, nape, head, dark)
    return parts


def _profile(random: np.random.Generator, nape: Points, head: float, dark: float) -> Figure:
    """Return a head from the side: skull, muzzle, ears, horns, an eye."""
    down = np.radians(random.uniform(-5, 75))
    nose = nape + head * random.uniform(1.2, 2.4) * np.array([np.cos(down), np.sin(down)])
    muzzle = limb(tuple(nape), tuple(nose), head * 1.5, head * random.uniform(0.6, 1.0))
    parts = [Part(closed_curve(random, head, head * 0.85, 0.05) + nape), Part(muzzle, dark)]
    for _ in range(random.integers(0, 3)):
        tip = nape + head * np.array([random.uniform(-1.3, 0.3), random.uniform(-2.2, -0.8)])
        parts.append(Part(limb(tuple(nape), tuple(tip), head * 0.7, head * 0.2), dark))
    if random.random() < 0.2:
        tip = nose + head * np.array([random.uniform(0, 1), random.uniform(-2, -0.8)])
        parts.append(Part(limb(tuple(nose), tuple(tip), head * 0.5, head * 0.1), 1.2))
    eye = nape + head * np.array([0.35, -0.15])
    return [*parts, Part(ellipse(head * 0.12, head * 0.12) + eye, 0.2)]


def facing(random: np.random.Generator) -> Figure:
    """Return an animal from the front: legs close together, a body, the head before or above it."""
    wide, tall = random.uniform(0.3, 0.5), random.uniform(0.35, 0.6)
    leg = random.uniform(0.0, 0.7)
    parts: Figure = []
    for x in (-0.6, 0.6, -0.35, 0.35)[: random.choice([2, 4])]:
        thick = random.uniform(0.09, 0.18)
        foot = (x * wide * random.uniform(0.7, 1.2), tall * 0.7 + leg)
        parts.append(Part(limb((x * wide, 0.0), foot, thick, thick * 0.7), random.uniform(0.6, 1)))
    parts.append(Part(closed_curve(random, wide, tall, 0.05)))
    centre = np.array([random.normal(0, 0.15), -tall * random.uniform(0.4, 1.3)])
    return parts + _face(random, centre, wide * random.uniform(0.5, 0.9))


def portrait(random: np.random.Generator) -> Figure:
    """Return a head and the shoulders below it, which are to leave the picture at its bottom."""
    wide = random.uniform(0.5, 1.1)
    shoulders = np.array([[-0.3, 0.0], [0.3, 0.0], [wide, 1.6], [-wide, 1.6]])
    lean = random.normal(0, 0.25)
    shoulders[:2, 0] += lean
    return [
        Part(closed_curve(random, wide * 0.8, 0.7, 0.08) + np.array([0.0, 1.2])),
        Part(shoulders),
        *_face(random, np.array([lean, 0.0]), random.uniform(0.4, 0.6)),
    ]


def _face(random: np.random.Generator, centre: Points, head: float) -> Figure:
    """Return a head from the front: mane, ears, horns, muzzle, eyes, nose."""
    dark = random.uniform(0.5, 1.1)
    long = head * random.uniform(0.9, 1.4)
    parts: Figure = []
    if random.random() < 0.25:
        mane = random.uniform(1.3, 1.9)
        parts.append(Part(closed_curve(random, head * mane, long * mane, 0.12) + centre, 0.7))
    aside, up = random.uniform(0.6, 1.5), random.uniform(0.2, 1.6)
    for side in (-1, 1):
        tip = centre + np.array([side * head * aside, -long * up])
        root = centre + np.array([side * head * 0.5, -long * 0.4])
        ear = limb(tuple(root), tuple(tip), head * 0.7, head * random.uniform(0.2, 0.7))
        parts.append(Part(ear, dark))
    parts.append(Part(closed_curve(random, head, long, 0.05) + centre))
    muzzle = centre + np.array([0.0, long * 0.55])
    parts.append(Part(ellipse(head * random.uniform(0.3, 0.6), long * 0.4) + muzzle, dark * 1.1))
    for side in (-1, 1):
        eye = centre + np.array([side * head * 0.45, -long * 0.15])
        parts.append(Part(ellipse(head * 0.1, head * 0.1) + eye, 0.15))
    return [*parts, Part(ellipse(head * 0.18, head * 0.13) + muzzle, 0.25)]


def bird(random: np.random.Generator) -> Figure:
    """Return a bird: standing on thin legs, swimming without, or with a wing lifted."""
    thick = random.uniform(0.2, 0.4)
    dark = random.uniform(0.4, 1.2)
    parts: Figure = []
    if random.random() < 0.6:
        leg = random.uniform(0.2, 0.7)
        for x in (-0.08, 0.08):
            foot = (x + random.normal(0, 0.05), thick + leg)
            parts.append(Part(limb((x, 0.1), foot, 0.05, 0.035), 0.6))
    tail = (-0.5 - random.uniform(0.1, 0.5), random.uniform(-0.2, 0.3))
    parts.append(Part(limb((-0.3, 0.0), tail, thick * 0.8, random.uniform(0.04, 0.2)), dark))
    parts.append(Part(closed_curve(random, 0.5, thick, 0.05)))
    head = random.uniform(0.1, 0.2)
    nape = np.array([random.uniform(0.35, 0.6), -random.uniform(0.15, 0.9)])
    parts.append(Part(limb((0.3, -0.05), tuple(nape), thick, head * 1.2)))
    parts.append(Part(ellipse(head, head) + nape, random.uniform(0.6, 1.2)))
    beak = nape + np.array([head + random.uniform(0.05, 0.3), random.uniform(-0.02, 0.15)])
    parts.append(Part(limb(tuple(nape), tuple(beak), head, 0.02), random.uniform(0.5, 1.5)))
    lift = random.uniform(-0.9, 0.15) if random.random() < 0.4 else 0.1
    wing = limb((0.1, -0.05), (-0.4, lift), thick, random.uniform(0.05, 0.2))
    return [*parts, Part(wing, dark), Part(ellipse(0.02, 0.02) + nape, 0.1)]


def furniture(random: np.random.Generator) -> Figure:
    """Return a seat, table or box from a little aside: panels, cushions, legs."""
    tall, deep = random.uniform(0.3, 0.7), random.uniform(0.0, 0.35)
    skew = random.uniform(-0.15, 0.15)
    parts: Figure = []
    if random.random() < 0.75:
        leg, thick = random.uniform(0.05, 0.4), random.uniform(0.03, 0.09)
        for x in (-0.45, -0.2, 0.2, 0.45):
            foot = (x + random.normal(0, 0.02), tall + leg)
            parts.append(Part(limb((x, tall - 0.05), foot, thick, thick * 0.7), 0.3))
    if random.random() < 0.75:
        back = random.uniform(0.3, 0.8)
        parts.append(Part(_panel(random, -0.42, -back, 0.42 + deep, 0.3, skew), 1.0))
    parts.append(Part(_panel(random, -0.5, 0.0, 0.5, tall, skew), random.uniform(0.7, 0.95)))
    if random.random() < 0.6:
        parts.append(Part(_panel(random, -0.55, -0.2, -0.35, tall, skew), 0.85))
        parts.append(Part(_panel(random, 0.35 + deep, -0.2, 0.55 + deep, tall, skew), 0.8))
    for x in np.arange(-0.4, 0.4, random.uniform(0.25, 0.8)) if random.random() < 0.7 else ():
        parts.append(Part(_panel(random, x, -0.08, x + 0.35, 0.12, skew), 1.1))
    return parts


def _panel(
    random: np.random.Generator, left: float, top: float, right: float, bottom: float, skew: float
) -> Points:
    """Return a box with round corners, seen aslant."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    power = random.uniform(0.15, 0.5)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
    x, y = left + (right - left) * (x + 1) / 2, top + (bottom - top) * (y + 1) / 2
    return np.stack([x, y + skew * x], 1)


def blob(random: np.random.Generator) -> Figure:
    """Return one smooth closed curve."""
    return [Part(closed_curve(random, 0.5, random.uniform(0.2, 0.5), random.uniform(0.05, 0.25)))]


def cluster(random: np.random.Generator) -> Figure:
    """Return ellipses that overlap, with or without limbs."""
    parts: Figure = []
    at = np.zeros(2)
    for _ in range(random.integers(2, 7)):
        wide, tall = random.uniform(0.12, 0.45, 2)
        parts.append(Part(closed_curve(random, wide, tall, 0.05) + at, random.uniform(0.6, 1.2)))
        if random.random() < 0.4:
            tip = tuple(at + random.normal(0, 0.6, 2))
            parts.append(Part(limb(tuple(at), tip, 0.15, 0.06), random.uniform(0.6, 1.2)))
        at = at + random.uniform(-1, 1, 2) * (wide, tall)
    return parts


SHAPES: Final[dict[str, Callable[[np.random.Generator], Figure]]] = {
    "quadruped": quadruped,
    "facing": facing,
    "portrait": portrait,
    "bird": bird,
    "furniture": furniture,
    "blob": blob,
    "cluster": cluster,
}


def ellipse(wide: float, tall: float) -> Points:
    """Return an ellipse around the origin; `wide` and `tall` are its half axes."""
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return np.stack([wide * np.cos(angle), tall * np.sin(angle)], 1)


def closed_curve(random: np.random.Generator, wide: float, tall: float, bumps: float) -> Points:
    """Return an ellipse with a smooth random outline; `bumps` is their size beside the radius."""
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.ones_like(angle)
    for waves in range(2, 8):
        phase = random.uniform(0, 2 * np.pi)
        radius += bumps * random.standard_normal() * np.cos(waves * angle + phase) / waves**0.5
    radius = np.maximum(radius, 0.3)
    return np.stack([wide * radius * np.cos(angle), tall * radius * np.sin(angle)], 1)


def limb(
    start: tuple[float, ...], end: tuple[float, ...], thick: float, thick_at_end: float
) -> Points:
    """Return a tapered bar with round ends."""
    first, last = np.asarray(start), np.asarray(end)
    direction = np.arctan2(*(last - first)[::-1])
    turn = np.linspace(np.pi / 2, 3 * np.pi / 2, 10)
    back, front = direction + turn, direction + turn + np.pi
    around = np.stack([np.cos(back), np.sin(back)], 1) * thick / 2 + first
    return np.concatenate(
        [around, np.stack([np.cos(front), np.sin(front)], 1) * thick_at_end / 2 + last]
    )


def transformed(figure: Figure, matrix: Points, offset: Points) -> Figure:
    """Return a figure with each point times a 2x2 matrix, and moved."""
    return [Part(part.outline @ matrix.T + offset, part.tone) for part in figure]


def bounds(figure: Figure) -> tuple[Points, Points]:
    """Return the least and the greatest x and y of a figure."""
    points = np.concatenate([part.outline for part in figure])
    return points.min(0), points.max(0)


def drawn(figure: Figure, size: Size) -> tuple[Field, Field]:
    """Return how much of each pixel a figure covers in 0..1, and its tone there in 0..2."""
    height, width = size
    scale = 2
    cover = Image.new("L", (width * scale, height * scale))
    tones = Image.new("L", cover.size, 127)
    for part in figure:
        corners = [(float(x), float(y)) for x, y in part.outline * scale]
        ImageDraw.Draw(cover).polygon(corners, fill=255)
        ImageDraw.Draw(tones).polygon(corners, fill=int(np.clip(part.tone * 127, 0, 255)))
    cover, tones = (image.resize((width, height), Image.Resampling.BOX) for image in (cover, tones))
    return np.asarray(cover, np.float32) / 255, np.asarray(tones, np.float32) / 127
