"""A wrong config is refused before any job starts, one line a fault."""

import pytest

from tests.workflow.test_reruns import edit


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("encoders.blip.max_token", 5, "encoders.blip.max_token: unknown key"),
        ("systems.dar.encoder", "blib", "systems.dar.encoder: no encoder is called 'blib'; there are blip"),
        ("generators.sd3.steps", "many", "generators.sd3.steps:"),
    ],
)
def test_wrong_config_is_named_by_the_path_of_its_key(run_folder, smoke, path, value, message):
    """The message begins with the path of the key and no job has run."""
    config = smoke()
    edit(config, path, value)
    done = run_folder.snakemake("--cores", "1", config=config)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert not (run_folder.folder / "results").exists()


def test_failing_stage_says_why_and_leaves_no_output(run_folder, smoke):
    """More rounds than turns: one line, non-zero exit, nothing that looks finished."""
    config = smoke()
    config["dialogues"]["few-val"]["rounds"] = 40
    done = run_folder.snakemake("--cores", "2", "results/smoke/dialogues/few-val.parquet", config=config)
    assert done.returncode != 0
    assert "too short" in done.stdout + done.stderr
    assert not (run_folder.folder / "results/smoke/dialogues/few-val.parquet").exists()
