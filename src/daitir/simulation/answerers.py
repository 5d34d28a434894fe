"""Who answers: the ways in to the models that see, and the check of what they say."""

import importlib
from collections.abc import Sequence
from typing import Any

from daitir.compute import quiet_libraries
from daitir.errors import DaitirError
from daitir.simulation import Answerer, AnswererOptions, PythonAnswerer


def load_answerer(options: AnswererOptions) -> Answerer:
    """Return the answerer of ``options``."""
    if isinstance(options, PythonAnswerer):
        return load_python(options.function)
    quiet_libraries("transformers")
    from daitir.simulation.vision import VisionModel

    return VisionModel(options)


def load_python(function: str) -> Answerer:
    """Return what ``package.module:Name`` makes when it is called without arguments."""
    module, _, name = function.partition(":")
    try:
        make = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DaitirError(f"answerer {function} cannot be imported ({error}): mend `function:`") from error
    answerer: Any = make()
    lacking = [method for method in ("caption", "answer") if not callable(getattr(answerer, method, None))]
    if lacking:
        raise DaitirError(f"answerer {function} has no method {lacking[0]!r}: write it")
    return answerer


def require_texts(texts: Sequence[Any], places: Sequence[str]) -> list[str]:
    """Return texts on one line each; one that is missing, no text or empty is refused by its place."""
    if len(texts) != len(places):
        raise DaitirError(
            f"{len(texts)} texts came back for {len(places)} images from {places[0]} on: mend the answerer"
        )
    lines = [" ".join(text.split()) if isinstance(text, str) else "" for text in texts]
    for place, line in zip(places, lines, strict=True):
        if not line:
            raise DaitirError(f"{place}: the text is empty; set another prompt or choose another answerer")
    return lines
