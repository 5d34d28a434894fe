"""The check of results finds what is damaged, mixed, incomplete, outdated, missing, left over or strange."""

import json
import shutil
from pathlib import Path

import pytest

from daitir.features import read_features, write_features
from daitir.planning.inventory import Inventory
from daitir.queries import read_queries, write_queries
from daitir.ranks import ranks_provenance, read_ranks, write_ranks
from daitir.tables import table_provenance
from daitir.verify import FAULTY, UNFINISHED, WHOLE, verify
from daitir.verify.__main__ import main
from daitir.verify.page import gaps, page
from tests.checked_results import checked_config, make, plan_of, with_sums


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A config and its results, whole."""
    folder = tmp_path_factory.mktemp("whole")
    config = checked_config(folder)
    make(config)
    return folder, config


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of the results, to spoil, and its config."""
    folder, config = whole
    shutil.copytree(folder / "results", tmp_path / "results")
    return config | {"results": str(tmp_path / "results")}


def found(config):
    return [
        (finding.state, finding.path.split("/results/")[1]) for finding in verify(plan_of(config)).findings
    ]


def test_whole_results_are_whole(whole):
    """Nothing is found where nothing is wrong."""
    verdict = verify(plan_of(whole[1]))
    assert verdict.findings == []
    assert verdict.status == WHOLE
    assert "Whole: " in page(verdict, "results", "--configfile c.yaml")


def test_ranks_that_were_made_together_are_checked_each_by_itself(tmp_path):
    """A text knows of no pictures; new features are no longer what any of them was ranked from."""
    config = with_sums(checked_config(tmp_path))
    make(config)
    assert found(config) == []
    path = Path(config["results"], "features/blip/queries/llm/val.h5")
    store = read_features(path)
    write_features(path, store.keys, store.matrix[::-1], store.provenance)
    ranks = [f"ranks/{system}/val.parquet" for system in ("text", "dar", "adafuse", "add", "image")]
    assert sorted(name for state, name in found(config) if state == "mixed") == sorted(ranks)


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_file_of_every_job_is_found(copied, harm):
    """One output of every rule in turn."""
    rules = {}
    for job in Inventory(plan_of(copied)).jobs():
        rules.setdefault(job.rule, Path(job.outputs[0]))
    for path in rules.values():
        file = path / "index.html" if path.is_dir() else path
        data = file.read_bytes()
        middle = bytes([data[len(data) // 3] ^ 255])
        harms = {"cut": data[:-2], "flip": data[: len(data) // 3] + middle + data[len(data) // 3 + 1 :]}
        file.write_bytes(harms.get(harm, b""))
    damaged = {path for state, path in found(copied) if state == "damaged"}
    assert damaged == {str(path).split("/results/")[1] for path in rules.values()}


def test_a_lost_query_is_a_gap_and_what_was_made_of_the_others_a_mix(copied):
    """The shard lacks it; images and features were made from what lay there before."""
    path = Path(copied["results"], "queries/llm/val/shard-1-of-2.parquet")
    write_queries(path, read_queries(path)[1:], table_provenance(path))
    assert found(copied) == [
        ("incomplete", "queries/llm/val/shard-1-of-2.parquet"),
        ("mixed", "images/sd3/llm/val/shard-1-of-2.tar"),
        ("mixed", "features/blip/queries/llm/val.h5"),
    ]


def test_features_that_were_made_again_unlike_before_are_a_mix(copied):
    """Ranks and trainings say that they were made from others."""
    path = Path(copied["results"], "features/blip/corpora/tiny.h5")
    store = read_features(path)
    write_features(path, store.keys, store.matrix[::-1], store.provenance)
    mixed = [name for state, name in found(copied) if state == "mixed"]
    assert mixed == [
        *(f"fusions/adafuse/blip/sd3/llm/seed-{seed}/model.safetensors" for seed in (0, 1)),
        *(f"ranks/{system}/val.parquet" for system in ("text", "dar", "adafuse")),
    ]


def test_ranks_of_a_seed_that_are_lost_are_named(copied):
    """Every dialogue, round and seed is there once."""
    path = Path(copied["results"], "ranks/adafuse/val.parquet")
    frame = read_ranks(path)
    write_ranks(path, frame[frame["seed"] == 0], ranks_provenance(path))
    (finding,) = verify(plan_of(copied)).findings
    assert finding.state == "incomplete"
    assert finding.detail == "lacks 10 of 20 ranks, first d0_r0 of seed 1"


def test_an_edited_config_makes_results_outdated(copied):
    """What snakemake would make again is no fault; the status says that something is left."""
    steps = {"sd3": copied["generators"]["sd3"] | {"steps": 4}}
    verdict = verify(plan_of(copied | {"generators": steps}))
    assert {finding.state for finding in verdict.findings} == {"outdated"}
    assert [finding.detail for finding in verdict.findings] == ["generator.steps 3, now 4"] * 3
    assert verdict.status == UNFINISHED


def test_missing_shards_are_told_as_gaps(copied):
    """By folder, with their numbers."""
    for shard in (0, 1):
        Path(copied["results"], f"images/sd3/llm/val/shard-{shard}-of-2.tar").unlink()
    verdict = verify(plan_of(copied))
    text = page(verdict, "results", "--configfile c.yaml")
    assert "images/sd3/llm/val/: shards 0-1 of 2" in text
    assert text.rstrip().endswith("snakemake --cores all --configfile c.yaml")
    assert verdict.status == UNFINISHED


def test_gaps_are_ranges():
    """As people write them."""
    paths = [f"a/shard-{number}-of-9.tar" for number in (0, 3, 4, 5, 8)]
    assert gaps([*paths, "b.csv"]) == ["a/: shards 0, 3-5, 8 of 9", "b.csv"]


def test_what_belongs_to_nobody_is_told_and_stops_nobody(copied):
    """Scratch, half-written files, and the results of another component."""
    results = Path(copied["results"])
    (results / "scratch/images/sd3/llm/val/shard-0-of-2/abc").mkdir(parents=True)
    (results / "ranks/text/.val.parquet.partial").write_text("half")
    shutil.copytree(results / "ranks/text", results / "ranks/old", ignore=lambda *_: [".val.parquet.partial"])
    verdict = verify(plan_of(copied))
    assert sorted(found(copied)) == [
        ("leftover", "ranks/text/.val.parquet.partial"),
        ("leftover", "scratch/images/sd3/llm/val/shard-0-of-2"),
        ("stranger", "ranks/old"),
    ]
    assert verdict.status == WHOLE


def test_the_file_of_another_component_is_damage(copied):
    """Ranks of one system in the place of another's say so."""
    results = Path(copied["results"])
    shutil.copy(results / "ranks/dar/val.parquet", results / "ranks/text/val.parquet")
    first = verify(plan_of(copied)).findings[0]
    assert (first.state, first.rule) == ("damaged", "rank_candidates")
    assert "was made as ranks/dar/val.parquet" in first.detail


def test_command_line(copied, tmp_path, capsys):
    """Exit status, page and JSON."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps(copied))
    Path(copied["results"], "tables/summary.csv").write_text("")
    with pytest.raises(SystemExit) as ended:
        main(["--configfile", str(file)])
    said = capsys.readouterr().out
    assert ended.value.code == FAULTY
    assert "Damaged: not what was written (1)" in said
    assert f"rm -r {copied['results']}/tables/summary.csv" in said
    with pytest.raises(SystemExit):
        main(["--configfile", str(file), "--results", copied["results"], "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["findings"][0]["rule"]) == (FAULTY, "measure_ranks")
