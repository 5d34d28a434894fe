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
    try:
        with Image.open(io.BytesIO(data)) as image:
            format_ = str(image.format).lower()
            is_small = max(image.size) <= LARGEST
    except (OSError, SyntaxError, ValueError) as error:
        raise DaitirError(f"{source} is not an image ({error}): fetch or make it again") from None
    if not is_small or format_ not in MEDIA:
        data, format_ = _smaller(decode_image(data, source)), "webp"
    return f"data:{MEDIA[format_]};base64,{base64.b64encode(data).decode()}"


def _smaller(small: Image.Image) -> bytes:
    small.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    small.save(sink, "webp", quality=82, method=4)
    return sink.getvalue()
