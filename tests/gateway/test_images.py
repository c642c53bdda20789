import random
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from slipway.errors import BadInputError, InputError, InputTooLargeError, UnsupportedInputError
from slipway.gateway.images import ImageLimits, decode_image, encode_png

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int = 60, height: int = 40) -> Image.Image:
    samples = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(samples)


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", checksum)


def png(
    size: tuple[int, int],
    bits: int,
    colour: int,
    pixels: bytes,
    before: bytes = b"",
) -> bytes:
    header = struct.pack(">LLBBBBB", *size, bits, colour, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            before,
            chunk(b"IDAT", zlib.compress(pixels, 9)),
            chunk(b"IEND", b""),
        ]
    )


def tiff(*entries: tuple[int, int, int, int], next_page: int = 0, data: bytes = b"") -> bytes:
    """Return a TIFF of (tag, type, count, value); `data` begins where DATA says."""
    table = b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    directory = struct.pack("<H", len(entries)) + table + struct.pack("<L", next_page)
    return b"II*\0" + struct.pack("<L", 8) + directory.ljust(DATA - 8, b"\0") + data


DATA = 256


def grey_tiff(*more: tuple[int, int, int, int], compression: int = 1, **given: int) -> bytes:
    """Return a TIFF of 2 x 2 pixels of 50, with tags added or, by their names here, replaced."""
    tags = {
        "width": (256, 3, 1, 2), "height": (257, 3, 1, 2), "bits": (258, 3, 1, 8),
        "compression": (259, 3, 1, compression), "meaning": (262, 3, 1, 1),
        "strips": (273, 4, 1, DATA), "samples": (277, 3, 1, 1), "rows": (278, 3, 1, 2),
    }  # fmt: skip
    for name, value in given.items():
        if name in tags:
            tag, kind, count, _ = tags[name]
            tags[name] = (tag, 4 if kind == 3 else kind, count, value)
    entries = sorted([*tags.values(), *more])
    return tiff(*entries, next_page=given.get("next_page", 0), data=b"\x32\x32\x32\x32")


