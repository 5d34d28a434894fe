"""The check before a run counts the work, and is a command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from daitir.preflight.page import page, verdict
from daitir.queries import rounds_of
from daitir.readers import READERS
from tests.preflight_files import checked, found, small_config

ROOT = Path(__file__).parents[1]


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return small_config(tmp_path)


def test_work_is_counted_exactly(small):
    """Items, what is shared, hours at the rates of the config and bytes, worked out by hand."""
    lines = [
        (line.stage, line.component, line.of, line.items, line.shared, line.hours, line.size)
        for line in checked(small).work
    ]
    # 5 dialogues x 3 rounds x (a query and 2 prompts), 2 a second; b shares its 5 captions; t: 4 x 2 rounds.
    assert lines[:3] == [
        ("reformulate", "chat", "a", 45, 0, 45 / 2 / 3600, 0),
        ("reformulate", "chat", "b", 30, 15, 30 / 2 / 3600, 0),
        ("reformulate", "chat", "t", 24, 0, 24 / 2 / 3600, 0),
    ]
    # 2 pictures a query, one in 2 s; 512 x 512 pixels as JPEG of quality 95 have 0.42 bytes each.
    each = round(512 * 512 * 0.42) + 2560
    assert lines[3:6] == [
        ("generate", "sd3", "chat, a", 30, 0, 30 * 2 / 3600, 30 * each),
        ("generate", "sd3", "chat, b", 20, 10, 20 * 2 / 3600, 30 * each),
        ("generate", "sd3", "chat, t", 16, 0, 16 * 2 / 3600, 16 * each),
    ]
    # 16 numbers of 4 bytes a row; the encoder says no rate.
    assert lines[6:] == [
        ("encode", "blip", "pool", 4, 0, None, 4 * 64),
        ("encode", "blip", "chat, a", 15, 0, None, 15 * 64),
        ("encode", "blip", "chat, b", 10, 5, None, 15 * 64),
        ("encode", "blip", "chat, t", 8, 0, None, 8 * 64),
        ("encode", "blip", "sd3, chat, a", 30, 0, None, 30 * 64),
        ("encode", "blip", "sd3, chat, b", 20, 10, None, 30 * 64),
        ("encode", "blip", "sd3, chat, t", 16, 0, None, 16 * 64),
        ("train", "mixed", "blip, sd3, chat, t", 2, 0, None, 0),
    ]


def shared(values):
    return {
        (line.stage, line.of): line.shared for line in checked(values).work if line.of.endswith(("b", "t"))
    }


def test_round_0_is_shared_only_with_what_is_made_anyway(small):
    """A set that no system draws for has no pictures to take over, and texts that are read are nobody's."""
    for name in ("dar", "mixed"):
        small["systems"][name] |= {"dialogues": ["b"], "baseline": None}
    assert [line.of for line in checked(small).work if line.stage == "generate"] == ["chat, b", "chat, t"]
    found = shared(small)
    assert (found["reformulate", "b"], found["encode", "chat, b"]) == (15, 5)
    assert (found["generate", "chat, b"], found["encode", "sd3, chat, b"]) == (0, 0)
    small["reformulators"]["chat"] = {
        "kind": "released",
        "files": {name: f"{name}.json" for name in "abt"},
        "prompts": 2,
    }
    assert set(shared(small).values()) == {0}


@pytest.mark.parametrize("name", ["b.json", "none.json"])
def test_dialogues_of_one_set_alone_are_not_shared(small, name):
    """What is taken over is what both sets have, also where one of them is not there yet."""
    small["dialogues"]["a"]["limit"] = 3
    small["dialogues"]["b"] |= {"file": name, "limit": 5}
    assert shared(small)["generate", "chat, b"] == 3 * 2


def test_rounds_that_are_left_out_are_not_shared(small):
    """Of a set with some rounds a dialogue only those that have round 0 are taken over."""
    small["dialogues"]["t"] |= {"round_0_from": "a", "rounds_per_dialogue": 1, "limit": None}
    del small["dialogues"]["b"]["round_0_from"]
    dialogues = READERS["chatir"].read(Path("t.json"))[:5]  # a has the first five of them
    opened = [dialogue for dialogue in dialogues if 0 in rounds_of(dialogue.dialogue_id, 3, 1)]
    assert 0 < len(opened) < len(dialogues)
    assert shared(small)["generate", "chat, t"] == 2 * len(opened)


