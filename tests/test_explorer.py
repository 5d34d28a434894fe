"""The files of the explorer: what they hold is what ranks, dialogues, queries and images say."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daitir.errors import DaitirError
from daitir.explorer.folder import finished_folder
from daitir.layout import Layout
from daitir.provenance import companions
from daitir.ranks import read_ranks
from daitir.stages import explore
from tests.explorer_files import SET, explore_options, make_explorer, numbers, unpack
from tests.synthetic import make_results, picture


def data(explorer, name):
    """The value in a file of data."""
    text = (explorer / "data" / f"{name}.js").read_text()
    begin = f'take("{name}",'
    assert text.startswith(begin)
    return json.loads(text.removeprefix(begin).removesuffix(");\n"))


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """Folder, config and explorer of a small run."""
    folder = tmp_path_factory.mktemp("explorer")
    return folder, make_explorer(folder), folder / "results" / "explorer"


def test_files_of_data_hold_the_ranks(made_once):
    """Ranks of each seed by dialogue and round, keys of the top lists from 1, gates where there are some."""
    folder, _, explorer = made_once
    keys = json.loads(unpack(data(explorer, f"{SET}/dialogues")))["keys"]
    for system, seed in [("text", 0), ("adafuse", 0), ("adafuse", 1), ("oracle", 0)]:
        table = read_ranks(Path(Layout(str(folder / "results")).ranks(system, SET)))
        own = table[table["seed"] == seed].sort_values(["dialogue_id", "round"])
        found = data(explorer, f"{SET}/ranks/{system}.seed-{seed}")
        assert numbers(found["rank"]) == own["rank"].tolist()
        top = [keys[key - 1] for key in numbers(found["top"])]
        assert top == [key for keys_ in own["top_keys"] for key in keys_]
        scores = np.array(numbers(found["score"])) / 10_000
        assert scores == pytest.approx(np.concatenate(own["top_scores"].to_list()), abs=6e-5)
        assert (found["gate"] is None) == own["gate"].isna().all()
        assert (found["similarity"] is None) == own["similarity"].isna().all()


def test_index_says_what_there_is(made_once):
    """Systems in the order of the config, the oracle last, with their seeds and images."""
    index = data(made_once[2], "index")
    (entry,) = index["sets"]
    assert [system["name"] for system in entry["systems"]] == ["text", "dar", "adafuse", "oracle"]
    assert [system["seeds"] for system in entry["systems"]] == [[0], [0], [0, 1], [0]]
    assert [system["pictures"] for system in entry["systems"]] == [None, "sd3.llm", "sd3.llm", None]
    assert [system["looksAt"] for system in entry["systems"]] == [None, 1, 1, None]
    assert (entry["pair"], entry["candidates"]) == (["adafuse", "text"], 40)
    assert (entry["dialogues"], entry["rounds"]) == (12, [0, 1, 2])


def test_pictures_are_there_for_the_chosen_dialogues_only(made_once):
    """Images of every round and candidates of every top list; equal ones are one file."""
    explorer = made_once[2]
    chosen = data(explorer, "index")["sets"][0]["pictured"]
    pictures = json.loads(unpack(data(explorer, f"{SET}/pictures")))
    assert len(chosen) == 4
    assert sorted(map(int, pictures["drawn"]["sd3.llm"])) == chosen
    for rounds in pictures["drawn"]["sd3.llm"].values():
        assert [len(images) for images in rounds] == [2, 2, 2]
        for round_, images in enumerate(rounds):
            for k, (name, published) in enumerate(images, start=1):
                assert published is None
                assert (explorer / "pictures" / name).read_bytes() == picture(round_ * 3 + k)
    files = {path.name for path in (explorer / "pictures").iterdir()}
    named = set(pictures["candidates"].values())
    named |= {image[0] for rounds in pictures["drawn"]["sd3.llm"].values() for one in rounds for image in one}
    assert files == named


def test_explorer_is_the_same_bytes_each_time(made_once, tmp_path):
    """A second writing gives the same files."""
    folder, config, explorer = made_once
    again = tmp_path / "again" / "explorer"
    explore.run(explore_options(config), folder / "results", again)
    files = sorted(path.relative_to(explorer) for path in explorer.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((explorer / file).read_bytes() == (again / file).read_bytes() for file in files)


def test_without_thumbnails_no_image_is_read(tmp_path):
    """Neither the shards nor the corpus are looked at."""
    config = make_results(tmp_path) | {"generators": {"sd3": {"images": 2}}}
    for path in [*(tmp_path / "corpus").rglob("*.png"), *(tmp_path / "results" / "images").rglob("*.tar")]:
        path.unlink()
    explore.run(explore_options(config, thumbnails=0), tmp_path / "results", tmp_path / "explorer")
    assert list((tmp_path / "explorer" / "pictures").iterdir()) == []


def test_large_candidates_are_made_small(tmp_path):
    """A photograph becomes WebP of the asked size."""
    config = make_results(tmp_path)
    for number in range(40):
        (tmp_path / "corpus" / f"images/{number:02d}.png").write_bytes(picture(number, 300))
    alone = config | {"systems": {"text": config["systems"]["text"]}}
    explore.run(explore_options(alone, size=64), tmp_path / "results", tmp_path / "explorer")
    sizes = {Image.open(path).size for path in (tmp_path / "explorer" / "pictures").glob("*.webp")}
    assert sizes == {(64, 64)}


def test_folder_is_replaced_whole_or_not_at_all(made_once, tmp_path):
    """What fails leaves the explorer before it; a folder of something else is refused."""
    folder, config, _ = made_once
    output = tmp_path / "explorer"
    explore.run(explore_options(config), folder / "results", output)
    (output / "old").write_text("old")
    broken = config | {"corpora": {"tiny": config["corpora"]["tiny"] | {"images": str(tmp_path)}}}
    with pytest.raises(DaitirError, match=r"images/\d+.png does not exist"):
        explore.run(explore_options(broken), folder / "results", output)
    assert (output / "old").exists()
    explore.run(explore_options(config), folder / "results", output)
    assert not (output / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["explorer"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(DaitirError, match="is no explorer"), finished_folder(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_images_that_a_shard_lacks_are_counted(tmp_path):
    """A generator that draws three images must have three in its shards."""
    config = make_results(tmp_path) | {"generators": {"sd3": {"images": 3}}}
    with pytest.raises(DaitirError, match=r"lacks \d+ of \d+ images, the first is 'dialogue-\d+_r0_k3'"):
        explore.run(explore_options(config), tmp_path / "results", tmp_path / "explorer")
    assert not (tmp_path / "explorer").exists()


def test_files_of_the_page_count_as_code_of_the_stage():
    """An edit of the page, its style or a script makes the explorer anew."""
    beside = b"".join(companions("daitir.explorer.page"))
    assert all(words in beside for words in (b"<!doctype html>", b"--paper", b"class Ranking"))
