"""Systems that are ranked together: their queries are sums of one text and one image with weights.

One job takes the scores of text and image once for all of them. Nothing hangs on it: each system's ranks are
those that it has by itself.
"""

from typing import Any

from daitir.config import Config
from daitir.config.parts import System
from daitir.fusions.options import AddOptions, DarOptions, ImageOptions, TextOptions

LINEAR = (TextOptions, ImageOptions, AddOptions, DarOptions)
FEWEST = 3  # two systems have two scores, together or not


def ranked_together(config: Config) -> list[tuple[str, ...]]:
    """Return the names of the systems of each such job, in the config's order.

    They look at the same queries with the same encoder and at the same generated images if at any, and are
    measured on the same dialogue sets. A text is ranked with the first images that it fits.
    """
    found: dict[tuple[Any, ...], dict[str | None, list[str]]] = {}
    for name, system in config.systems.items():
        if isinstance(config.fusion_of(system), LINEAR) and config.tuned(system.encoder) is None:
            where = tuple(dialogues for dialogues in config.evaluate if system.is_measured_on(dialogues))
            by_images = found.setdefault((system.encoder, system.queries, where), {})
            by_images.setdefault(_images(config, system), []).append(name)
    groups, order = [], list(config.systems)
    for by_images in found.values():
        texts = by_images.pop(None, [])
        for names in by_images.values() or [[]]:
            groups.append(tuple(sorted([*texts, *names], key=order.index)))
            texts = []
    return [names for names in groups if len(names) >= FEWEST]


def ranked_with(config: Config, system: str) -> tuple[str, ...]:
    """Return the systems that one is ranked together with, itself among them; the first names the job."""
    return next((names for names in ranked_together(config) if system in names), (system,))


def _images(config: Config, system: System) -> str | None:
    return system.images if config.fusion_of(system).uses_images else None
