"""What the workflow asks of a config with encoders that are trained further, and with oracles."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from daitir.config import load_config
from daitir.errors import DaitirError
from daitir.planning import Plan, one_of
from daitir.planning.jobs import Jobs

ROOT = Path(__file__).parents[1]
FEATURES = "results/smoke/features"


def tuned(kind="dmcl", seeds=(0, 4), **edits):
    recipe = {"kind": kind, "dialogues": "few-train", "queries": "llm", "seeds": list(seeds), **edits}
    return {"kind": "tuned", "encoder": "blip", "train": recipe}


def plan(**systems):
    """A plan with the encoder blip-dmcl of two seeds and a text side trained ChatIR's way."""
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    values["encoders"]["blip-dmcl"] = tuned(images="sd3")
    values["encoders"]["blip-chatir"] = tuned("chatir", seeds=(0,), queries="raw")
    seen = {"encoder": "blip-dmcl", "queries": "llm", "images": "sd3", "method": "dar", "baseline": "text"}
    values["systems"] |= {"dar-dmcl": seen, **systems}
    values["oracles"] = {"oracle": {"of": ["text", "dar-dmcl"], "baseline": "text"}}
    return Plan(load_config(values))


def job(**wildcards):
    return SimpleNamespace(**wildcards)


def test_a_system_ranks_with_every_seed_of_its_encoder():
    """The stores of both seeds, and their pictures of both shards."""
    inputs = plan().rank_inputs(job(system="dar-dmcl", dialogues="few-val"))
    assert inputs["queries"] == [
        f"{FEATURES}/blip-dmcl.seed-{seed}/queries/llm/few-val.h5" for seed in (0, 4)
    ]
    assert inputs["corpus"] == [f"{FEATURES}/blip-dmcl.seed-{seed}/corpora/mini.h5" for seed in (0, 4)]
    assert len(inputs["pictures"]) == 4
    assert inputs["weights"] == []


def test_an_instance_encodes_with_the_model_of_its_seed():
    """Its options are those of the encoder that was tuned, and its recipe and seed."""
    made = plan()
    assert made.tuned_model(job(encoder="blip-dmcl.seed-4")) == [
        "results/smoke/encoders/blip-dmcl/seed-4/model"
    ]
    assert made.tuned_model(job(encoder="blip")) == []
    options = json.loads(made.encode_text_options(job(encoder="blip-dmcl.seed-4")))
    plain = json.loads(made.encode_text_options(job(encoder="blip")))
    recipe = options.pop("tuned")
    assert options == plain
    assert recipe["seed"] == 4
    assert recipe["recipe"]["kind"] == "dmcl"
    assert "seeds" not in recipe["recipe"]  # another seed more changes none of these


def test_an_encoder_is_trained_on_what_its_recipe_names():
    """DMCL sees generated images, ChatIR's way does not; the targets are the corpus's images."""
    made = plan()
    inputs = made.tune_inputs(job(encoder="blip-dmcl"))
    assert inputs["queries"] == ["results/smoke/queries/llm/few-train/shard-0-of-1.parquet"]
    assert inputs["shards"] == ["results/smoke/images/sd3/llm/few-train/shard-0-of-1.tar"]
    assert inputs["list"] == "resources/mini/train-corpus.json"
    assert made.tune_images(job(encoder="blip-dmcl")) == "resources/mini/train-images"
    chatir = made.tune_inputs(job(encoder="blip-chatir"))
    assert chatir["queries"] == ["results/smoke/queries/raw/few-train/shard-0-of-1.parquet"]
    assert chatir["shards"] == []


def test_seed_n_of_a_fusion_is_trained_on_seed_n_of_its_encoder():
    """Each weights file lies below the features that it was trained on."""
    fusion = {"encoder": "blip-two", "queries": "llm", "images": "sd3", "method": "adafuse"}
    values = yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text())
    values["encoders"]["blip-two"] = tuned(images="sd3", seeds=(0, 1))
    values["systems"]["both"] = fusion
    made = Plan(load_config(values))
    assert made.rank_inputs(job(system="both", dialogues="few-val"))["weights"] == [
        f"results/smoke/fusions/adafuse/blip-two.seed-{seed}/sd3/llm/seed-{seed}/model.safetensors"
        for seed in (0, 1)
    ]


def test_views_are_compared_with_what_was_tuned():
    """The encoder as it was, then each seed; one that no system shows images has nothing to compare."""
    made = plan(chatir={"encoder": "blip-chatir", "queries": "raw", "method": "text"})
    assert made.view_tables == ["results/smoke/tables/views-blip-dmcl.few-val.csv"]
    where = job(encoder="blip-dmcl", dialogues="few-val")
    names = [part.split()[0] for part in made.view_encoders(where).split("--encoder ")[1:]]
    assert names == ["blip", "blip-dmcl.seed-0", "blip-dmcl.seed-4"]
    assert len(made.view_inputs(where)["stores"]) == 3 * 4
    with pytest.raises(DaitirError, match="no system with the encoder 'blip-chatir' looks at images"):
        made.view_inputs(job(encoder="blip-chatir", dialogues="few-val"))


def test_an_oracle_is_measured_where_all_its_systems_are():
    """It has ranks beside theirs, and a row in every table."""
    made = plan()
    assert "results/smoke/ranks/oracle/few-val.parquet" in made.ranks
    assert made.oracle_inputs(job(oracle="oracle", dialogues="few-val")) == [
        f"results/smoke/ranks/{system}/few-val.parquet" for system in ("text", "dar-dmcl")
    ]
    measured = json.loads(made.measure_options(job()))
    assert measured["systems"]["oracle"] == {"baseline": "text", "dialogues": ["few-val"]}
    assert measured["order"][-1] == "oracle"


def test_names_are_matched_whole():
    """A rule for systems takes no oracle; of no names none."""
    assert one_of(["a", "b.c"]) == r"a|b\.c"
    assert one_of([]) == "(?!)"


def test_the_preflight_counts_trainings_and_each_seed():
    """Encoders are trained once a seed and encode once a seed, in the order of the config."""
    jobs = Jobs(plan().config)
    assert {name: len(recipe.seeds) for name, recipe in jobs.tunings.items()} == {"blip-dmcl": 2}
    order = [encoder for encoder, _ in jobs.in_order(jobs.encoded_texts)]
    assert list(dict.fromkeys(order)) == ["blip", "blip-dmcl.seed-0", "blip-dmcl.seed-4"]
