import io

import numpy as np
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


def saved(image, format_="PNG", **settings):
    stream = io.BytesIO()
    image.save(stream, format_, **settings)
    return stream.getvalue()


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_ordinary_picture_is_taken_as_it_is(mode, format_):
    """Pixels without transparency, orientation or depth are those that PIL decodes."""
    data = encoded(mode, format_=format_)
    plain = Image.open(io.BytesIO(data)).convert("RGB")
    assert images.decode_image(data, "a").tobytes() == plain.tobytes()


@pytest.mark.parametrize(
    ("grey", "format_"),
    [
        (np.array([[0, 128, 129, 32_896, 65_535]], np.uint16), "PNG"),
        (np.array([[0, 128, 129, 32_896, 65_535]], np.uint16), "TIFF"),
        (np.array([[0, 128, 129, 32_896, 65_535]], np.int32), "TIFF"),
    ],
)
def test_grey_of_16_bits_keeps_its_shades(grey, format_):
    """65535 is white, and 257 steps of it are one of ours."""
    image = images.decode_image(saved(Image.fromarray(grey), format_), "a")
    assert np.asarray(image)[0].tolist() == [[shade] * 3 for shade in (0, 0, 1, 128, 255)]


@pytest.mark.parametrize("grey", [np.float32([[0, 0.5]]), np.int32([[0, 65_536]]), np.int32([[-1, 9]])])
def test_grey_without_a_known_white_is_refused(grey):
    """Fractions, and whole numbers beyond 16 bits, may mean anything."""
    with pytest.raises(DaitirError, match=r"a\.tif has grey values from .* nobody knows what is white"):
        images.decode_image(saved(Image.fromarray(grey), "TIFF"), "a.tif")


def palette():
    """Two pixels of red, of which the first is a hole."""
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0] * 2)
    image.putpixel((1, 0), 1)
    return image


@pytest.mark.parametrize(
    ("data", "second"),
    [
        (saved(Image.fromarray(np.uint8([[[0, 0, 0, 0], [200, 0, 0, 255]]]))), [200, 0, 0]),
        (saved(Image.fromarray(np.uint8([[[0, 0, 0, 0], [200, 0, 0, 51]]]))), [244, 204, 204]),
        (saved(Image.fromarray(np.uint8([[[0, 0], [7, 255]]]), "LA")), [7, 7, 7]),
        (saved(palette(), transparency=0), [255, 0, 0]),
        (saved(palette(), "GIF", transparency=0), [255, 0, 0]),
        (saved(Image.fromarray(np.uint8([[0, 7]])), transparency=0), [7, 7, 7]),
    ],
    ids=["whole", "a fifth", "grey", "palette", "gif", "key"],
)
def test_what_is_transparent_stands_on_white(data, second):
    """The first pixel is not seen at all; the second is, a fifth of it in one case."""
    image = np.asarray(images.decode_image(data, "a"))
    assert image[0].tolist() == [[255, 255, 255], second]


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("orientation", "seen"),
    [(1, "left"), (3, "right"), (6, "top"), (8, "bottom"), (99, "left")],
)
def test_a_picture_that_lies_on_its_side_is_turned(orientation, seen, format_):
    """A phone writes what its sensor saw, dark on the left here, and in EXIF how it was held."""
    image = Image.new("RGB", (32, 16), "white")
    image.paste("black", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = images.decode_image(saved(image, format_, exif=exif), "a").convert("L")
    grey = np.asarray(turned).astype(int)
    edges = {"left": grey[:, :4], "right": grey[:, -4:], "top": grey[:4], "bottom": grey[-4:]}
    assert [name for name, edge in edges.items() if edge.max() < 9] == [seen]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("damage", [b"Exif\0\0", b"Exif\0\0XX*\0", b"Exif\0\0II*\0\xff\xff\xff\xff\x01"])
def test_damaged_exif_harms_no_picture(damage):
    """Its pixels are sound."""
    image = Image.new("RGB", (16, 8), "red")
    plain = Image.open(io.BytesIO(saved(image, "JPEG"))).tobytes()
    assert images.decode_image(saved(image, "JPEG", exif=damage), "a").tobytes() == plain


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
