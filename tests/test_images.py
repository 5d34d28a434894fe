import io

import pytest
from PIL import Image

from daitir import images
from daitir.errors import DaitirError


def encoded(mode="RGB", size=(30, 20), format_="PNG"):
    stream = io.BytesIO()
    Image.effect_noise(size, 50).convert(mode).save(stream, format_)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_every_kind_of_image_becomes_rgb(mode):
    """Grey, palette and transparent images come out as RGB."""
    image = images.decode_image(encoded(mode), "x.png")
    assert (image.mode, image.size) == ("RGB", (30, 20))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.png is not an image"),
        (b"<html>not found</html>", "a.png is not an image"),
        (encoded()[:-200], "a.png is damaged or cut short"),
        (encoded(format_="JPEG")[:-200], "a.png is damaged or cut short"),
    ],
)
def test_a_damaged_image_is_refused_by_name(data, message):
    """Empty, foreign and truncated files stop the work."""
    with pytest.raises(DaitirError, match=message):
        images.decode_image(data, "a.png")


@pytest.mark.parametrize("limit", [10, None])
def test_an_absurdly_large_image_is_refused(monkeypatch, limit):
    """Above our limit, and above PIL's own."""
    if limit:
        monkeypatch.setattr(images, "MOST_PIXELS", limit)
    else:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DaitirError, match=r"a\.png is absurdly large"):
        images.decode_image(encoded(), "a.png")


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_threads_keep_the_order_and_hand_on_errors(workers):
    """Results come in the order of the items, an error at its place."""
    assert list(images.in_threads(lambda number: number * 2, range(100), workers)) == list(range(0, 200, 2))
    results = images.in_threads(lambda number: 1 // (2 - number), range(100), workers)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
