"""What an image file says before anything is decoded: what it is, how large, which way up.

Some of what Pillow reads when it opens a file is of no use here, yet it unpacks it or warns of it:
texts, profiles, animations, further pages. Its warnings cannot be silenced for one thread alone,
so a file is handed over without them. What is cut short raises `struct.error`, `IndexError` or
`ValueError`; a file that is small but much work, InputTooLargeError.
"""

import re
import struct

from PIL import TiffTags

from slipway.errors import InputTooLargeError

_FORMATS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WebP": rb"RIFF.{4}WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
}
FORMATS = tuple(_FORMATS)

# What people send instead, by its first bytes.
_OTHER_FORMATS = {
    "HTML": rb"(?i)\s*<(!doctype html|html)\b",
    "SVG": rb"\s*<(svg|[?!].*<svg)\b",
    "XML": rb"\s*<\?xml\b",
    "PDF": rb"%PDF-",
    "EPS or PostScript": rb"%!PS|\xc5\xd0\xd3\xc6",
    "HEIC": rb".{4}ftyp(hei|hev|mif1|msf1)",
    "AVIF": rb".{4}ftypavi",
    "MP4 or QuickTime": rb".{4}ftyp",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XL": rb"\0\0\0\x0cJXL |\xff\x0a",
    "ICO": rb"\0\0\x01\0",
    "Photoshop (PSD)": rb"8BPS",
    "ZIP": rb"PK\x03\x04",
    "gzip": rb"\x1f\x8b",
    "a data URL": rb"data:",
    "text": rb"[\t\n\r -~]+\Z",
}
_OTHER_FORMATS_START = 1024

_PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"IEND"}

# A marker of JPEG; within the data of a scan, 0xFF stands before 0 or the number of a restart.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
_JPEG_LONE_MARKERS = {0x01, 0xD8}
_JPEG_END, _JPEG_SCAN, _JPEG_EXIF = 0xD9, 0xDA, 0xE1
# Comments, and notes of applications except the two that tell the colours: JFIF's and Adobe's.
_JPEG_NOTES = {0xFE, *range(0xE0, 0xF0)} - {0xE0, 0xEE}
# Tables, of which four of a kind can be in use.
_MAX_JPEG_SEGMENTS = 1000
# A progressive JPEG has about ten. A file of megabytes has room for a hundred thousand empty ones,
# each of which visits every pixel: hours of work. libtiff draws the line here too.
_MAX_JPEG_SCANS = 100

_ORIENTATION = 274
# The tags that say how pixels are stored.
_TIFF_TAGS = {
    256, 257, 258, 259, 262, 266, 273, _ORIENTATION, 277, 278, 279, 284, 292, 293, 317, 320,
    322, 323, 324, 325, 338, 339, 347, 529, 530, 531, 532,
}  # fmt: skip
# BYTE, SHORT, LONG, RATIONAL, UNDEFINED and LONG8: what those tags have, and its size.
_TIFF_TYPES = {1: 1, 3: 2, 4: 4, 5: 8, 7: 1, 16: 8}
# Of these, many are one value.
_TIFF_BYTES = {1, 7}
# Pillow sets up a decoder for each strip of a TIFF without compression: a second for this many.
_MAX_TIFF_VALUES = 100_000


def format_of(data: bytes) -> str | None:
    """Return which of FORMATS a file begins like, if any."""
    return _first_match(_FORMATS, data)


def other_format_of(data: bytes) -> str | None:
    """Return what a file that is none of FORMATS seems to be, None where it cannot be told."""
    return _first_match(_OTHER_FORMATS, data[:_OTHER_FORMATS_START].removeprefix(b"\xef\xbb\xbf"))


def _first_match(patterns: dict[str, bytes], data: bytes) -> str | None:
    matches = (name for name, start in patterns.items() if re.match(start, data, re.DOTALL))
    return next(matches, None)


def jpeg_of_pixels(jpeg: bytes) -> tuple[bytes, bytes]:
    """Return a JPEG without what its pixels do not need, and apart from it its EXIF data.

    What follows it, such as the further pictures that many phones append (MPO), is gone too.
    """
    kept = [jpeg[:2]]
    exif = b""
    scans, first_scan = 0, len(jpeg)
    position = 2
    while marker := _JPEG_MARKER.search(jpeg, position):
        kind = marker[1][0]
        position = marker.end()
        if kind == _JPEG_END:
            break
        if kind in _JPEG_LONE_MARKERS:
            continue
        start = position
        position += int.from_bytes(jpeg[start : start + 2])
        if kind == _JPEG_SCAN:
            first_scan = min(first_scan, marker.start())
            scans += 1
            if scans > _MAX_JPEG_SCANS:
                raise InputTooLargeError(
                    f"The JPEG image has {scans:,} scans or more; at most {_MAX_JPEG_SCANS:,} are "
                    "taken. Save it again as a baseline JPEG."
                )
        elif scans:
            continue
        elif kind not in _JPEG_NOTES:
            kept.append(jpeg[marker.start() : position])
            if len(kept) > _MAX_JPEG_SEGMENTS:
                raise ValueError("it has too many tables")
        elif kind == _JPEG_EXIF and not exif and jpeg.startswith(b"Exif\0\0", start + 2):
            exif = jpeg[start + 2 : position]
    else:
        position = len(jpeg)
    return b"".join([*kept, jpeg[first_scan:position]]), exif


