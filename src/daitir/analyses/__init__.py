"""Analyses: what changes with the length of dialogues, the number of images, the weights, noise, and cost.

One small file an analysis, with a function ``rows`` (a `Subject`, which is one dialogue set, to rows of a
tidy table) and, where there is one, ``figure`` (that table to a `Chart`). Adding one is one file and one name
in `options`. Importing this loads nothing: the config reads the names.
"""

import importlib
from types import ModuleType

from daitir.analyses.options import Analysis


def load_analysis(name: Analysis) -> ModuleType:
    """Return the module of an analysis; torch is loaded when one ranks anew."""
    return importlib.import_module(f"daitir.analyses.{name}")
