"""Pictures inside the page: small ones as they are, large ones made small, all as data URIs."""

import base64
import io

from PIL import Image

from daitir.errors import DaitirError
from daitir.images import decode_image

LARGEST = 192
MEDIA = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp"}


def data_uri(data: bytes, source: str) -> str:
    """Return an encoded image as a data URI; one above 192 px is scaled down and stored as WebP."""
    small, format_ = small_picture(data, source, LARGEST)
    return f"data:{MEDIA[format_]};base64,{base64.b64encode(small).decode()}"


def small_picture(data: bytes, source: str, largest: int) -> tuple[bytes, str]:
    """Return an image of at most ``largest`` pixels a side and its format; a larger one becomes WebP."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            format_ = str(image.format).lower()
            is_small = max(image.size) <= largest
    except (OSError, SyntaxError, ValueError) as error:
        raise DaitirError(f"{source} is not an image ({error}): fetch or make it again") from None
    if is_small and format_ in MEDIA:
        return data, format_
    return _smaller(decode_image(data, source, near=2 * largest), largest), "webp"


def _smaller(small: Image.Image, largest: int) -> bytes:
    small.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    small.save(sink, "webp", quality=82, method=4)
    return sink.getvalue()
