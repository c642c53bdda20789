"""Images that clients send, as the RGB pixels that models take; and images for the answer."""

import re
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from slipway.errors import BadInputError, InputError, InputTooLargeError, UnsupportedInputError
from slipway.gateway.image_files import (
    FORMATS,
    exif_orientation,
    format_of,
    gif_size,
    jpeg_of_pixels,
    other_format_of,
    png_of_pixels,
    tiff_of_first_page,
    webp_size,
)

_TAKEN = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"

# What scanners and image programs write. libtiff knows more, which few have tested as long.
_TIFF_COMPRESSIONS = {
    "raw": "none",
    "tiff_lzw": "LZW",
    "tiff_adobe_deflate": "deflate",
    "tiff_deflate": "deflate",
    "packbits": "PackBits",
    "jpeg": "JPEG",
    "tiff_ccitt": "CCITT",
    "group3": "CCITT",
    "group4": "CCITT",
}

# Floats closer than this are one colour: what would stretch them overflows.
_FLAT: Final = 1e-30

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How large an image may be.

    `max_bytes` is of the file as it is sent. `max_pixels` is of width times height as the file
    says them, which bounds the memory that decoding takes; it is checked before.
    """

    max_bytes: int = 16 * 2**20
    max_pixels: int = 40_000_000


def decode_image(data: bytes, limits: ImageLimits = ImageLimits()) -> Image.Image:
    """Return the first frame of a JPEG, PNG, WebP, GIF, BMP or TIFF: upright, in RGB.

    Upright is as EXIF data say. What is transparent lies on white, as on a page: the colours below
    full transparency are arbitrary, and often black. 16 bits a sample become 8. Whole numbers of 32
    bits and floats have no agreed white, so they are stretched from their least to their greatest.
    Colour profiles are not applied.

    Pillow's own limit for a process, `PIL.Image.MAX_IMAGE_PIXELS`, holds too where it is smaller.
    Raises InputError. Safe from any thread; the image belongs to the caller.
    """
    if not data:
        raise BadInputError(f"The image is empty. Send the bytes of a {_TAKEN} file.")
    if len(data) > limits.max_bytes:
        raise InputTooLargeError(
            f"The image has {len(data):,} bytes; at most {limits.max_bytes:,} are taken."
        )
    name = format_of(data)
    if name is None:
        found = other_format_of(data)
        seen = f"is {found}" if found else "begins like none of these"
        raise UnsupportedInputError(f"An image must be {_TAKEN}; what was sent {seen}.")
    try:
        return _decode(name, data, min(limits.max_pixels, Image.MAX_IMAGE_PIXELS or 2**63))
    except (InputError, MemoryError):
        # Within its limits an image fits; where it does not, the server is short of memory, and
        # the client cannot mend that.
        raise
    except Exception as error:
        # Pillow does not say what it raises for a damaged file, and does raise most of what there
        # is, from SyntaxError to zlib.error. All of it is about these bytes.
        raise BadInputError(
            f"The {name} image cannot be decoded{_reason(error)}. It is damaged, cut short or of a "
            "rare kind; send it whole, as a common JPEG or PNG."
        ) from error


def encode_png(image: Image.Image) -> bytes:
    """Return an image as the bytes of a PNG."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _decode(name: str, data: bytes, max_pixels: int) -> Image.Image:
    exif = b""
    if name == "JPEG":
        data, exif = jpeg_of_pixels(data)
    image = _open(name, data, max_pixels)
    _check_size(image.size, max_pixels)
    image.load()
    rgb = _on_white(image)
    # A TIFF is upright once it is loaded. PNG and WebP have their EXIF data by then.
    turn = _UPRIGHT.get(exif_orientation(exif or image.info.get("exif", b"")))
    upright = rgb if turn is None else rgb.transpose(turn)
    # Saved as a PNG, the image would take profile and transparent colour along.
    upright.info = {}
    return upright


def _open(name: str, data: bytes, max_pixels: int) -> ImageFile:
    """Return an image whose header is read, and whose pixels are not.

    Each format has its class, for `Image.open` warns of sizes. The size is checked first where the
    class already acts on it: WebP allocates the canvas, GIF a first frame.
    """
    match name:
        case "JPEG":
            return JpegImageFile(BytesIO(data))
        case "PNG":
            return PngImageFile(BytesIO(png_of_pixels(data)))
        case "WebP":
            _check_size(webp_size(data), max_pixels)
            return WebPImageFile(BytesIO(data))
        case "GIF":
            _check_size(gif_size(data), max_pixels)
            return GifImageFile(BytesIO(data))
        case "BMP":
            return BmpImageFile(BytesIO(data))
        case _:
            return _open_tiff(data, max_pixels)


def _open_tiff(data: bytes, max_pixels: int) -> TiffImageFile:
    image = TiffImageFile(BytesIO(tiff_of_first_page(data)))
    compression = image.info["compression"]
    if compression not in _TIFF_COMPRESSIONS:
        taken = ", ".join(dict.fromkeys(_TIFF_COMPRESSIONS.values()))
        raise UnsupportedInputError(
            f"The TIFF image is compressed by {compression}, which is not taken; taken are {taken}."
        )
    # A tile may be larger than the image, and is decoded whole.
    _check_size((image.tag_v2.get(TILEWIDTH, 0), image.tag_v2.get(TILELENGTH, 0)), max_pixels)
    return image


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise InputTooLargeError(
            f"The image has {width:,} x {height:,} = {width * height:,} pixels; at most "
            f"{max_pixels:,} are taken."
        )


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _grey(image).convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    rgba = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
    page = Image.new("RGB", image.size, "white")
    page.paste(rgba, mask=rgba.getchannel("A"))
    return page


def _grey(image: Image.Image) -> Image.Image:
    """Return an image of more than 8 bits a sample in 8; Pillow would clip it to white."""
    samples = np.asarray(image)
    if image.mode.startswith("I;16"):
        # The upper byte, as Pillow takes it of 16-bit colours.
        grey = (samples >> 8).astype(np.uint8)
        if "transparency" in image.info:
            grey[samples == image.info["transparency"]] = 255
        return Image.fromarray(grey)
    # In place, for this may be all of the pixels that are taken, four bytes each.
    values = samples.astype(np.float32)
    np.nan_to_num(values, copy=False, nan=0, posinf=0, neginf=0)
    least, greatest = float(values.min()), float(values.max())
    span = greatest - least
    scale = 255 / span if span > _FLAT else 0.0
    values *= scale
    values -= least * scale
    return Image.fromarray(
        np.clip(np.rint(values, out=values), 0, 255, out=values).astype(np.uint8)
    )


def _reason(error: Exception) -> str:
    """Return what Pillow says, where it is in its own words and plain ones."""
    said = str(error)
    # A SyntaxError with a cause repeats what Python said of a struct or an index.
    is_own = isinstance(error, (OSError, SyntaxError, ValueError)) and not (
        isinstance(error, SyntaxError) and error.__cause__
    )
    return f": {said}" if is_own and re.fullmatch(r"[\w ,.:()-]{1,100}", said) else ""
