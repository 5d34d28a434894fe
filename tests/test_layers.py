"""The layers hold: leaves < formats < components and pure < stages."""

from pathlib import Path

import pytest

from daitir.provenance import imports_of

SOURCE = Path(__file__).parents[1] / "src"
LAYERS = [
    {
        "errors",
        "files",
        "locks",
        "roots",
        "progress",
        "options",
        "provenance",
        "seals",
        "benchmarks",
        "layout",
        "command",
        "machine",
        "scratch",
        "compute",
        "memory",
        "exact",
        "best",
        "close",
        "shares",
        "standings",
        "units",
        "overlap",
        "ahead",
        "arithmetic",
        "garbage",
        "charts",
    },
    {
        "tables",
        "dialogues",
        "corpora",
        "queries",
        "shards",
        "members",
        "checkpoints",
        "images",
        "features",
        "stores",
        "samples",
        "weights",
        "history",
    }
    | {"ranks", "runs", "readers", "fetch"},
    {"scoring", "metrics", "statistics", "plots"},
    {"chat", "together"},
    {"reformulators", "generators", "encoders", "fusions", "simulation", "evaluation"},
    {"convert", "analyses", "ranking"},
    {"report"},
    {"tuning", "explorer"},
    {"config"},
    {"planning"},
    {"preflight"},
    {"verify", "status"},
    {"stages"},
]
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in (SOURCE / "daitir").rglob("*.py")
)


def room(module):
    """Return the top-level room of a module: ``daitir.fusions.dar`` lies in ``fusions``."""
    return module.split(".")[1] if "." in module else ""


def layer(module):
    return next((height for height, rooms in enumerate(LAYERS) if room(module) in rooms), None)


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) not in {"", "mini"}])
def test_no_arrow_runs_back_up(module):
    """A module imports its own room and lower layers only, and every module has a layer."""
    assert layer(module) is not None, f"{module} has no layer: add it to LAYERS"
    for name in imports_of(module):
        allowed = layer(name) is not None and (room(name) == room(module) or layer(name) < layer(module))
        same_low_layer = layer(name) == layer(module) and layer(module) in {0, 1}
        assert allowed or same_low_layer, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("daitir.stages.")])
def test_nothing_imports_a_stage(module):
    """Stages know nothing of each other."""
    assert not [name for name in MODULES if name != module and module in imports_of(name)]


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) != "mini"])
def test_the_pipeline_knows_nothing_of_mini(module):
    """mini is data and models like any other."""
    assert not [name for name in imports_of(module) if room(name) == "mini"]