def png_of_pixels(png: bytes) -> bytes:
    """Return a PNG with the chunks alone that its pixels, and which way up they are, need.

    Of an animated one that is the image that viewers without animation show.
    """
    kept = [png[:8]]
    position = 8
    kind = b""
    while position + 8 <= len(png) and kind != b"IEND":
        length, kind = struct.unpack_from(">L4s", png, position)
        end = position + 12 + length
        if kind in _PNG_CHUNKS:
            kept.append(png[position:end])
        position = end
    return b"".join(kept)


def gif_size(gif: bytes) -> tuple[int, int]:
    """Return the size of the screen, enlarged where the first frame reaches out of it."""
    width, height, flags = struct.unpack_from("<HHB", gif, 6)
    position = 13
    if flags & 0x80:
        position += 3 << (flags & 7) + 1
    while gif[position] != ord(","):
        is_extension = gif[position] == ord("!")
        position += 1
        if is_extension:
            position += 1
            while length := gif[position]:
                position += 1 + length
            position += 1
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", gif, position + 1)
    return max(width, left + frame_width), max(height, top + frame_height)


def webp_size(webp: bytes) -> tuple[int, int]:
    """Return the size of the canvas."""
    match webp[12:16]:
        case b"VP8X":
            width, width_high, height, height_high = struct.unpack_from("<HBHB", webp, 24)
            return (width | width_high << 16) + 1, (height | height_high << 16) + 1
        case b"VP8L":
            (bits,) = struct.unpack_from("<L", webp, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", webp, 26)
            return width & 0x3FFF, height & 0x3FFF
        case _:
            raise ValueError("no image follows the header")


def tiff_of_first_page(tiff: bytes) -> bytes:
    """Return a TIFF whose one directory is the first, with the tags alone that its pixels need.

    Nothing moves, so offsets stay right: the new directory follows the file, and the header points
    to it. Raises ValueError for values that lie outside of the file, or are more than it can hold.
    """
    order = "<" if tiff.startswith(b"II") else ">"
    is_big = tiff[2:4] in (b"+\0", b"\0+")
    offset = struct.Struct(order + ("Q" if is_big else "L"))
    count = struct.Struct(order + ("Q" if is_big else "H"))
    entry = struct.Struct(order + ("HHQ8s" if is_big else "HHL4s"))
    header = 8 if is_big else 4
    (start,) = offset.unpack_from(tiff, header)
    (length,) = count.unpack_from(tiff, start)
    start += count.size
    table = tiff[start : start + length * entry.size]
    if len(table) < length * entry.size:
        raise ValueError("its directory is cut short")
    kept: dict[int, bytes] = {}
    values_size = 0
    for tag, kind, values, where in entry.iter_unpack(table):
        if tag not in _TIFF_TAGS or kind not in _TIFF_TYPES or values == 0:
            continue
        if values > 1 and kind not in _TIFF_BYTES and TiffTags.lookup(tag).length == 1:
            continue
        if values > _MAX_TIFF_VALUES:
            raise InputTooLargeError(
                f"The TIFF image lists {values:,} strips, tiles or the like (tag {tag}); at most "
                f"{_MAX_TIFF_VALUES:,} are taken."
            )
        size = values * _TIFF_TYPES[kind]
        if size > offset.size:
            values_size += size
            if offset.unpack(where)[0] + size > len(tiff) or values_size > len(tiff):
                raise ValueError("its directory points out of the file")
        kept.setdefault(tag, entry.pack(tag, kind, values, where))
    padding = b"\0" * (len(tiff) % 2)
    directory = [count.pack(len(kept)), *(kept[tag] for tag in sorted(kept)), offset.pack(0)]
    end = offset.pack(len(tiff) + len(padding))
    return b"".join([tiff[:header], end, tiff[header + offset.size :], padding, *directory])


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, that EXIF data tell; 1 where they are broken or tell none.

    A photograph is worth showing whatever its EXIF data say, so nothing is raised.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    order = ">" if tiff.startswith(b"MM") else "<"
    try:
        (start,) = struct.unpack_from(order + "L", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for number in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHLH", tiff, start + 2 + 12 * number)
            if tag == _ORIENTATION and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 1
