"""One run on a cluster on which everything goes wrong once, and what comes of it."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from tests.cluster.conftest import Submitter, config, ranks
from tests.cluster.jobs import Watch, jobs_of, stop_in_the_middle
from tests.cluster.processes import kill
from tests.cluster.slurm import wait_until
from tests.faults.ledger import record
from tests.workflow.conftest import RunFolder, new_run_folder

WRITE = "rule_reformulate_dialogues_wildcards_llm_{}_{}"
DRAW = "rule_generate_images_wildcards_sd3_llm_{}_{}"
SHARDS = [("few-val", "0-of-2"), ("few-val", "1-of-2"), ("few-train", "0-of-1")]
BIG = WRITE.format("few-train", "0-of-1")
SLOW = "rule_encode_queries_wildcards_blip_llm_few-val"
TIGHT = [
    "--set-resources",
    "reformulate_dialogues:mem_mb=150 if attempt == 1 and wildcards.dialogues == 'few-train' else 24000",
    # The first attempt may end with its node before it can be stopped; then it is the second that is.
    "encode_queries:runtime=1 if attempt <= 2 and wildcards.dialogues == 'few-val' else 60",
    "encode_queries:slurm_extra='--nodelist=node2'",
]


@pytest.fixture(scope="module")
def submitter(slurm, local, tmp_path_factory):
    """A folder with a config, of which nothing was run."""
    folder = new_run_folder(tmp_path_factory.mktemp("cluster") / "run").folder
    (folder / "resources" / "mini").symlink_to(local / "resources" / "mini")
    submitter = Submitter(folder, slurm)
    submitter.write_config(config())
    return submitter


def edited():
    """Return the config with better pictures."""
    values = config()
    values["generators"]["sd3"]["steps"] = 5
    return values


@pytest.fixture(scope="module")
def troubled(submitter, slurm):
    """Run everything; return the job that each fault struck, and how many GPUs were in use, twice a second.

    The submitter is killed while texts are written; of the shards that are drawn, one loses its node, one
    its place, and one is cancelled; one job asks for too little memory, and one stands still.
    """
    struck, faults = {}, iter([lose_node, lose_place, cancel])
    with Watch(slurm) as watch, ThreadPoolExecutor(4) as pool:
        submitter.start(*TIGHT)
        struck["submitter"] = lose_submitter(submitter)
        drawing = [pool.submit(stop, submitter, DRAW, "images/sd3", "generate", shard) for shard in SHARDS]
        slow = pool.submit(stop_in_the_middle, slurm, SLOW, "encode", lambda: True)
        for stopped in as_completed(drawing):
            fault, (job, _) = next(faults), stopped.result()
            fault(slurm, job)
            struck[fault.__name__] = job
        struck["slow"], _ = slow.result()
        submitter.finish()
    return struck, watch.at_once


def stop(submitter, rule, kind, stage, shard):
    """Stop the work on a shard when its first batch is on the disk."""
    scratch = submitter.results / "scratch" / kind / "llm" / shard[0] / f"shard-{shard[1]}"
    return stop_in_the_middle(submitter.slurm, rule.format(*shard), stage, lambda: [*scratch.glob("*/[!.]*")])


def lose_submitter(submitter):
    """Kill the submitter, start it again, and edit the config when its jobs meet those of the one before."""
    job, pid = stop(submitter, WRITE, "queries", "reformulate", SHARDS[0])
    submitter.process.kill()
    submitter.process.wait()
    submitter.start(*TIGHT)
    assert submitter.process.wait(60) != 0
    assert "cannot be locked" in submitter.said
    submitter.start("--unlock")
    submitter.finish()
    submitter.start(*TIGHT)
    wait_until(lambda: f"(SLURM job {job.number})" in log_of(submitter), "the second waits", seconds=300)
    submitter.write_config(edited())
    kill(signal.SIGCONT, pid)
    return job


def log_of(submitter):
    """Return the log of the shard whose submitter was killed."""
    path = submitter.results / "logs" / "queries" / "llm" / SHARDS[0][0] / f"shard-{SHARDS[0][1]}.log"
    return path.read_text() if path.exists() else ""


def lose_node(slurm, job):
    """Let the job's node die and come back."""
    slurm.kill_node(job.node)
    time.sleep(3)  # the controller still sends what it has to say to the dead one
    slurm.start_node(job.node)