def test_all_is_there(small):
    """Models, data, keys: each has its line, and the page ends well."""
    result = checked(small)
    assert result.missing == []
    assert found(result, "generators.sd3") == [("there", "local directory")]
    assert found(result, "dialogues.a.file") == [("there", "5 dialogues")]
    assert found(result, "dialogues.t.file") == [("there", "4 of 6 dialogues")]
    assert found(result, "corpora.pool.images") == [("there", "4 of 4 images")]
    assert verdict(result) == "Nothing is missing."


def test_page(small):
    """Columns are aligned, numbers to the right, sums add up, and no key's value is anywhere."""
    result = checked(small)
    lines = page(result, "small.yaml").splitlines()
    assert "secret-key-value" not in "\n".join(lines)
    place = lines.index("Work")
    assert [line.split() for line in lines[place + 1 : place + 5] if "---" not in line] == [
        ["stage", "items", "hours", "GB"],
        ["reformulate", "99", "answers", "<0.1"],
        ["generate", "66", "pictures", "<0.1", "<0.01"],
    ]
    place = lines.index("Work of each component")
    head, _, first = lines[place + 1 : place + 4]
    assert first.split() == ["reformulate", "chat", "3", "99", "answers", "15", "<0.1"]
    assert head.index("items") + len("items") == first.index(" answers") - 1


@pytest.mark.parametrize(
    ("items", "rate", "told"),
    [(None, 2, "unknown"), (None, None, "unknown"), (45, None, "rate unknown"), (45, 2, "<0.1")],
)
def test_hours_that_are_not_known(small, items, rate, told):
    """Where the number of items is not known it is not the rate that is missing."""
    small["reformulators"]["chat"]["per_second"] = rate
    small["evaluate"] = ["a"]
    del small["systems"]["mixed"], small["dialogues"]["b"]
    if items is None:
        Path("a.json").unlink()
    lines = page(checked(small), "small.yaml").splitlines()
    assert lines[lines.index("Work") + 3].endswith(f"  {told}")


def test_whole_page(small):
    """Asked for the whole, the work has a line a dialogue set and corpus."""
    lines = page(checked(small), "small.yaml", whole=True).splitlines()
    told = [line.split() for line in lines[lines.index("Work of each component") + 3 :]]
    assert told[1] == ["reformulate", "chat", "b", "30", "answers", "15", "<0.1"]


def test_a_size_that_is_not_written_is_the_pipelines_own(small):
    """64 latents and a decoder of four levels draw 512 pixels; without the model nobody knows."""
    written = [line.size for line in checked(small).work]
    del small["generators"]["sd3"]["height"], small["generators"]["sd3"]["width"]
    assert [line.size for line in checked(small).work] == written
    Path("models/sd3/transformer/config.json").write_text("{}")
    assert checked(small).work[3].size is None


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "daitir.preflight", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_mini_is_complete_or_will_be(tmp_path, monkeypatch):
    """The default config passes with its data, and before snakemake has made them."""
    monkeypatch.chdir(tmp_path)
    for name in ("config.yaml", "config"):
        Path(name).symlink_to(ROOT / name)
    Path("resources").mkdir()
    Path("resources/models").symlink_to(ROOT / "resources" / "models")
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resources/mini/val.json" in done.stdout
    assert "snakemake makes it" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Nothing is missing; ")


def test_several_files_are_merged_from_left_to_right(small):
    """Later files win, key by key, as with snakemake --configfile."""
    Path("one.yaml").write_text(yaml.safe_dump(small))
    Path("two.yaml").write_text("dialogues: {t: {limit: 2}}\n")
    done = run("--configfile", "one.yaml", "two.yaml", THE_KEY="secret-key-value")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 6 dialogues" in done.stdout
    assert "secret-key-value" not in done.stdout


def test_faults_of_the_config_and_of_its_file(small):
    """A config that is none is refused as by snakemake, in one line."""
    small["encoders"]["blip"]["kind"] = "blap"
    Path("one.yaml").write_text(yaml.safe_dump(small))
    for name, message in (("one.yaml", "encoders.blip"), ("none.yaml", "does not exist")):
        done = run("--configfile", name)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_last_line_and_exit_status(small):
    """What is missing is the last line, and the exit status 1."""
    Path("images/1.png").unlink()
    Path("one.yaml").write_text(yaml.safe_dump(small))
    done = run("--configfile", "one.yaml", THE_KEY="k")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "Missing: corpora.pool.images (images)"
