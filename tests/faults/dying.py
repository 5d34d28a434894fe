"""Stages in processes of their own, forked from one that has loaded the libraries: a kill costs no import."""

import ctypes
import importlib
import itertools
import multiprocessing
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from daitir.errors import exit_with_one_line
from tests.faults.steps import Step, Steps, read_notes

LOADED = (
    *(
        "accelerate",
        "h5py",
        "matplotlib.pyplot",
        "pandas",
        "pyarrow.parquet",
        "scipy.stats",
        "tokenizers",
        "tqdm",
    ),
    *(f"transformers.models.{name}" for name in ("blip.modeling_blip", "llama.modeling_llama")),
    *("transformers.models.clip.modeling_clip", "diffusers.pipelines.stable_diffusion_3"),
    "diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3",
    *("daitir.generators.diffusers", "daitir.encoders.blip", "daitir.chat.transformers"),
    *(
        f"daitir.stages.{name}"
        for name in ("analyse", "encode", "explore", "measure", "report", "train", "tune")
    ),
)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(list(LOADED))
LONGEST = 600  # seconds
_numbers = itertools.count()


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit status (-9: killed), all it printed, the steps it took."""

    status: int
    said: str
    steps: list[Step]
    seconds: float

    @property
    def refusal(self) -> str:
        """The one line of its error."""
        assert self.status == 1, (self.status, self.said)
        assert "Traceback" not in self.said, self.said
        last = self.said.splitlines()[-1]
        assert last.startswith("error: "), self.said
        return last


class Attempt:
    """A stage at work in a folder; it dies at the step ``last``, if it is given and reached."""

    def __init__(
        self,
        module: str,
        words: tuple[str, ...],
        folder: Path,
        last: int | None = None,
        work: tuple[str, ...] = (),
        powerless: bool = False,
    ) -> None:
        number = next(_numbers)
        self.said, self.notes = folder / f"said-{number}.txt", folder / f"steps-{number}.txt"
        given = (module, words, folder, self.said, self.notes, last, work, powerless)
        self.process = FORKS.Process(target=act, args=given)
        self.begin = time.monotonic()
        self.process.start()

    def end(self, seconds: float = LONGEST) -> Ended:
        """Wait for the end; after ``seconds`` kill it."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        status = self.process.exitcode
        assert status is not None
        steps = read_notes(self.notes) if self.notes.exists() else []
        ended = Ended(status, _text(self.said), steps, time.monotonic() - self.begin)
        self.said.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)
        return ended


def act(
    module: str,
    words: tuple[str, ...],
    folder: Path,
    said: Path,
    notes: Path,
    last: int | None,
    work: tuple[str, ...],
    powerless: bool,
) -> None:
    """Be the stage."""
    os.chdir(folder)
    sink = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(sink, stream)
    os.environ["HF_HUB_OFFLINE"] = "1"
    steps = Steps((folder / "results").resolve(), notes, last)
    main = importlib.import_module(module).main
    for place in work:
        steps.watch_work(place)
    steps.watch()
    if powerless:
        give_up_power()
    sys.argv = [module, *words]
    exit_with_one_line(main)


def give_up_power() -> None:
    """Keep to the permissions of files from now on, even if the process is root's."""
    version_3_of_myself, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(version_3_of_myself, nothing) == 0


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