def lose_place(slurm, job):
    """Let a more important job take its GPU."""
    urgent = ["sbatch", "--partition", "urgent", "--nodelist", job.node, "--gpus", "1", "--mem", "100"]
    assert slurm.ask(*urgent, "--output", "/dev/null", "--wrap", "true")
    wait_until(lambda: restarts(slurm, job), f"job {job.number} gives way")


def cancel(slurm, job):
    """Cancel it, as an administrator does."""
    slurm.ask("scancel", job.number)


def restarts(slurm, job):
    return next(now.restarts for now in jobs_of(slurm, job.rule) if now.number == job.number)


def states(slurm, rule):
    """Return how each job of a rule ended, in the order they were submitted."""
    return [job.state for job in jobs_of(slurm, rule)]


def test_ranks_are_those_of_a_run_without_a_cluster(troubled, submitter, local):
    """Whatever happened on the way, they are the same to the byte, and the report stands."""
    assert ranks(submitter.folder) == ranks(local)
    assert (submitter.results / "report.html").stat().st_size > 10_000


def test_jobs_take_turns_on_the_gpus(troubled):
    """Three jobs want the two GPUs: two run at once and never more."""
    assert max(troubled[1]) == 2


@pytest.mark.parametrize(
    ("fault", "row"),
    [
        ("lose_node", "a node dies with the job on it"),
        ("lose_place", "a job gives way to a more important one"),
    ],
)
def test_slurm_itself_runs_again_what_lost_its_place(troubled, slurm, fault, row):
    """The same job is queued again and comes to its end; Snakemake waits."""
    struck = troubled[0][fault]
    (job,) = jobs_of(slurm, struck.rule)
    assert (job.number, job.state, job.restarts > 0) == (struck.number, "COMPLETED", True)
    record(row)


def test_what_was_cancelled_is_submitted_again(troubled, slurm):
    """The second attempt comes to its end."""
    assert states(slurm, troubled[0]["cancel"].rule) == ["CANCELLED", "COMPLETED"]
    record("a job is cancelled")


def test_what_ran_out_of_time_is_submitted_again(troubled, slurm):
    """After its minute the job is ended, and an hour is there for it in the end."""
    assert states(slurm, SLOW)[-2:] == ["TIMEOUT", "COMPLETED"]
    record("a job over its time")


def test_what_ran_out_of_memory_is_submitted_again(troubled, slurm):
    """SLURM ends a job that takes more than it asked for, and the next attempt asks for more."""
    ended = states(slurm, BIG)  # of the submitter that was killed and of the next: each begins small
    assert set(ended) == {"FAILED", "COMPLETED"}
    assert ended[-1] == "COMPLETED"
    record("a job over its memory", ended.count("FAILED"))


def test_jobs_of_a_killed_submitter_and_of_the_next_one_do_no_harm(troubled, submitter, slurm):
    """The second of two equal jobs waits for the first, finds all done and ends well."""
    assert states(slurm, troubled[0]["submitter"].rule) == ["COMPLETED", "COMPLETED"]
    assert "came to its end: its output stands" in log_of(submitter)
    record("the submitting Snakemake killed and started again")


def test_an_edit_of_the_config_is_for_the_next_run(troubled, submitter):
    """The jobs submitted after it did what the run was started for; the next run would draw anew."""
    folder = RunFolder(submitter.folder)
    assert folder.planned(edited())["generate_images"] == len(SHARDS)
    assert folder.planned(config()) == {}
