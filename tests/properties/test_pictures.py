"""Pictures: damaged PNG, JPEG, WebP, GIF, TIFF and BMP."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from daitir.images import decode_image

from .malformed import EDITS, damage, ends_well

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]


@pytest.fixture(autouse=True, scope="module")
def small_pictures():
    """A header may say up to MOST_PIXELS: of as many as now, each would take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("daitir.images.MOST_PIXELS", 100_000)
        yield


def picture(format_):
    stream = io.BytesIO()
    image = Image.frombytes("RGB", (24, 16), random.Random(0).randbytes(24 * 16 * 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(stream, format_, exif=exif)
    return stream.getvalue()


GOOD = {format_: picture(format_) for format_ in FORMATS}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("format_", FORMATS)
@given(data=st.data())
def test_a_damaged_picture_is_refused_or_decoded(format_, data):
    """What is decoded is an RGB picture of a size that its header says."""
    changed = damage(GOOD[format_], data.draw(EDITS))
    found = ends_well(decode_image, changed, "a.png", data.draw(st.sampled_from([None, 8])))
    if found is not None:
        assert found.mode == "RGB"
        assert min(found.size) > 0
        assert len(found.tobytes()) == 3 * found.width * found.height