def gif(screen: tuple[int, int], frame: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    palette = bytes([*RED, *GREEN])
    return b"".join(
        [
            b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + palette,
            b"," + struct.pack("<HHHHB", *frame, 0),
            data or b"\x02\x02\x4c\x01\0",  # one pixel, of the second colour
            b";",
        ]
    )


def bmp(width: int, height: int, bits: int = 24, compression: int = 0) -> bytes:
    header = struct.pack("<LllHHLLllLL", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<LHHL", 0, 0, 0, 54) + header + bytes(12)


def jpeg_of_header(width: int, height: int, bits: int = 8) -> bytes:
    frame = struct.pack(">BHHB", bits, height, width, 1) + b"\x01\x11\0"
    scan = b"\x01\x01\0\0\x3f\0"
    return b"".join(
        [
            b"\xff\xd8",
            b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame,
            b"\xff\xda" + struct.pack(">H", len(scan) + 2) + scan,
            b"\xff\xd9",
        ]
    )


def segment(jpeg: bytes, marker: int, data: bytes) -> bytes:
    """Return a JPEG with a segment put first."""
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data + jpeg[2:]


def webp_of_header(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<L", 10) + b"\0\0\0\0" + size
    return b"RIFF" + struct.pack("<L", len(body)) + body


def close(image: Image.Image, expected: tuple[int, int, int], *, by: int = 3) -> bool:
    samples = np.asarray(image).astype(int)
    return bool((abs(samples - expected) <= by).all())


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_pixels_come_as_they_were_saved(kind: str) -> None:
    image = noise().quantize(64).convert("RGB")
    decoded = decode_image(saved(image, kind))
    assert (decoded.mode, decoded.size) == ("RGB", (60, 40))
    assert np.array_equal(np.asarray(decoded), np.asarray(image))


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("WEBP", {}), ("JPEG", {"progressive": True})]
)
def test_a_photograph_comes_nearly_as_it_was_saved(kind: str, options: dict[str, object]) -> None:
    decoded = decode_image(saved(Image.new("RGB", (30, 20), (200, 100, 50)), kind, **options))
    assert (decoded.mode, decoded.size) == ("RGB", (30, 20))
    assert close(decoded, (200, 100, 50))


@pytest.mark.parametrize(
    "compression",
    [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"],
)
def test_a_tiff_may_have_the_usual_compressions(compression: str | None) -> None:
    data = saved(Image.new("RGB", (30, 20), (200, 100, 50)), "TIFF", compression=compression)
    assert close(decode_image(data), (200, 100, 50))


def test_a_fax_and_a_big_tiff_are_taken() -> None:
    fax = saved(Image.new("1", (30, 20), 1), "TIFF", compression="group4")
    assert close(decode_image(fax), WHITE, by=0)
    assert close(decode_image(saved(Image.new("RGB", (9, 9), RED), "TIFF", big_tiff=True)), RED)


def palette(image: Image.Image) -> Image.Image:
    return image.convert("P", palette=Image.Palette.ADAPTIVE)


def lab() -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(*profiles, "RGB", "LAB")
    converted = ImageCms.applyTransform(Image.new("RGB", (4, 4), (200, 100, 50)), transform)
    assert converted is not None
    return converted


MODES = {
    "grey": (saved(Image.new("L", (4, 4), 100), "PNG"), (100, 100, 100)),
    "bilevel": (saved(Image.new("1", (4, 4), 1), "PNG"), WHITE),
    "palette": (saved(palette(Image.new("RGB", (4, 4), (9, 99, 199))), "PNG"), (9, 99, 199)),
    "opaque": (saved(Image.new("RGBA", (4, 4), (*RED, 255)), "PNG"), RED),
    "grey of 16 bits": (png((1, 1), 16, 0, b"\0\x80\x40"), (128, 128, 128)),
    "white of 16 bits": (png((1, 1), 16, 0, b"\0\xff\xff"), WHITE),
    "colour of 16 bits": (png((1, 1), 16, 2, b"\0\x80\x40\xff\xff\0\0"), (128, 255, 0)),
    "grey TIFF of 16 bits": (
        saved(Image.fromarray(np.full((4, 4), 0x4000, np.uint16)), "TIFF"),
        (64, 64, 64),
    ),
    "CMYK TIFF": (saved(Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "TIFF"), (0, 255, 255)),
    "CMYK JPEG": (saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG"), (0, 255, 255)),
    "grey JPEG": (saved(Image.new("L", (8, 8), 77), "JPEG"), (77, 77, 77)),
    "YCbCr TIFF": (
        saved(Image.new("YCbCr", (4, 4), (128, 128, 128)), "TIFF"),
        (128, 128, 128),
    ),
    "unused fourth sample": (saved(Image.new("RGBX", (4, 4), (*RED, 0)), "TIFF"), RED),
    "LAB": (saved(lab(), "TIFF"), (200, 100, 50)),
}


@pytest.mark.parametrize(("data", "colour"), MODES.values(), ids=MODES)
def test_every_mode_becomes_rgb(data: bytes, colour: tuple[int, int, int]) -> None:
    image = decode_image(data)
    assert image.mode == "RGB"
    assert close(image, colour)


def test_a_jpeg_of_ycck_has_the_colours_of_its_cmyk() -> None:
    # The last byte of Adobe's segment says whether the four samples are CMYK (0) or YCCK (2). Grey
    # has no chroma, so its samples make sense as both: C, M and Y are what Y' says, inverted.
    cmyk = saved(Image.new("CMYK", (8, 8), (127, 127, 127, 0)), "JPEG")
    start = cmyk.index(b"Adobe")
    ycck = cmyk[: start + 11] + b"\x02" + cmyk[start + 12 :]
    assert close(decode_image(cmyk), (128, 128, 128))
    assert close(decode_image(ycck), (128, 128, 128))


CLEAR = {
    "RGBA": saved(Image.new("RGBA", (4, 4), (*RED, 0)), "PNG"),
    "LA": saved(Image.new("LA", (4, 4), (0, 0)), "PNG"),
    "LA of 16 bits": png((1, 1), 16, 4, b"\0\0\0\0\0"),
    "PA": saved(Image.new("RGBA", (4, 4), (*RED, 0)).convert("PA"), "TIFF"),
    "one colour of a palette": saved(palette(Image.new("RGB", (4, 4))), "PNG", transparency=0),
    "alphas of a palette": saved(palette(Image.new("RGB", (4, 4))), "PNG", transparency=b"\0\1"),
    "one grey": png((1, 1), 8, 0, b"\0\0", before=chunk(b"tRNS", b"\0\0")),
    "one grey of 16 bits": png((1, 1), 16, 0, b"\0\x12\x34", before=chunk(b"tRNS", b"\x12\x34")),
    "black of two": png((1, 1), 1, 0, b"\0\0", before=chunk(b"tRNS", b"\0\0")),
    "one colour": png((1, 1), 8, 2, b"\0\0\0\0", before=chunk(b"tRNS", bytes(6))),
    "WebP": saved(Image.new("RGBA", (4, 4), (*RED, 0)), "WEBP", lossless=True),
    "GIF": saved(palette(Image.new("RGB", (4, 4))), "GIF", transparency=0),
    "RGBA TIFF": saved(Image.new("RGBA", (4, 4), (*RED, 0)), "TIFF"),
    "LA TIFF": saved(Image.new("LA", (4, 4), (0, 0)), "TIFF"),
    "premultiplied grey": tiff(
        (256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 2, 8 | 8 << 16), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, DATA), (277, 3, 1, 2), (278, 3, 1, 1), (338, 3, 1, 1), data=b"\0\0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", CLEAR.values(), ids=CLEAR)
def test_what_is_transparent_is_white(data: bytes) -> None:
    assert close(decode_image(data), WHITE, by=0)


def test_what_is_half_transparent_is_half_white() -> None:
    data = saved(Image.new("RGBA", (4, 4), (*RED, 128)), "PNG")
    assert close(decode_image(data), (255, 127, 127), by=1)


@pytest.mark.parametrize(
    ("samples", "greys"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[-1000.0, 0.0, 1000.0]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, np.inf, 1.0]], np.float32), [0, 0, 255]),
        (np.array([[-3e38, 0.0, 3e38]], np.float32), [0, 128, 255]),
        (np.array([[7.0, 7.0, 7.0]], np.float32), [0, 0, 0]),
        (np.array([[1e-44, 0.0, 0.0]], np.float32), [0, 0, 0]),
        (np.array([[1e9, 1e9 + 64, 1e9 + 128]], np.float32), [0, 128, 255]),
        (np.array([[0, 50_000, 100_000]], np.int32), [0, 128, 255]),
        (np.array([[-(2**31), 0, 2**31 - 1]], np.int32), [0, 128, 255]),
    ],
)
def test_samples_without_an_agreed_white_are_stretched(
    samples: "np.ndarray[tuple[int, int], np.dtype[np.generic]]", greys: list[int]
) -> None:
    image = decode_image(saved(Image.fromarray(samples), "TIFF"))
    assert np.asarray(image)[0, :, 0].tolist() == greys


