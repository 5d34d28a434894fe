"""The published dialogue files are read with nothing lost."""

import os
from pathlib import Path

import pytest

from daitir.corpora import read_corpus
from daitir.dialogues import read_chatir

FOLDER = Path(os.environ.get("DAITIR_BENCHMARKS", "no-benchmarks"))
needs_benchmarks = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="set DAITIR_BENCHMARKS to the folder of the published dialogue files"
)


@needs_benchmarks
@pytest.mark.parametrize("name", ["VisDial_v1.0_queries_val.json", "ChatGPT_BLIP2.json"])
def test_benchmark_has_its_dialogues_and_targets(name):
    """2,064 dialogues of 11 turns, every target in the corpus of 50,000."""
    dialogues = read_chatir(FOLDER / name)
    corpus = read_corpus(FOLDER / "Search_Space_val_50k.json")
    assert (len(dialogues), len(corpus)) == (2064, 50_000)
    assert {len(dialogue.turns) for dialogue in dialogues} == {11}
    assert {dialogue.target for dialogue in dialogues} <= set(corpus)


@needs_benchmarks
def test_round_0_is_the_same_in_every_benchmark():
    """The same ids, targets and captions open both files."""
    first, second = (
        [
            (dialogue.dialogue_id, dialogue.target, dialogue.turns[0])
            for dialogue in read_chatir(FOLDER / name)
        ]
        for name in ("VisDial_v1.0_queries_val.json", "ChatGPT_BLIP2.json")
    )
    assert first == second
