"""An edit of the config while a run is going is for the next run."""

import os

from tests.workflow.conftest import new_run_folder

IMPORT = ["--mode", "remote", "--cores", "1", "--force", "--nolock", "--ignore-incomplete", "--target-jobs"]
IMPORT.append("import_dialogues:dialogues=few-val")


def test_jobs_follow_the_config_that_the_run_was_started_with(finished, tmp_path, smoke, monkeypatch):
    """A job as on a cluster, where Snakemake reads everything anew, makes the bytes that were asked for."""
    run_folder = new_run_folder(tmp_path / "run")
    (run_folder.folder / "resources" / "mini").symlink_to(finished.folder / "resources" / "mini")
    table = "results/smoke/dialogues/few-val.parquet"
    run_folder.run("--cores", "1", table, config=smoke())
    (kept,) = (run_folder.folder / ".snakemake" / "configs").glob("*.json")
    monkeypatch.setenv("DAITIR_CONFIG", os.fspath(kept))
    edited = smoke()
    edited["dialogues"]["few-val"]["limit"] = 3
    run_folder.run(*IMPORT, config=edited)
    assert (run_folder.folder / table).read_bytes() == (finished.folder / table).read_bytes()
    run_folder.run("--cores", "1", table, config=edited)  # a run of its own
    made = (run_folder.folder / table).read_bytes()
    assert made != (finished.folder / table).read_bytes()
    late = run_folder.snakemake(*IMPORT, config=edited)  # of the first run, which lives no more
    assert late.returncode != 0
    assert "this job belongs to a run that was killed" in late.stdout + late.stderr
    assert (run_folder.folder / table).read_bytes() == made


def test_a_job_without_the_config_of_its_run_is_refused(finished, smoke, monkeypatch):
    """It would take one that may have been edited."""
    monkeypatch.delenv("DAITIR_CONFIG", raising=False)
    done = finished.snakemake(*IMPORT, config=smoke())
    assert done.returncode != 0
    assert "DAITIR_CONFIG is not set in this job" in done.stdout + done.stderr
