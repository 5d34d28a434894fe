"""Settings that the config, the command line or a model folder gives wrong."""

from typing import Any

from daitir.config import load_config, require_files
from tests.bad_input.calls import Call, Place, call, case, cases
from tests.test_config import config

SERVED = {"kind": "openai", "model": "m", "base_url": "http://host/v1", "extra_body": {"api_key": "sk-1"}}
TEXT = {"encoder": "blip", "queries": "raw", "method": "text"}


def check(values: Any) -> Call:
    """Check a config as the Snakefile does before any job."""
    return Call(run=lambda: require_files(load_config(values)))


@cases(
    "config",
    {
        "a key that nothing knows": {"generators__sd3__step": 3},
        "a key that is missing": {"generators__sd3__model": None},
        "a value out of range": {"generators__sd3__steps": 0},
        "a key for the server": {"reformulators__served": SERVED},
        "a name that no component has": {"systems__dar__encoder": "blib"},
        "a name that cannot be a folder": {"systems__a/b": TEXT},
        "a model folder that is not there": {"encoders__blip__model": "models/of/nobody"},
        "a template that is not there": {"reformulators__llm__query_template": "no.jinja"},
        "more images than prompts": {"generators__sd3__images": 9},
        "training on what is evaluated": {"fusions__adafuse__train__dialogues": "mini-val"},
    },
)
def wrong_config(_: Place, edits: dict[str, Any]) -> Call:
    """The shipped config with one value changed."""
    return check(config(**edits))


@cases(
    "preflight",
    {
        "a config file that is not there": None,
        "a config file that is not YAML": "corpora: [",
    },
)
def wrong_config_file(place: Place, text: str | None) -> Call:
    """A config file for the check before a run."""
    path = place.folder / "config.yaml"
    if text is not None:
        path.write_text(text)
    return call(configfile=path)


@case("import", "options that are no JSON")
def options_in_pieces(place: Place) -> Call:
    """An argument that the shell took apart."""
    return call(options="{code:", file="f.json", corpus="c.json", output=place.folder / "d.parquet")


@case("import", "an option that nothing knows")
def unknown_option(place: Place) -> Call:
    """A record of another version."""
    options = {"code": "1", "format": "chatir", "rounds": 1, "round": 2}
    return call(options=options, file="f.json", corpus="c.json", output=place.folder / "d.parquet")
