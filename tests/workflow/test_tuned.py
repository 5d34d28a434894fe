"""Encoders that the workflow trains further, and upper lines, from the config to the ranks."""

from pathlib import Path

from daitir.features import features_provenance
from daitir.ranks import read_ranks

from .few import about_few, draw_few

TUNED = {
    "kind": "tuned",
    "encoder": "blip",
    "train": {
        "kind": "dmcl",
        "dialogues": "few-train",
        "queries": "llm",
        "images": "sd3",
        "epochs": 2,
        "warmup_epochs": 1,
        "learning_rate": 0.001,
        "batch": 8,
        "accumulation": 1,
        "held_out": 0.25,
        "seeds": [0, 1],
    },
}
SYSTEM = {"encoder": "blip-dmcl", "queries": "llm", "baseline": "text"}


def config_of(smoke, **recipe):
    config = smoke()
    config["dialogues"]["few-val"]["shards"] = 1
    config["encoders"]["blip-dmcl"] = TUNED | {"train": TUNED["train"] | recipe}
    config["systems"]["text-dmcl"] = SYSTEM | {"method": "text"}
    config["systems"]["adafuse-dmcl"] = SYSTEM | {"method": "adafuse", "images": "sd3"}
    config["oracles"] = {"oracle": {"of": ["text", "text-dmcl"], "baseline": "text"}}
    return config


def test_a_tuned_encoder_is_an_encoder_like_any_other(run_folder, smoke):
    """Two seeds are trained, encode, are fused and ranked; the oracle is never the worse of its two."""
    draw_few(run_folder.folder)
    config = about_few(config_of(smoke))
    run_folder.run("--cores", "2", config=config)
    results = run_folder.folder / "results" / "smoke"
    ranks = {path.name: read_ranks(path / "few-val.parquet") for path in (results / "ranks").iterdir()}
    assert ranks["text-dmcl"].groupby("seed").size().to_dict() == {0: 18, 1: 18}
    assert ranks["adafuse-dmcl"].groupby("seed").size().to_dict() == {0: 18, 1: 18}
    query = ["seed", "dialogue_id", "round"]
    chosen, tuned = (ranks[name].set_index(query)["rank"] for name in ("oracle", "text-dmcl"))
    assert (chosen <= tuned.loc[chosen.index]).all()
    seeds = [results / "features" / f"blip-dmcl.seed-{seed}" / "corpora" / "mini.h5" for seed in (0, 1)]
    models = [features_provenance(path)["inputs"]["model"] for path in seeds]
    assert len({*models}) == 2
    page = Path(results / "report.html").read_text(encoding="utf-8")
    summary = Path(results / "summary.md").read_text(encoding="utf-8")
    assert all(name in text for name in ("text-dmcl", "oracle") for text in (page, summary))
    assert run_folder.planned(config) == {}
    more = about_few(config_of(smoke, seeds=[0, 1, 2])) | {"systems": without_adafuse(config)}
    assert run_folder.planned(more)["tune_encoder"] == 1
    again = run_folder.planned(about_few(config_of(smoke, epochs=3)))
    assert (again["tune_encoder"], again["encode_corpus"], again.get("generate_images", 0)) == (
        2,
        4,
        0,
    )  # of both corpora


def without_adafuse(config):
    """A fusion has the seeds of its encoder; without one the encoder may have more."""
    return {name: system for name, system in config["systems"].items() if name != "adafuse-dmcl"}
