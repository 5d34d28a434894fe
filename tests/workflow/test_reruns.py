"""An edit of the config redoes exactly what depends on it."""

import json

import pytest
import yaml
from PIL import Image

from tests.workflow.conftest import ROOT, count_jobs

ANALYSES = {"analyse_ranks": 1, "analyse_features": 1, "draw_analyses": 1}
PAGES = {"write_report": 1, "write_summary": 1}
EVALUATION = {"measure_ranks": 1, "write_explorer": 1, "write_runs": 1} | PAGES | ANALYSES


def edit(config, path, value):
    *parents, last = path.split(".")
    for parent in parents:
        config = config[parent]
    config[last] = value


def test_finished_run_has_nothing_to_do(finished, smoke):
    """The second run is no run."""
    assert finished.planned(smoke()) == {}


def turned(mapping):
    return dict(reversed(mapping.items()))


def test_order_and_comments_of_the_config_mean_nothing(finished, smoke):
    """Keys in another order plan nothing; comments and white space are gone once YAML is read."""
    text = (ROOT / "config" / "smoke.yaml").read_text()
    config = yaml.safe_load("# a remark\n" + text.replace("\n\n", "\n\n\n# another\n"))
    systems = {name: turned(system) for name, system in config["systems"].items()}
    config = {key: turned(value) if isinstance(value, dict) else value for key, value in config.items()}
    assert finished.planned(turned(config) | {"systems": systems}) == {}


def test_order_of_the_systems_is_the_order_of_the_rows(finished, smoke):
    """Systems in another order change tables and page, and nothing before them."""
    config = smoke()
    assert finished.planned(config | {"systems": turned(config["systems"])}) == EVALUATION


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("generators.sd3.batch_size", 4),
        ("generators.sd3.device", "auto"),
        ("encoders.blip.batch_size", 7),
        ("encoders.blip.device", "auto"),
        ("reformulators.llm.batch_size", 3),
        ("fusions.adafuse.device", "auto"),
        ("generators.sd3.guidance", "3"),  # the same number in other words
    ],
)
def test_settings_that_change_no_bytes_redo_nothing(finished, smoke, path, value):
    """Batch sizes and devices are not part of the result."""
    config = smoke()
    edit(config, path, value)
    assert finished.planned(config) == {}


@pytest.mark.parametrize(
    ("path", "value", "jobs"),
    [
        ("fusions.adafuse.train.epochs", 4, {"train_fusion": 2, "plot_training": 1, "rank_candidates": 1}),
        (
            "fusions.adafuse.train.seeds",
            [0, 1, 2],
            {"train_fusion": 1, "plot_training": 1, "rank_candidates": 1},
        ),
        (
            "generators.sd3.steps",
            4,
            {
                "generate_images": 3,
                "encode_images": 3,
                "train_fusion": 2,
                "plot_training": 1,
                "rank_candidates": 2,
            },
        ),
        (
            "encoders.blip.max_tokens",
            32,
            {"encode_queries": 2, "train_fusion": 2, "plot_training": 1, "rank_candidates": 3},
        ),
        (
            "reformulators.llm.max_new_tokens",
            80,
            {
                "reformulate_dialogues": 3,
                "generate_images": 3,
                "encode_images": 3,
                "encode_queries": 2,
                "train_fusion": 2,
                "plot_training": 1,
                "rank_candidates": 3,
            },
        ),
        (
            "systems.added",
            {"encoder": "blip", "queries": "llm", "images": "sd3", "method": "add"},
            {"rank_together_1": 1},  # with text and dar, now that they are three
        ),
    ],
)
def test_an_edit_redoes_what_depends_on_it(finished, smoke, path, value, jobs):
    """Stages before the edited component, and components beside it, stay as they are."""
    config = smoke()
    edit(config, path, value)
    assert finished.planned(config) == jobs | EVALUATION


@pytest.mark.parametrize(
    ("path", "value", "jobs"),
    [
        ("report.hits", [1, 5, 10], {"measure_ranks": 1} | PAGES | ANALYSES),
        (
            "report.analyses",
            ["queries", "length", "stress"],
            {"analyse_ranks": 1, "draw_analyses": 1} | PAGES,
        ),
        ("report.runs_depth", 20, {"write_runs": 1} | PAGES),
        ("report.explorer", {"thumbnails": 3}, {"write_explorer": 1} | PAGES),
    ],
)
def test_an_edit_of_the_report_redoes_what_it_is_about(finished, smoke, path, value, jobs):
    """Measures leave the explorer alone; the report holds the config, so it is written anew."""
    config = smoke()
    edit(config, path, value)
    assert finished.planned(config) == jobs


def test_a_new_encoder_makes_features_and_no_images(finished, smoke):
    """The same pictures are encoded once more; nothing is written or drawn again."""
    config = smoke()
    config["encoders"]["second"] = config["encoders"]["blip"] | {"max_tokens": 16}
    config["systems"]["second"] = {"encoder": "second", "queries": "llm", "images": "sd3", "method": "dar"}
    jobs = {"encode_corpus": 1, "encode_queries": 1, "encode_images": 2, "rank_candidates": 1}
    assert finished.planned(config) == jobs | EVALUATION


def test_other_shards_are_other_files(finished, smoke):
    """Another number of shards makes its own shards and overwrites none."""
    config = smoke()
    config["dialogues"]["few-val"]["shards"] = 3
    planned = finished.planned(config)
    assert planned["reformulate_dialogues"] == planned["generate_images"] == 3
    assert "train_fusion" not in planned


def test_pictures_of_a_folder_are_followed(run_folder, smoke):
    """Without a list, a picture added below the folder or replaced is listed again; a text file is not."""
    config = smoke() | {"systems": {"text": {"encoder": "blip", "queries": "raw", "method": "text"}}}
    del config["fusions"]
    config["corpora"] = {"mine": {"images": "pictures"}}
    config["dialogues"] = {
        "few-val": {"file": "mine.jsonl", "format": "jsonl", "corpus": "mine", "rounds": 1}
    }
    below = run_folder.folder / "pictures" / "below"
    below.mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(below / f"{number}.png")
    line = {"id": "one", "target": "below/1.png", "turns": ["a red star"]}
    (run_folder.folder / "mine.jsonl").write_text(json.dumps(line))
    target = "results/smoke/features/blip/corpora/mine.h5"

    def planned() -> dict[str, int]:
        return count_jobs(run_folder.run("--dry-run", "--cores", "2", target, config=config))

    run_folder.run("--cores", "2", target, config=config)
    assert planned() == {}
    (run_folder.folder / "pictures" / "README.txt").write_text("mine")
    assert planned() == {}
    Image.new("RGB", (9, 9)).save(below / "1.png")
    assert planned() == {"list_corpus": 1, "encode_corpus": 1}
    run_folder.run("--cores", "2", target, config=config)
    Image.new("RGB", (9, 9)).save(below / "9.png")
    assert planned() == {"list_corpus": 1, "encode_corpus": 1}