def frames() -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_the_first_frame_is_taken(kind: str) -> None:
    first, *others = frames()
    data = saved(first, kind, save_all=True, append_images=others)
    assert close(decode_image(data), RED, by=40 if kind == "WEBP" else 3)


def test_a_frame_of_a_gif_may_be_a_part_of_the_screen_or_reach_out_of_it() -> None:
    inside = decode_image(gif((3, 3), (1, 1, 1, 1)))
    assert (inside.size, inside.getpixel((1, 1))) == ((3, 3), GREEN)
    outside = decode_image(gif((1, 1), (4, 2, 1, 1)))
    assert (outside.size, outside.getpixel((4, 2))) == ((5, 3), GREEN)


def corners(image: Image.Image) -> list[str]:
    """Return the colours of the corners: above left and right, below left and right."""
    right, below = image.width - 1, image.height - 1
    names = {RED: "r", GREEN: "g", BLUE: "b"}
    found = []
    for corner in ((0, 0), (right, 0), (0, below), (right, below)):
        pixel = image.getpixel(corner)
        assert isinstance(pixel, tuple)
        red, green, blue = (255 * (sample > 128) for sample in pixel)
        found.append(names.get((red, green, blue), "w"))
    return found


def exif(orientation: object) -> bytes:
    data = Image.Exif()
    data[274] = orientation
    return data.tobytes()


