"""Published pictures and queries take the place of drawn and rewritten ones, read where they lie."""

import json
import random
from pathlib import Path

import pytest
from PIL import Image

from daitir.dialogues import read_dialogues
from daitir.shards import read_shard

from .conftest import RunFolder, new_run_folder
from .few import about_few, draw_few

ROUNDS = 3


@pytest.fixture(scope="module")
def config(smoke) -> dict:
    """The smoke config without any model that writes or draws."""
    values = smoke()
    del values["fusions"]
    values["reformulators"] = {
        "published": {"kind": "released", "files": {"few-val": "published/queries.json"}, "prompts": 1},
    }
    values["generators"] = {"published": {"kind": "released", "folders": {"few-val": "published/pictures"}}}
    values["dialogues"] = {"few-val": values["dialogues"]["few-val"]}
    text = {"encoder": "blip", "queries": "published", "method": "text"}
    dar = text | {"images": "published", "method": "dar-released", "baseline": "text"}
    return about_few(values) | {"systems": {"text": text, "dar": dar}}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, config) -> RunFolder:
    """A folder with published queries and pictures for the dialogues of the config."""
    made = new_run_folder(tmp_path_factory.mktemp("released") / "run")
    draw_few(made.folder)
    made.run("--cores", "2", "results/smoke/dialogues/few-val.parquet", config=config)
    dialogues = read_dialogues(made.folder / "results/smoke/dialogues/few-val.parquet")
    rng, folder = random.Random(0), made.folder / "published" / "pictures"
    folder.mkdir(parents=True)
    rows = [{"img": d.target, "dialog": [f"seen as {turn}" for turn in d.turns]} for d in dialogues]
    (made.folder / "published" / "queries.json").write_text(json.dumps(rows[::-1]))
    for dialogue in dialogues:
        for round_ in range(ROUNDS):
            picture = Image.frombytes("RGB", (20, 20), rng.randbytes(1200))
            picture.save(folder / f"{dialogue.place}_{round_}.jpg")
    return made


def test_published_pictures_are_ranked_with(run_folder, config):
    """A missing one stops the run by its name; once it is there, the shard links to it and the run ends."""
    missing = sorted((run_folder.folder / "published/pictures").iterdir())[0]
    kept = missing.read_bytes()
    missing.unlink()
    stopped = run_folder.snakemake("--cores", "2", config=config)
    assert stopped.returncode != 0
    assert missing.name in stopped.stdout + stopped.stderr
    assert not (run_folder.folder / "results/smoke/ranks/dar").exists()
    missing.write_bytes(kept)
    run_folder.run("--cores", "2", config=config)
    shards = sorted((run_folder.folder / "results/smoke/images/published/published/few-val").glob("*.tar"))
    pictures = {picture.key: picture for shard in shards for picture in read_shard(shard)}
    assert len(pictures) == 6 * ROUNDS
    assert missing.resolve() in {Path(picture.link).resolve() for picture in pictures.values()}
    assert (run_folder.folder / "results/smoke/report.html").exists()
