"""Where in a picture is what it shows? The route of the usual example.

The model takes pictures `img_in` float [-1, 320, 320, 3] and answers with masks `img_out` float
[-1, 320, 320, 1] from 0 to 1, as the packaged model `saliency` does. One that is fixed to a single
picture does as well.
"""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from slipway.arrays import Arrays
from slipway.gateway import Handler, Header, Image
from slipway.gateway.images import encode_png

_SIZE: Final = (320, 320)
_MEAN: Final = np.array([126.88, 120.24, 112.19], np.float32)
"""Of red, green and blue in the pictures that the usual network was trained on."""


class Saliency(Handler):
    """Mark what a picture shows: white where it is, black elsewhere, in the picture's size.

    Answers with base64 of a PNG in JSON, or with the PNG itself for `Accept: image/png`.
    """

    route = "/cv_sod/predict"
    methods = ("GET", "POST")
    model = "saliency"

    def preprocess(self, img: Image) -> Mapping[str, Any]:
        pixels = np.asarray(img.resize(_SIZE, PillowImage.Resampling.NEAREST), np.float32)
        return {"img_in": (pixels - _MEAN)[np.newaxis]}

    def postprocess(
        self, outputs: Arrays, img: Image, accept: Annotated[str, Header()] = ""
    ) -> dict[str, Any] | Image:
        mask = _mask(outputs["img_out"][0, :, :, 0]).resize(
            img.size, PillowImage.Resampling.BILINEAR
        )
        if "image/png" in accept:
            return mask
        return {"status": 0, "img_out": base64.b64encode(encode_png(mask)).decode()}


def _mask(probabilities: NDArray[np.float32]) -> PillowImage.Image:
    """Return values from 0 to 1, [height, width], as a grey picture."""
    return PillowImage.fromarray(np.rint(probabilities.clip(0, 1) * 255).astype(np.uint8))