# How a camera that was held so stores the picture: the turn that undoes the one to make.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_turned_upright(kind: str, orientation: int) -> None:
    upright = Image.new("RGB", (48, 32), "white")
    for left, above, colour in ((0, 0, RED), (32, 0, GREEN), (0, 16, BLUE)):
        upright.paste(colour, (left, above, left + 16, above + 16))
    turn = STORED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    image = decode_image(saved(stored, kind, exif=exif(orientation)))
    assert image.size == (48, 32)
    assert corners(image) == ["r", "g", "b", "w"]


BROKEN_EXIF = {
    "nothing": b"",
    "one byte": b"M",
    "noise": bytes(range(200)),
    "a directory outside": b"MM\0*\xff\xff\xff\xff",
    "more entries than bytes": b"MM\0*\0\0\0\x08\xff\xff" + bytes(20),
    "values outside": b"MM\0*\0\0\0\x08\0\1\1\x1a\0\5\0\0\xff\xff\xff\xff\xff\xff\0\0\0\0",
    "an orientation of nine": exif(9)[6:],
    "an orientation of nought": exif(0)[6:],
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("data", BROKEN_EXIF.values(), ids=BROKEN_EXIF)
def test_a_picture_with_broken_exif_data_is_shown_as_it_is_stored(kind: str, data: bytes) -> None:
    plain = Image.new("RGB", (30, 20), RED)
    if kind == "JPEG":
        file = segment(saved(plain, kind), 0xE1, b"Exif\0\0" + data)
    elif kind == "PNG":
        file = png((30, 20), 8, 2, (b"\0" + bytes(RED) * 30) * 20, before=chunk(b"eXIf", data))
    else:
        file = saved(plain, kind, exif=b"Exif\0\0" + data)
    image = decode_image(file)
    assert image.size == (30, 20)
    assert close(image, RED)


ZEROS = zlib.compress(bytes(64 * 2**20), 9)
PLAIN_PNG = (1, 1), 8, 2, b"\0" + bytes(RED)
BESIDE = {
    "zTXt that grows to 64 MiB": png(*PLAIN_PNG, before=chunk(b"zTXt", b"a\0\0" + ZEROS)),
    "iTXt that grows to 64 MiB": png(*PLAIN_PNG, before=chunk(b"iTXt", b"a\0\1\0\0\0" + ZEROS)),
    "iCCP that grows to 64 MiB": png(*PLAIN_PNG, before=chunk(b"iCCP", b"a\0\0" + ZEROS)),
    "an animation of no frames": png(*PLAIN_PNG, before=chunk(b"acTL", bytes(8))),
    "two animations": png(*PLAIN_PNG, before=chunk(b"acTL", b"\0\0\0\1\0\0\0\0") * 2),
    "an animation out of order": png(*PLAIN_PNG, before=chunk(b"fcTL", b"\7" * 26)),
    "a list of pictures that is none": segment(
        saved(Image.new("RGB", (8, 8), RED), "JPEG"), 0xE2, b"MPF\0MM\0*\0\0\0\x08\xff\xff"
    ),
    "a TIFF that goes round in circles": grey_tiff(next_page=8),
    "a TIFF whose next page is outside": grey_tiff(next_page=2**32 - 1),
    "a TIFF with a text outside": grey_tiff((270, 2, 1000, 2**31)),
    "a TIFF with EXIF data outside": grey_tiff((34665, 4, 1, 2**31)),
    "a TIFF with resolutions by the dozen": grey_tiff((282, 5, 12, DATA)),
    "a TIFF with tags of unknown types": grey_tiff((270, 99, 1, 0), (65000, 0, 0, 0)),
}


@pytest.mark.parametrize("data", BESIDE.values(), ids=BESIDE)
def test_what_is_beside_the_pixels_is_neither_unpacked_nor_warned_of(data: bytes) -> None:
    tracemalloc.start()
    image = decode_image(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert close(image, RED) or close(image, (50, 50, 50))
    assert peak < 2**20


def test_a_decoded_image_takes_nothing_along_when_it_is_saved() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(Image.new("RGB", (4, 4), RED), "PNG", icc_profile=profile, transparency=(1, 2, 3))
    assert Image.open(BytesIO(encode_png(decode_image(data)))).info == {}


OTHERS = {
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "SVG after a declaration": b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- by hand -->\n<svg/>',
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "HTML": b"<!DOCTYPE html><html><body><svg></svg></body></html>",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    "ICO": b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "Photoshop": b"8BPS\0\1",
    "ZIP": b"PK\3\4\x14\0",
    "gzip": b"\x1f\x8b\x08\0",
    "a data URL": b"data:image/png;base64,iVBORw0KGgo=",
    "text": b"not an image",
    "begins like none of these": b"\x81\x82\x83",
}


@pytest.mark.parametrize(("name", "data"), OTHERS.items(), ids=OTHERS)
def test_other_formats_are_named(name: str, data: bytes) -> None:
    with pytest.raises(UnsupportedInputError, match="JPEG, PNG, WebP, GIF, BMP or TIFF") as raised:
        decode_image(data)
    assert f" {name.split(' after')[0]}" in str(raised.value)


def test_a_format_that_pillow_knows_is_not_taken_for_that() -> None:
    for kind in ("ICO", "PPM", "TGA", "PCX", "JPEG2000", "DDS"):
        with pytest.raises(UnsupportedInputError):
            decode_image(saved(noise(), kind))


def test_one_byte_is_no_image() -> None:
    with pytest.raises(UnsupportedInputError, match="begins like none of these"):
        decode_image(b"\xff")


def test_no_bytes_are_no_image() -> None:
    with pytest.raises(BadInputError, match=r"The image is empty\. Send"):
        decode_image(b"")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_that_is_cut_short_is_refused(kind: str, part: float) -> None:
    data = saved(noise(), kind)
    with pytest.raises(BadInputError, match=r"cannot be decoded.* send it whole") as raised:
        decode_image(data[: int(len(data) * part)])
    assert kind.lower() in str(raised.value).lower()


MAGIC = {
    "JPEG": b"\xff\xd8\xff",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WebP": b"RIFF\0\1\0\0WEBP",
    "GIF": b"GIF89a",
    "BMP": b"BM",
    "TIFF": b"II*\0",
}
NOISE = random.Random(7).randbytes(500)
DAMAGED = {
    **{f"noise after the start of {name}": start + NOISE for name, start in MAGIC.items()},
    **{f"the start of {name} alone": start for name, start in MAGIC.items()},
    "a WebP without an image": b"RIFF\0\1\0\0WEBPABCD" + bytes(40),
    "a PNG of no size": png((0, 0), 8, 2, b""),
    "a PNG of an unknown colour": png((1, 1), 8, 5, bytes(9)),
    "a PNG with a wrong checksum": png(*PLAIN_PNG).replace(b"IHDR\0", b"IHDR\1", 1),
    "a PNG with pixels that are not packed": png(*PLAIN_PNG).replace(b"IDAT\x78", b"IDAT\0"),
    "a PNG with too many alphas": png(
        (1, 1), 8, 3, b"\0\0", before=chunk(b"PLTE", bytes(3)) + chunk(b"tRNS", bytes(600))
    ),
    "a PNG with half a transparent colour": png(*PLAIN_PNG, before=chunk(b"tRNS", b"\0")),
    "a GIF without a frame": b"GIF89a" + bytes(7) + b";",
    "a BMP of an unknown depth": bmp(2, 2, bits=7),
    "a BMP of an unknown compression": bmp(2, 2, compression=9),
    "a BMP of no height": bmp(2, 0),
    "a JPEG of 12 bits a sample": jpeg_of_header(8, 8, bits=12),
    "a JPEG without tables": jpeg_of_header(8, 8),
    "a JPEG without an end": jpeg_of_header(8, 8)[:-2],
    "a JPEG of tables alone": b"\xff\xd8" + b"\xff\xdd\0\4\0\0" * 2000,
    "a TIFF with its directory outside": b"II*\0\xff\xff\xff\x7f",
    "a TIFF with a directory of nothing": tiff(),
    "a TIFF with strips outside": grey_tiff(strips=2**31),
    "a TIFF with an unknown compression": grey_tiff(compression=4711),
    "a TIFF of 64 bits a sample": grey_tiff(bits=64),
    "a TIFF of a million samples a pixel": grey_tiff(samples=1_000_000),
    "a TIFF of no width": grey_tiff(width=0),
    "a TIFF with lists that overlap": grey_tiff((258, 3, 100, 0), (279, 4, 90, 0), (530, 3, 90, 0)),
    "a TIFF in tiles without width": grey_tiff((322, 3, 1, 0), (323, 3, 1, 0), compression=8),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadInputError, match="cannot be decoded"):
        decode_image(data)


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_refusal_is_in_plain_words(data: bytes) -> None:
    with pytest.raises(BadInputError) as raised:
        decode_image(data)
    assert not set("<>'\"\\/\n") & set(str(raised.value))


def test_a_compression_that_few_write_is_refused_by_its_name() -> None:
    data = saved(noise(), "TIFF", compression="lzma")
    with pytest.raises(UnsupportedInputError, match=r"by lzma, .* taken are none, LZW, deflate"):
        decode_image(data)


LARGE = {
    "a PNG of zeros": png((30_000, 30_000), 1, 0, bytes(3751 * 30_000)),
    "a GIF": gif((50_000, 50_000), (0, 0, 1, 1)),
    "a GIF with a large frame": gif((1, 1), (0, 0, 50_000, 50_000)),
    "a GIF with a frame far away": gif((1, 1), (65_535, 65_535, 1, 1)),
    "a WebP": webp_of_header(60_000, 60_000),
    "a JPEG": jpeg_of_header(65_500, 65_500),
    "a BMP": bmp(2**31 - 1, 2**31 - 1),
    "a BMP of a negative width": bmp(-10, 10),
    "a BMP from the top down": bmp(2**16, -(2**16)),
    "a TIFF": grey_tiff(width=2**31, height=2**31),
    "a TIFF with a large tile": grey_tiff(
        (322, 4, 1, 2**16), (323, 4, 1, 2**16), (324, 4, 1, DATA), compression=8
    ),
}


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("limit", [40_000_000, 2**62])
def test_pixels_are_counted_before_they_are_decoded(
    data: bytes, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's own limit holds where ours is higher."""
    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", lambda _: pytest.fail("decoded"))
    tracemalloc.start()
    with pytest.raises(InputTooLargeError, match=r"[\d,]+ pixels; at most [\d,]+ are taken"):
        decode_image(data, ImageLimits(max_pixels=limit))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(data) + 2**20


def test_a_refusal_of_size_names_both_numbers() -> None:
    data = saved(noise(60, 40), "PNG")
    with pytest.raises(InputTooLargeError, match="60 x 40 = 2,400 pixels; at most 2,399 are"):
        decode_image(data, ImageLimits(max_pixels=2399))
    with pytest.raises(InputTooLargeError, match=f"has {len(data):,} bytes; at most 1,000 are"):
        decode_image(data, ImageLimits(max_bytes=1000))


def test_an_image_may_be_as_large_as_the_limits() -> None:
    data = saved(noise(60, 40), "PNG")
    assert decode_image(data, ImageLimits(max_bytes=len(data), max_pixels=2400)).size == (60, 40)


def test_a_jpeg_of_many_scans_is_refused() -> None:
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    data = jpeg_of_header(5000, 5000)[:-2] + scan * 1000
    with pytest.raises(InputTooLargeError, match="101 scans or more; at most 100"):
        decode_image(data)


def test_a_tiff_of_many_strips_is_refused() -> None:
    data = grey_tiff((279, 4, 200_000, DATA)) + bytes(800_000)
    with pytest.raises(InputTooLargeError, match=r"200,000 strips.*; at most 100,000"):
        decode_image(data)


def test_a_server_short_of_memory_does_not_blame_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(MemoryError):
        decode_image(saved(noise(), "PNG"))


def mutants(data: bytes, number: int, dice: random.Random) -> Iterator[bytes]:
    for _ in range(number):
        mutant = bytearray(data)
        for _ in range(dice.choice((1, 2, 4, 16))):
            # Headers decide more than pixels, so every other change is there.
            end = len(mutant) if dice.random() < 0.5 else min(len(mutant), 200)
            position = dice.randrange(end)
            mutant[position] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        if dice.random() < 0.3:
            del mutant[dice.randrange(1, len(mutant)) :]
        yield bytes(mutant)


SEEDS = {
    **{kind: saved(noise(), kind) for kind in FORMATS},
    "progressive JPEG": saved(noise(), "JPEG", progressive=True, exif=exif(6)),
    "CMYK JPEG": saved(noise().convert("CMYK"), "JPEG"),
    "palette PNG": saved(palette(noise()), "PNG", transparency=b"\0\1\2"),
    "16-bit PNG": saved(Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60)), "PNG"),
    "animated PNG": saved(frames()[0], "PNG", save_all=True, append_images=frames()[1:]),
    "animated WebP": saved(frames()[0], "WEBP", save_all=True, append_images=frames()[1:]),
    "lossless WebP": saved(noise().convert("RGBA"), "WEBP", lossless=True, exif=exif(3)),
    "animated GIF": saved(frames()[0], "GIF", save_all=True, append_images=frames()[1:]),
    "palette BMP": saved(palette(noise()), "BMP"),
    "LZW TIFF": saved(noise(), "TIFF", compression="tiff_lzw"),
    "JPEG TIFF": saved(noise(), "TIFF", compression="jpeg"),
    "float TIFF": saved(noise().convert("F"), "TIFF", exif=exif(8)),
    "big TIFF": saved(noise(), "TIFF", big_tiff=True),
}


@pytest.mark.parametrize("action", ["error", "always"])
@pytest.mark.parametrize(("name", "data"), SEEDS.items(), ids=SEEDS)
def test_damage_of_any_kind_gives_an_image_or_a_refusal(
    name: str, data: bytes, action: "warnings._ActionKind"
) -> None:
    """With warnings as errors a warning would become a refusal, so it is done without as well."""
    limits = ImageLimits(max_pixels=1_000_000)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter(action)
        for mutant in mutants(data, 40, random.Random(name)):
            try:
                image = decode_image(mutant, limits)
            except InputError:
                continue
            assert image.mode == "RGB"
            assert image.width * image.height <= limits.max_pixels
            assert image.tobytes()
    assert warned == []


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_png_holds_the_image_that_was_encoded(mode: str) -> None:
    image = noise().convert(mode)
    read = Image.open(BytesIO(encode_png(image)))
    assert (read.format, read.mode) == ("PNG", mode)
    assert read.tobytes() == image.tobytes()
