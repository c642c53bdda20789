"""Have the gateway mark what a picture shows, with requests; save the mask as mask.png.

python picture_requests.py [PICTURE] [URL]
"""

import base64
import io
import sys
from pathlib import Path

import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

PICTURE = Path(__file__).with_name("picture.jpg")
TIMEOUT_S = 30


def mask_of(picture: Path, url: str) -> NDArray[np.uint8]:
    """Upload a picture; return its mask, [height, width], from the base64 PNG in the JSON."""
    with picture.open("rb") as file:
        response = requests.post(f"{url}/cv_sod/predict", files={"img": file}, timeout=TIMEOUT_S)
    check(response)
    png = base64.b64decode(response.json()["img_out"])
    return np.asarray(Image.open(io.BytesIO(png)))


def save_mask(picture: Path, url: str, target: Path) -> None:
    """Upload a picture; save its mask, which comes as the PNG itself when one asks for that."""
    with picture.open("rb") as file:
        response = requests.post(
            f"{url}/cv_sod/predict",
            files={"img": file},
            headers={"Accept": "image/png"},
            timeout=TIMEOUT_S,
        )
    check(response)
    target.write_bytes(response.content)


def check(response: requests.Response) -> None:
    """End with the text of a failure."""
    if not response.ok:
        sys.exit(f"{response.status_code}: {response.text}")


def main(picture: str = str(PICTURE), url: str = "http://127.0.0.1:5000") -> None:
    """Ask both ways."""
    mask = mask_of(Path(picture), url)
    height, width = mask.shape
    print(f"{width}x{height}, {(mask > 127).mean():.0%} of it is marked")
    save_mask(Path(picture), url, Path("mask.png"))
    print("wrote mask.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
