"""The config as it was when a run was started: jobs on other machines read that, whatever is edited since."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from daitir.errors import DaitirError
from daitir.files import digest_text, write_text

VARIABLE = "DAITIR_CONFIG"
FOLDER = Path(".snakemake") / "configs"
_HELD: list[BinaryIO] = []  # open as long as this process lives: the sign that its run does


def config_of_run(config: dict[str, Any], starts_it: bool) -> dict[str, Any]:
    """Return the config that all of a run follows.

    The process that starts the run keeps its own below Snakemake's folder, named by its content, and tells
    where by an environment variable; the jobs, for each of which Snakemake reads the Snakefile anew, load it.
    """
    if starts_it:
        text = json.dumps(config, default=str, ensure_ascii=False, indent=1)
        kept = FOLDER.absolute() / f"{digest_text(text)}.json"
        if not kept.exists():
            write_text(kept, text)
        _begin(kept, config)
        os.environ[VARIABLE] = str(kept)
        return config
    if VARIABLE not in os.environ:
        raise DaitirError(
            f"{VARIABLE} is not set in this job: let the cluster hand on the environment of the submitting"
            " process (SLURM: --export=ALL, which is its default)"
        )
    kept = Path(os.environ[VARIABLE])
    try:
        loaded: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DaitirError(f"{kept}, the config of this run, is gone: start the run again") from None
    _require_current(kept, loaded)
    return loaded


def _begin(kept: Path, config: dict[str, Any]) -> None:
    """Show that a run with this config lives, and that it is the last one started in its results folder."""
    stream = kept.with_suffix(".alive").open("ab")
    fcntl.flock(stream, fcntl.LOCK_SH)
    _HELD.append(stream)
    write_text(_last_started(kept, config), kept.name)


def _require_current(kept: Path, config: dict[str, Any]) -> None:
    """Refuse a job that a killed run left in the queue, where another config was started since."""
    last = _last_started(kept, config).read_text(encoding="utf-8")
    if last != kept.name and not _lives(kept):
        raise DaitirError(
            f"this job belongs to a run that was killed ({kept.name}), and one with another config ({last})"
            " was started since: it does nothing, for it would leave old values among the new"
        )


def _last_started(kept: Path, config: dict[str, Any]) -> Path:
    return kept.with_name(f"{digest_text(str(config.get('results', 'results')))}.last")


def _lives(kept: Path) -> bool:
    with kept.with_suffix(".alive").open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
