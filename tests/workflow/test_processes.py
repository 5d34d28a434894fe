"""An encoder is tuned by several processes in one job."""

from daitir.tuning.history import read_tuning_history
from tests.workflow.test_tuned import config_of


def test_processes_are_started_by_the_job_itself(finished, smoke):
    """One job trains with two; under a GPU it would ask for two of them on one node."""
    config = config_of(smoke, processes=2)
    history = "results/smoke/encoders/blip-dmcl/seed-0/history.parquet"
    said = finished.run("--cores", "2", "--printshellcmds", history, config=config)
    assert "torch.distributed.run --standalone --nproc-per-node 2 -m daitir.stages.tune" in said
    assert len(read_tuning_history(finished.folder / history)) == 3
    config["encoders"]["blip"]["device"] = "auto"
    dry = ["--dry-run", "--force", "--cores", "2", history, "--resources", "gpu=8"]
    planned = finished.run(*dry, config=config)
    (resources,) = [line for line in planned.splitlines() if "nodes=1" in line]
    assert "gpu=2" in resources
