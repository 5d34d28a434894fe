"""The stage simulate: from a folder of images alone to dialogues, killed or not, whatever the batches."""

import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daitir.chat.answers import AnswerStore
from daitir.errors import DaitirError
from daitir.mini.answers import IDLE, MORE
from daitir.mini.language import SETTINGS, parse, where
from daitir.mini.questions import SETTING
from daitir.mini.world import draw_album, render
from daitir.readers.jsonl import read_jsonl
from daitir.stages import simulate
from tests import tiny, tiny_vision

ROOT = Path(__file__).parents[1]
QUESTIONER = {
    "kind": "transformers",
    "model": str(ROOT / "resources/models/mini-questioner"),
    "question_template": str(ROOT / "config/templates/mini-question.jinja"),
    "max_new_tokens": 24,
    "attempts": 50,
}
WORLD = {"kind": "python", "function": "daitir.mini.answers:WorldAnswerer"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Five pictures of the mini world, their scenes by name, and a list of them."""
    root = tmp_path_factory.mktemp("world")
    (root / "images" / "deep").mkdir(parents=True)
    scenes = {
        f"deep/{place}.png": scene
        for place, scene in enumerate(draw_album(random.Random("simulate"), "val", 5))
    }
    for name, scene in scenes.items():
        render(scene).save(root / "images" / name)
    (root / "corpus.json").write_text(json.dumps(list(scenes)))
    return root, scenes


@dataclass
class Job:
    """One call of the stage, as the workflow makes it."""

    root: object
    output: object
    simulation: dict = field(default_factory=dict)
    how: dict = field(default_factory=dict)
    corpus: str = "corpus.json"

    def run(self, monkeypatch):
        wanted = {"questioner": QUESTIONER, "answerer": WORLD, "rounds": 11} | self.simulation
        arguments = {
            "options": json.dumps({"code": "revision-1", "simulation": wanted}),
            "how": json.dumps({"simulation": {"questioner": {"device": "cpu"}} | self.how}),
            "corpus": self.root / self.corpus,
            "images": self.root / "images",
            "scratch": self.output.parent / "scratch",
            "output": self.output,
        }
        line = [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
        monkeypatch.setattr(sys, "argv", ["simulate", *line])
        simulate.main()
        return self.output.read_bytes()


def true_of(scene, turn):
    """Whether a turn of mini is true, judged by the scene and not by who answered."""
    question, _, answer = turn.partition("? ")
    question += "?"
    if question in IDLE:
        return answer == IDLE[question]
    if question in SETTING:
        return answer == SETTINGS[scene.background]
    if question in MORE:
        return parse(answer).shapes[0] in {thing.shape for thing in scene.things}
    thing = next(thing for thing in scene.things if thing.shape in question)
    if question.startswith("what colour"):
        return answer == thing.colour
    if question.startswith("where"):
        return answer == where(thing.place)
    size = "large" if "large" in question else "small"
    return answer == ("yes" if thing.size == size else f"no, {thing.size}")


def test_pictures_of_the_world_get_true_dialogues(world, tmp_path, monkeypatch):
    """Five pictures, eleven turns each: captions and answers are true, no question is asked twice."""
    root, scenes = world
    Job(root, tmp_path / "mine.jsonl").run(monkeypatch)
    dialogues = read_jsonl(tmp_path / "mine.jsonl")
    assert [dialogue.dialogue_id for dialogue in dialogues] == ["0", "1", "2", "3", "4"]
    for dialogue in dialogues:
        scene = scenes[dialogue.target]
        caption, *turns = dialogue.turns
        assert parse(caption).facts <= parse(_in_words(scene)).facts
        assert all(true_of(scene, turn) for turn in turns), turns
        assert len({turn.partition("?")[0] for turn in turns}) == 10
    who = json.loads((tmp_path / "mine.provenance.json").read_text())
    assert (who["stage"], list(who["inputs"])) == ("simulate", ["images"])
    assert not (tmp_path / "scratch").exists()


def _in_words(scene):
    things = (f"a {t.size} {t.colour} {t.shape} at the {t.place}" for t in scene.things)
    return ", ".join(things) + f" {SETTINGS[scene.background]}"


def test_a_job_killed_after_any_write_goes_on_byte_for_byte(world, tmp_path, monkeypatch):
    """Killed again and again, two finished batches further each time, it writes the same file."""
    root, _ = world
    small = {"simulation": {"rounds": 4}, "how": {"answerer": {"batch_size": 1}}}
    wanted = Job(root, tmp_path / "whole" / "m.jsonl", **small).run(monkeypatch)
    left, add, kills = [0], AnswerStore.add, 0

    def add_and_be_killed(self, answers):
        add(self, answers)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(AnswerStore, "add", add_and_be_killed)
    job = Job(root, tmp_path / "killed" / "m.jsonl", **small)
    while not job.output.exists():
        left[0] = 2
        try:
            job.run(monkeypatch)
        except KeyboardInterrupt:
            kills += 1
            assert not job.output.exists()
    assert kills >= 4
    assert job.output.read_bytes() == wanted
    assert (tmp_path / "killed" / "m.provenance.json").read_bytes() == (
        tmp_path / "whole" / "m.provenance.json"
    ).read_bytes()


def test_batches_and_order_change_no_dialogue(world, tmp_path, monkeypatch):
    """Other batches, and a list in another order."""
    root, scenes = world
    wanted = Job(root, tmp_path / "1" / "m.jsonl", {"rounds": 3}).run(monkeypatch)
    (root / "reversed.json").write_text(json.dumps(sorted(scenes, reverse=True)))
    how = {"questioner": {"device": "cpu", "batch_size": 2}, "answerer": {"batch_size": 1}}
    other = Job(root, tmp_path / "2" / "m.jsonl", {"rounds": 3}, how, "reversed.json")
    assert other.run(monkeypatch) == wanted


def test_more_targets_keep_the_fewer(world, tmp_path, monkeypatch):
    """Targets are drawn by name; a corpus that has not that many is refused."""
    root, _ = world
    few, more = (
        Job(root, tmp_path / str(n) / "m.jsonl", {"targets": n, "rounds": 2}).run(monkeypatch).splitlines()
        for n in (2, 4)
    )
    assert (len(few), len(more)) == (2, 4)
    assert set(few) < set(more)
    with pytest.raises(DaitirError, match="has 5 images, fewer than `targets: 6`"):
        Job(root, tmp_path / "m.jsonl", {"targets": 6}).run(monkeypatch)


@pytest.mark.parametrize("name", ["blip2", "llava", "vqa"])
def test_models_that_see_hold_dialogues(tmp_path, monkeypatch, name):
    """Every kind of model, here tiny and random, from its folder to a file of dialogues."""
    tiny.corpus(tmp_path, count=3)
    answers = {"kind": "transformers", "max_new_tokens": 40}
    makers = {"blip2": tiny_vision.blip2, "llava": tiny_vision.llava}
    make = makers.get(name, lambda folder: tiny_vision.blip(folder, answers=True))
    simulation = {"answerer": answers | {"model": str(make(tmp_path / name))}, "rounds": 3}
    how = {"answerer": {"device": "cpu"}}
    if name == "vqa":
        captioner = tiny_vision.blip(tmp_path / "captioner", answers=False)
        simulation["captioner"] = answers | {"model": str(captioner)}
        how["captioner"] = {"device": "cpu"}
    Job(tmp_path, tmp_path / "m.jsonl", simulation, how).run(monkeypatch)
    dialogues = read_jsonl(tmp_path / "m.jsonl")
    assert [(d.target, len(d.turns)) for d in dialogues] == [("0.png", 3), ("1.png", 3), ("2.png", 3)]
    assert all("? " in turn for dialogue in dialogues for turn in dialogue.turns[1:])


def test_a_questioner_that_asks_nothing_usable_is_refused_by_name(world, tmp_path, monkeypatch):
    """Random letters are no question."""
    root, _ = world
    llama = {"kind": "transformers", "model": str(tiny.llama(tmp_path / "llama")), "attempts": 2}
    with pytest.raises(DaitirError, match=r"in 2 attempts; the first is dialogue '0' round 1, "):
        Job(
            root,
            tmp_path / "m.jsonl",
            {"questioner": llama | {"question_template": QUESTIONER["question_template"]}},
        ).run(monkeypatch)


def test_a_damaged_or_missing_image_is_named(world, tmp_path, monkeypatch):
    """By its name in the corpus."""
    tiny.corpus(tmp_path, count=2)
    (tmp_path / "images" / "1.png").write_bytes(b"no image")
    with pytest.raises(DaitirError, match=r"image '1.png' in .* is not an image that can be read"):
        Job(tmp_path, tmp_path / "m.jsonl").run(monkeypatch)
    (tmp_path / "images" / "1.png").unlink()
    with pytest.raises(DaitirError, match=r"image '1.png' of the corpus is not in"):
        Job(tmp_path, tmp_path / "m.jsonl").run(monkeypatch)


def test_names_become_ids():
    """The stem; with a digest where two are alike or nothing is left of it."""
    ids = simulate.name_dialogues(["a/x.png", "b/x.png", "ä b.png", "-.png"])
    assert sorted(ids.values()) == ["-.png", "a/x.png", "b/x.png", "ä b.png"]
    assert [name for name, target in ids.items() if target == "ä b.png"] == ["b"]
    assert sum(name.startswith("x-") for name in ids) == 2
    assert sum(name.startswith("image-") for name in ids) == 1
