"""How much of a generated picture is true of its target: the world can be read back from either.

The judge of mini's corpora: ``judge: daitir.mini.hallucinations:share_true``.
"""

from PIL import Image

from daitir.mini.language import all_of
from daitir.mini.reading import read_scene


def share_true(picture: Image.Image, target: Image.Image) -> float:
    """Return the share of what a picture shows that holds in its target; 1 where it shows nothing."""
    shown, true = (all_of(read_scene(image)).facts for image in (picture, target))
    return len(shown & true) / len(shown) if shown else 1.0
