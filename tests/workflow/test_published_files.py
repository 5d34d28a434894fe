"""The published dialogue files go through the whole pipeline: mini's models, stand-in pictures."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import yaml

from daitir.dialogues import read_dialogues
from daitir.features import features_provenance, read_features
from daitir.ranks import read_ranks
from daitir.shards import read_shard

from .conftest import ROOT, RunFolder, new_run_folder

FOLDER = Path(os.environ.get("DAITIR_BENCHMARKS", "no-benchmarks"))
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="set DAITIR_BENCHMARKS to the folder of the published dialogue files"
)
DIALOGUES = 16
RESULTS = Path("results/benchmarks-mini")
CHATIR = ("VisDial_v1.0_queries_val.json", "ChatGPT_BLIP2.json", "Search_Space_val_50k.json")
REFORMULATED = "VisDial_v1_0_queries_val.dar_reformulated.json"
LINKS = {f"resources/chatir/{name}": name for name in CHATIR} | {
    f"resources/dar/{REFORMULATED}": REFORMULATED
}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> RunFolder:
    """A folder in which `config/benchmarks-mini.yaml`, with fewer dialogues, was run to its end."""
    run_folder = new_run_folder(tmp_path_factory.mktemp("published") / "run")
    for link, file in LINKS.items():
        path = run_folder.folder / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(FOLDER.resolve() / file)
    config = yaml.safe_load((ROOT / "config/benchmarks-mini.yaml").read_text())
    for dialogues in config["dialogues"].values():
        dialogues["limit"] = DIALOGUES
    run_folder.run("--cores", "2", config=config)
    return run_folder


def test_every_query_of_the_published_files_is_ranked(published):
    """Eleven rounds among 2,000 candidates, for both files and for DAR's reformulated queries."""
    ranks = published.folder / RESULTS / "ranks"
    files = sorted(path.relative_to(ranks).as_posix() for path in ranks.rglob("*.parquet"))
    assert files == [
        *("dar-published/visdial.parquet", "dar/chatgpt.parquet", "dar/visdial.parquet"),
        *("text-published/visdial.parquet", "text/chatgpt.parquet", "text/visdial.parquet"),
    ]
    for file in files:
        frame = read_ranks(ranks / file)
        assert frame.groupby("dialogue_id")["round"].apply(list).map(len).tolist() == [11] * DIALOGUES
        assert frame["rank"].between(1, 2000).all()
    assert len(read_features(published.folder / RESULTS / "features/blip/corpora/stand-ins.h5").keys) == 2000


def test_published_queries_are_used_as_they_are(published):
    """The query text of a round is the row of DAR's file, not a join of rows."""
    rows = {row["img"]: row["dialog"] for row in json.loads((FOLDER / REFORMULATED).read_text())}
    dialogues = read_dialogues(published.folder / RESULTS / "dialogues/visdial.parquet")
    target = {dialogue.dialogue_id: dialogue.target for dialogue in dialogues}
    shards = sorted((published.folder / RESULTS / "queries/published/visdial").glob("*.parquet"))
    queries = pd.concat(pd.read_parquet(shard) for shard in shards)
    assert len(queries) == DIALOGUES * 11
    for row in queries.itertuples():
        assert row.query_text == rows[target[row.dialogue_id]][row.round]


def test_round_0_is_drawn_once_for_both_files(published):
    """ChatGPT's pictures of round 0 are VisDial's, taken over; later rounds are its own."""

    def pictures(dialogues: str) -> dict[str, bytes]:
        shards = (published.folder / RESULTS / f"images/sd3/raw/{dialogues}").glob("*.tar")
        return {picture.key: picture.data for shard in shards for picture in read_shard(shard)}

    visdial, chatgpt = pictures("visdial"), pictures("chatgpt")
    opening = [key for key in chatgpt if "_r0_" in key]
    assert len(opening) == DIALOGUES
    assert all(chatgpt[key] == visdial[key] for key in opening)
    logs = (published.folder / RESULTS / "logs/images/sd3/raw/chatgpt").glob("*.log")
    said = f"{DIALOGUES // 2} pictures of round 0 taken over"
    assert [said in log.read_text() for log in logs] == [True, True]


def test_cut_texts_are_counted(published):
    """The stores of the queries say how many of their texts were longer than the encoder reads."""
    folder = published.folder / RESULTS / "features/blip/queries"
    texts = features_provenance(folder / "raw/visdial.h5")["texts"]
    assert texts["all"] == DIALOGUES * 11
    assert 0 <= texts["truncated"] <= texts["all"]
