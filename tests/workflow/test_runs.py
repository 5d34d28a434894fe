"""The whole pipeline, run."""

import hashlib
import shutil
from pathlib import Path

from daitir.shards import read_shard

from .conftest import count_jobs


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def images(folder: Path) -> dict[str, bytes]:
    return {picture.key: picture.data for tar in sorted(folder.rglob("*.tar")) for picture in read_shard(tar)}


def test_the_run_ends_in_a_report(finished):
    """Tables, figures and a page that needs no network."""
    results = finished.folder / "results" / "smoke"
    assert (results / "report.html").stat().st_size > 10_000
    assert sorted(path.name for path in (results / "ranks").iterdir()) == ["adafuse", "dar", "text"]
    assert list((results / "tables").glob("*.csv"))
    assert list((results / "figures").glob("*.svg"))
    assert not list((results / "scratch").rglob("*.*"))


def test_ranks_do_not_depend_on_shards_batches_or_cores(finished, run_folder, smoke):
    """Half the shard size, other batches, one core: the same pictures, the same ranks byte for byte."""
    config = smoke()
    config["dialogues"]["few-val"]["shards"] = 4
    config["dialogues"]["few-train"]["shards"] = 2
    config["generators"]["sd3"]["batch_size"] = 5
    config["encoders"]["blip"]["batch_size"] = 11
    config["reformulators"]["llm"]["batch_size"] = 7
    (run_folder.folder / "resources" / "mini").symlink_to(finished.folder / "resources" / "mini")
    run_folder.run("--cores", "1", "--until", "rank_candidates", config=config)
    ours, theirs = (place.folder / "results" / "smoke" for place in (finished, run_folder))
    assert images(ours / "images") == images(theirs / "images")
    assert digests(ours / "ranks") == digests(theirs / "ranks")


def test_ranks_do_not_depend_on_who_is_ranked_together(finished, run_folder, smoke):
    """Beside a third weighted sum, text and dar are ranked by one job: the same files, byte for byte."""
    config, results = smoke(), Path("results") / "smoke"
    config["systems"]["add"] = config["systems"]["dar"] | {"method": "add"}
    (run_folder.folder / "resources" / "mini").symlink_to(finished.folder / "resources" / "mini")
    shutil.copytree(
        finished.folder / results, run_folder.folder / results, ignore=shutil.ignore_patterns("ranks")
    )
    asked = [str(results / "ranks" / name / "few-val.parquet") for name in ("text", "dar", "add")]
    said = run_folder.run("--rerun-triggers", "mtime", "--cores", "1", *asked, config=config)
    assert count_jobs(said) == {"rank_together_1": 1}
    theirs = digests(finished.folder / results / "ranks")
    ours = digests(run_folder.folder / results / "ranks")
    assert {path: ours[path] for path in theirs if path in ours} == {
        path: theirs[path] for path in ("text/few-val.parquet", "dar/few-val.parquet")
    }


def test_a_removed_result_is_made_again(finished, smoke):
    """Features of a shard that are lost and asked for again come back with the same bytes."""
    results = finished.folder / "results" / "smoke"
    lost = next((results / "features" / "blip" / "images").rglob("shard-0-of-2.h5"))
    before = lost.read_bytes()
    lost.unlink()
    finished.run("--cores", "2", str(lost.relative_to(finished.folder)), config=smoke())
    assert lost.read_bytes() == before


def test_snakemake_reports_by_itself(finished, smoke):
    """`snakemake --report` needs no network and has our categories, labels and captions."""
    finished.run("--report", "of-snakemake.html", config=smoke())
    page = (finished.folder / "of-snakemake.html").read_text()
    for category in ("Page", "Figures", "Tables", "Trainings"):
        assert f'"{category}"' in page
    assert "results/smoke/tables/comparisons.csv" in page
    assert "corrected by Holm" in page  # the caption of that table
    assert "Diffusion-augmented interactive text-to-image retrieval" in page
