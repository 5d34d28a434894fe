"""The config is refused with one line a fault, each with the path of its key."""

from pathlib import Path

import pytest
import yaml

from daitir.config import ConfigError, load_config, require_files

ROOT = Path(__file__).parents[1]


def config(**edits):
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for path, value in edits.items():
        *parents, last = path.split("__")
        place = values
        for parent in parents:
            place = place[parent]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return values


def tuned(of="blip", **edits):
    """A tuned encoder as the config writes it; an edit of None leaves a key of the recipe out."""
    recipe = {"kind": "dmcl", "dialogues": "mini-train", "queries": "llm", "images": "sd3"} | edits
    train = {key: value for key, value in recipe.items() if value is not None}
    return {"kind": "tuned", "encoder": of, "train": train}


@pytest.mark.parametrize(
    "path", [ROOT / "config.yaml", *sorted((ROOT / "config").glob("*.yaml"))], ids=lambda p: p.name
)
def test_shipped_config_is_valid(path):
    """The default and every preset pass."""
    assert load_config(yaml.safe_load(path.read_text())).systems


@pytest.mark.parametrize(
    ("edits", "line"),
    [
        ({"generatos": {}}, "generatos: unknown key"),
        ({"generators__sd3__step": 3}, "generators.sd3.step: unknown key"),
        ({"encoders__blip__max_token": 3}, "encoders.blip.max_token: unknown key"),
        ({"fusions__adafuse__train__epoch": 3}, "fusions.adafuse.train.epoch: unknown key"),
        ({"report__hit": []}, "report.hit: unknown key"),
        ({"generators__sd3__" + 300 * "s": 3}, f"generators.sd3.{100 * 's'}...: unknown key"),
        ({"generators__sd3__steps": 300 * "s"}, f"(given '{99 * 's'}...)"),
        ({"generators__sd3__model": None}, "generators.sd3.model: missing"),
        ({"generators__sd3__steps": 0}, "generators.sd3.steps:"),
        ({"encoders__blip__kind": "blap"}, "encoders.blip: "),
        # The kind of a component stands in no path, however deep; a name that is also a kind does.
        (
            {"simulations__mini-simulated__questioner__prompts": 3},
            "simulations.mini-simulated.questioner.prompts: unknown key",
        ),
        (
            {"simulations__mini-simulated__captioner": {"kind": "python"}},
            "simulations.mini-simulated.captioner.function: missing",
        ),
        ({"systems__adafuse__methods": "add"}, "systems.adafuse.methods: unknown key"),
        (
            {"reformulators__openai": {"kind": "openai", "model": "m"}},
            "reformulators.openai.base_url: missing",
        ),
        ({"fusions__text": {"kind": "dar", "alpha": {0: "x"}}}, "fusions.text.alpha.0: "),
        (
            {"systems__dar__method": "darr"},
            "systems.dar.method: no fusion is called 'darr'; there are adafuse, add, dar",
        ),
        ({"systems__dar__baseline": "txt"}, "systems.dar.baseline: no system is called 'txt'"),
        ({"systems__dar__queries": "gpt"}, "systems.dar.queries: no reformulator is called 'gpt'"),
        ({"systems__dar__images": None}, "systems.dar.images: missing"),
        ({"dialogues__mini-val__corpus": "coco"}, "dialogues.mini-val.corpus: no corpus is called 'coco'"),
        ({"evaluate": ["visdial"]}, "evaluate.0: no dialogue set is called 'visdial'"),
        ({"generators__sd3__images": 9}, "generators.sd3.images: 9 images a round"),
        ({"evaluate": ["mini-train"]}, "fusions.adafuse.train.dialogues: 'mini-train' is evaluated too"),
        (
            {"systems__a/b": {"encoder": "blip", "queries": "raw", "method": "text"}},
            "systems.a/b: a name is made of letters",
        ),
        (
            {"generators__sd3__model": "models/of/nobody"},
            "generators.sd3.model: there is no folder models/of/nobody",
        ),
        (
            {"reformulators__llm__query_template": "no.jinja"},
            "reformulators.llm.query_template: there is no file no.jinja",
        ),
        (
            {"dialogues__mini-val__rounds_per_dialogue": 3},
            "dialogues.mini-val.rounds_per_dialogue: 'mini-val' is",
        ),
        ({"systems__text__images": "sd3"}, "systems.text.images: method 'text' looks at no generated images"),
        (
            {
                "generators__sd3__images": 1,
                "fusions__two": {"kind": "dar", "images": 2},
                "systems__dar__method": "two",
            },
            "systems.dar.method: 'two' looks at 2 images a round, but generators.sd3 draws 1",
        ),
        ({"report__hits": []}, "report.hits:"),
        (
            {"fusions__theirs": {"kind": "adafuse-released"}},
            "fusions.theirs.weights: missing, write the file",
        ),
        (
            {"fusions__theirs": {"kind": "adafuse-released", "weights": "no.safetensors"}},
            "fusions.theirs.weights: there is no file no.safetensors",
        ),
        (
            {"dialogues__mini-val-llm__round_0_from": "visdial"},
            "dialogues.mini-val-llm.round_0_from: no dialogue set is called 'visdial'",
        ),
        (
            {"dialogues__mini-val__round_0_from": "mini-val"},
            "dialogues.mini-val.round_0_from: 'mini-val' must make its own round 0",
        ),
        (
            {"dialogues__mini-val__round_0_from": "mini-train"},
            "dialogues.mini-val.round_0_from: 'mini-train' searches another corpus",
        ),
        (
            {"systems__dar__dialogues": ["mini-train"]},
            "systems.dar.dialogues.0: no evaluated dialogue set is called 'mini-train'",
        ),
        (
            {"evaluate": ["mini-val", "mini-val-llm"], "systems__text__dialogues": ["mini-val-llm"]},
            "systems.dar.baseline: 'text' is not measured on 'mini-val': name it there too",
        ),
        (
            {
                "reformulators__published": {"kind": "released", "files": {"visdial": "x.json"}},
                "systems__text__queries": "published",
            },
            "reformulators.published.files: nothing for the dialogue set 'mini-val'; there are visdial",
        ),
        (
            {
                "generators__published": {"kind": "released", "folders": {"visdial": "x"}},
                "systems__dar__images": "published",
            },
            "generators.published.folders: nothing for the dialogue set 'mini-val'; there are visdial",
        ),
        ({"fusions__dar": {"kind": "dar"}}, "fusions.dar: this name is built in"),
        ({"encoders__t": tuned(of="clip")}, "encoders.t.encoder: no encoder is called 'clip'"),
        (
            {"encoders__t": tuned(dialogues="mini-val")},
            "encoders.t.train.dialogues: 'mini-val' is evaluated too; train on others",
        ),
        ({"encoders__t": tuned(dialogues="x")}, "encoders.t.train.dialogues: no dialogue set is called 'x'"),
        ({"encoders__t": tuned(queries="x")}, "encoders.t.train.queries: no reformulator is called 'x'"),
        ({"encoders__t": tuned(images="x")}, "encoders.t.train.images: no generator is called 'x'"),
        ({"encoders__t": tuned(epoch=3)}, "encoders.t.train.epoch: unknown key"),
        (
            {"encoders__t": tuned(kind="chatir", images=None)},
            "encoders.t.train.queries: chatir reads dialogues as",
        ),
        (
            {"encoders__t": tuned(kind="plugir", images=None, queries="raw")},
            "encoders.t.train.queries: plugir reads reformulated ones; 'raw' is another",
        ),
        (
            {"encoders__t": tuned(), "encoders__u": tuned(of="t")},
            "encoders.u.encoder: 't' is of kind 'tuned'; tuned are those of beit3, blip, clip",
        ),
        (
            {"encoders__t": tuned(seeds=[0]), "systems__adafuse__encoder": "t"},
            "systems.adafuse.method: 'adafuse' is trained with seeds [0, 1, 2] and encoder 't' with [0]",
        ),
        (
            {
                "report__claims": [
                    {"kind": "gate-falls", "claim": "c", "system": "dar", "dialogues": "mini-val"}
                ]
            },
            "report.claims.0.system: 'dar' weighs all queries of a round alike",
        ),
        ({"corpora__mini__judge": "code"}, "corpora.mini.judge: "),
        ({"oracles": {"o": {"of": ["text", "none"]}}}, "oracles.o.of.1: no system is called 'none'"),
        ({"oracles": {"o": {"of": ["text"]}}}, "oracles.o.of: "),
        ({"oracles": {"text": {"of": ["text", "dar"]}}}, "oracles.text: a system has this name"),
        (
            {"oracles": {"o": {"of": ["text", "dar"], "baseline": "x"}}},
            "oracles.o.baseline: no system is called 'x'",
        ),
    ],
)
def test_fault_is_named_by_its_path(edits, line):
    """Unknown keys at every level, names that no component has, and values out of range."""
    with pytest.raises(ConfigError) as refused:
        require_files(load_config(config(**edits), "config.yaml"), "config.yaml")
    assert any(one.startswith("config.yaml: ") and line in one for one in refused.value.lines)


def test_all_faults_are_shown_at_once():
    """Two mistakes are two lines."""
    with pytest.raises(ConfigError) as refused:
        load_config(config(generators__sd3__step=3, encoders__blip__max_token=3))
    assert len(refused.value.lines) == 2


def test_numbers_in_other_words_are_the_same_config():
    """What YAML reads as a text, such as 1e-3, and key order make no difference."""
    one = config(fusions__adafuse__train__learning_rate=0.001)
    two = dict(reversed(config(fusions__adafuse__train__learning_rate="1e-3").items()))
    assert load_config(one) == load_config(two)
