"""Decoding of images; a file that is missing, damaged or absurdly large is refused by its name."""

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from PIL import Image

from daitir.errors import DaitirError

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_PIXELS = 100_000_000  # far above any camera's picture, far below what fills the memory


def decode_image(data: bytes, source: str) -> Image.Image:
    """Return the RGB image in ``data``; ``source`` names it in errors."""
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MOST_PIXELS:
            raise DaitirError(
                f"{source} is absurdly large ({image.width} x {image.height} pixels): replace or remove it"
            )
        return image.convert("RGB")
    except Image.DecompressionBombError:
        raise DaitirError(f"{source} is absurdly large: replace or remove it") from None
    except Image.UnidentifiedImageError:
        raise DaitirError(f"{source} is not an image that can be read: replace or remove it") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DaitirError(
            f"{source} is damaged or cut short ({error}): fetch it again or remove it"
        ) from None


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """Yield ``function`` of each item in order, computed a little ahead by threads; 0: in this thread."""
    if workers == 0:
        yield from map(function, items)
        return
    source = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        try:
            waiting: list[Future[Result]] = [
                pool.submit(function, item) for item in islice(source, 16 * workers)
            ]
            while waiting:
                result = waiting.pop(0).result()
                waiting.extend(pool.submit(function, item) for item in islice(source, 1))
                yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
