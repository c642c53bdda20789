"""Show what a saliency model finds: in pictures that are made here, or in pictures of yours.

    python examples/saliency/contact_sheet.py SHEET [--model FOLDER] [PICTURE...]

writes SHEET, an image file. Of PICTURE files it shows each with what is found in it; without any,
held-out pictures with what is there and what is found.
"""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pictures
from numpy.typing import NDArray
from PIL import Image

import slipway
from slipway import models

# Held-out pictures, images to a row, and how high and wide each is, in pixels.
COUNT = 15
COLUMNS = 9
SIDE = 80


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Show what a saliency model finds.")
    parser.add_argument("sheet", type=Path, help="the image file to write")
    parser.add_argument("pictures", type=Path, nargs="*", help="default: held-out ones, made")
    parser.add_argument(
        "--model", type=Path, default=models.path_of("saliency") / "1", help="a SavedModel"
    )
    options = parser.parse_args(arguments)
    with slipway.load(options.model) as model:
        predict = model.signatures["serving_default"]

        def found(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            outputs = predict(img_in=pictures.network_input(picture)[None])
            return np.asarray(outputs["img_out"][0])

        if options.pictures:
            taken = [pictures.read(path) for path in options.pictures]
            rows = [[picture, shown(found(picture))] for picture in taken]
        else:
            rows = []
            for number in range(COUNT):
                example = pictures.example("held-out", number)
                picture = pictures.read(io.BytesIO(example.jpeg))
                wanted = shown(pictures.network_mask(example))
                rows.append([picture, wanted, shown(found(picture))])
    sheet(rows).save(options.sheet, optimize=True)


def shown(mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a mask [height, width, 1] in 0..1 as grey uint8 [height, width, 3]."""
    return np.repeat((mask * 255).astype(np.uint8), 3, -1)


def sheet(rows: Sequence[Sequence[NDArray[np.uint8]]]) -> Image.Image:
    """Return groups of pictures side by side, `COLUMNS` pictures wide."""
    beside = len(rows[0])
    groups = COLUMNS // beside
    gap = 4
    wide, tall = beside * SIDE + gap, SIDE + gap
    canvas = Image.new("RGB", (groups * wide - gap, -(-len(rows) // groups) * tall - gap), "white")
    for number, row in enumerate(rows):
        for place, pixels in enumerate(row):
            small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            at = (number % groups * wide + place * SIDE, number // groups * tall)
            canvas.paste(small, at)
    return canvas


if __name__ == "__main__":
    main()
