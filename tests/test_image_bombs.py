"""Small files that would fill the memory, and files that PIL would hand to other programs, are refused."""

import io
import resource
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from PIL import Image

from daitir.errors import DaitirError
from daitir.images import decode_image
from tests.faults.ledger import record

ROOM = 200 * 2**20  # bytes; each bomb would take more


def chunk(kind, data):
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, pixels=b""):
    """A PNG as its header says, whatever lies behind it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    parts = [
        b"\x89PNG\r\n\x1a\n",
        header,
        *chunks,
        chunk(b"IDAT", zlib.compress(pixels)),
        chunk(b"IEND", b""),
    ]
    return b"".join(parts)


def patched(format_, place, new):
    """A small picture with other bytes in its header."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, format_)
    data = bytearray(stream.getvalue())
    data[place : place + len(new)] = new
    return bytes(data)


def moving(format_, count=3):
    """A picture of several colours, one after the other."""
    stream = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "white", "black")[:count]]
    frames[0].save(stream, format_, save_all=True, append_images=frames[1:])
    return stream.getvalue()


ZEROS = zlib.compress(bytes(300 * 2**20), 9)
MEGABYTE = zlib.compress(bytes(2**20 - 1), 9)
PIXELS = bytes(2 * (3 * 2 + 1))
MORE_PIXELS = png(2, 2, pixels=bytes(300 * 2**20))
BOMBS = {
    "sixty thousand pixels a side": (png(60_000, 60_000), "absurdly large"),
    "the most pixels a side": (png(2**31 - 1, 2**31 - 1), "absurdly large"),
    "a line of pixels": (png(2**31 - 1, 1), "absurdly large"),
    "a large screen of GIF": (patched("GIF", 6, b"\xff\xff\xff\xff"), "absurdly large"),
    "a large BMP": (patched("BMP", 18, struct.pack("<ii", 2**30, 2**30)), "absurdly large"),
    "an upside down BMP": (patched("BMP", 18, struct.pack("<ii", 2**20, -(2**20))), "absurdly large"),
    "a text": (png(2, 2, chunk(b"zTXt", b"c\0\0" + ZEROS), pixels=PIXELS), "damaged"),
    "a text of many languages": (png(2, 2, chunk(b"iTXt", b"c\0\1\0\0\0" + ZEROS), pixels=PIXELS), "damaged"),
    "a colour profile": (png(2, 2, chunk(b"iCCP", b"c\0\0" + ZEROS), pixels=PIXELS), "damaged"),
    "many texts": (png(2, 2, *[chunk(b"zTXt", b"c\0\0" + MEGABYTE)] * 300, pixels=PIXELS), "damaged"),
    "a large picture and no pixels": (png(9_999, 9_999), "damaged"),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "not an image",
    ),
    "a vector picture": (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "not an image"),
    "a film": (b"\0\0\0\x18ftypmp42" + bytes(200), "not an image"),
}


@pytest.fixture
def little_memory():
    """No more than ROOM may be taken beyond what is."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused(bomb, little_memory, monkeypatch):
    """By its header, or where it grows; no other program is called."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("another program is called"))
    data, message = BOMBS[bomb]
    with pytest.raises(DaitirError, match=message) as caught:
        decode_image(data, "a.png")
    assert "MemoryError" not in str(caught.value) or bomb == "a large picture and no pixels"
    assert len(str(caught.value)) < 400
    record("an image bomb")


def test_more_pixels_than_the_header_says_are_left_alone(little_memory):
    """They are never unpacked."""
    assert decode_image(MORE_PIXELS, "a.png").size == (2, 2)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_a_picture_that_moves_the_first_is_taken(format_):
    """Whatever comes after it."""
    assert decode_image(moving(format_), "a").getpixel((4, 4))[0] > 240
    assert decode_image(moving(format_), "a").getpixel((4, 4))[2] < 15
