"""What a case is: a program called with bad input, as a user or the workflow calls it."""

import functools
import importlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daitir.errors import DaitirError, exit_with_one_line
from tests import tiny, tiny_pipelines

PROGRAMS = {
    "import": "daitir.stages.import_dialogues",
    "list corpus": "daitir.stages.list_corpus",
    **{name: f"daitir.stages.{name}" for name in ("simulate", "reformulate", "generate", "encode")},
    **{name: f"daitir.stages.{name}" for name in ("train", "rank", "measure", "report", "explore")},
    **{name: f"daitir.stages.{name}" for name in ("analyse", "draw_analyses", "write_runs")},
    "fetch": "daitir.fetch",
    **{name: f"daitir.{name}.__main__" for name in ("convert", "preflight")},
}


@dataclass(frozen=True)
class Call:
    """A call that must be refused.

    ``keeps`` is a pattern of files of finished work that stand afterwards. A call ``alone`` runs in a process
    of its own, where no file may grow beyond ``limit`` bytes. ``run`` calls what is no program.
    """

    words: tuple[str, ...] = ()
    keeps: str | None = None
    alone: bool = False
    limit: int | None = None
    run: Callable[[], Any] | None = None

    def refusal(self, program: str, monkeypatch: pytest.MonkeyPatch) -> str:
        """Return the one line that is said."""
        if self.alone:
            return self._refusal_of_a_process(PROGRAMS[program])
        command = self.run or importlib.import_module(PROGRAMS[program]).main
        monkeypatch.setattr(sys, "argv", [program, *self.words])
        with pytest.raises(SystemExit) as ended:
            exit_with_one_line(command)
        assert isinstance(ended.value.__context__, DaitirError | OSError)
        return str(ended.value.code)

    def _refusal_of_a_process(self, module: str) -> str:
        before = None
        if self.limit is not None:
            before = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (self.limit, self.limit))
        line = [sys.executable, "-m", module, *self.words]
        done = subprocess.run(line, capture_output=True, text=True, check=False, preexec_fn=before)
        assert done.returncode == 1, done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr.rstrip("\n")


def call(*words: Any, keeps: str | None = None, alone: bool = False, **arguments: Any) -> Call:
    """Return a call; an argument ``known_shards=[a, b]`` is ``--known-shards a b``, a dict is JSON."""
    line = [str(word) for word in words]
    for name, value in arguments.items():
        values = value if isinstance(value, list | tuple) else [value]
        line.append(f"--{name.replace('_', '-')}")
        line += [json.dumps(one) if isinstance(one, dict) else str(one) for one in values]
    return Call(tuple(line), keeps, alone)


class RunsCode:
    """A pickle of it makes a folder when it is read without care."""

    def __reduce__(self) -> Any:
        return Path.mkdir, (Path("was-run"),)


class Models:
    """Tiny models, made when first asked for and shared by all cases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @functools.cached_property
    def blip(self) -> Path:
        """An encoder."""
        return tiny.blip(self.folder / "blip")

    @functools.cached_property
    def llama(self) -> Path:
        """A chat model."""
        return tiny.llama(self.folder / "llama")

    @functools.cached_property
    def sd3(self) -> Path:
        """A pipeline that draws."""
        return tiny_pipelines.sd3(self.folder / "sd3")


@dataclass(frozen=True)
class Place:
    """Where a case lays out its input: a folder of its own; ``open`` has what is closed after the call."""

    folder: Path
    models: Models
    monkeypatch: pytest.MonkeyPatch
    open: ExitStack

    def write(self, name: str, content: Any) -> Path:
        """Write a file: bytes and text as they are, anything else as JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def files(self) -> dict[str, bytes]:
        """Return what stands in the folder: bytes of files, targets of links."""
        return {
            path.relative_to(self.folder).as_posix(): os.fsencode(path.readlink())
            if path.is_symlink()
            else path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_symlink() or path.is_file()
        }


Case = Callable[[Place], Call]
CASES: dict[tuple[str, str], Case] = {}


def case(program: str, wrong: str) -> Callable[[Case], Case]:
    """Enter a case: in which program it shows, and what is wrong."""

    def enter(function: Case) -> Case:
        assert (program, wrong) not in CASES, (program, wrong)
        CASES[program, wrong] = function
        return function

    return enter


def cases(program: str, rows: dict[str, Any]) -> Callable[[Callable[[Place, Any], Call]], Any]:
    """Enter a case for each row: what is wrong, and what the function is given to provoke it."""

    def enter(function: Callable[[Place, Any], Call]) -> Any:
        for wrong, given in rows.items():
            case(program, wrong)(functools.partial(lambda given, place: function(place, given), given))
        return function

    return enter
