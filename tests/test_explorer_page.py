"""The explorer in a headless Chromium: what it shows is what the ranks tables say, and it is clicked."""

import numpy as np
import pytest

from daitir.stages import explore
from tests.browser import Browser, find_browser
from tests.explorer_files import IDS, NASTY, explore_options, make_explorer, make_large
from tests.explorer_page import Page
from tests.synthetic import SET

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a small run in a browser, and one without pictures."""
    program = find_browser()
    if program is None:
        pytest.skip("there is no Chromium or Chrome on PATH, which this test drives: install one")
    folder = tmp_path_factory.mktemp("explorer")
    config = make_explorer(folder)
    explore.run(explore_options(config, thumbnails=0), folder / "results", folder / "results" / "bare")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield Page(browser, folder)
    browser.close()


def number(value: float, digits: int) -> str:
    return DASH if np.isnan(value) else f"{value:.{digits}f}".replace("-", MINUS)


@pytest.mark.parametrize(
    ("system", "seed", "against", "round_", "dialogue"),
    [
        ("adafuse", 0, "text", 2, 11),
        ("adafuse", 1, "text", 0, 3),
        ("dar", 0, "adafuse", 1, 0),
        ("text", 0, "dar", 2, 7),
        ("oracle", 0, "text", 1, 5),
        ("oracle", 0, "oracle", 0, 1),
    ],
)
def test_a_dialogue_is_shown_as_the_ranks_say(page, system, seed, against, round_, dialogue):
    """Rank, score, gate, similarity, first candidates with scores, the target marked, ranks over rounds."""
    name = IDS[dialogue]
    page.go(set=SET, system=system, seed=seed, against=against, round=round_, dialogue=name)
    browser = page.browser
    for place, (one, its_seed) in enumerate([(system, seed), (against, 0)]):
        row = page.rows(one, round_, its_seed).loc[name]
        own = f".verdict:nth-of-type({place + 1})"
        assert browser.texts(f"{own} .number") == [f"{row['rank']:,}"]
        facts = browser.texts(f"{own} .facts span")
        assert facts[:2] == ["of 40", f"score {number(row['target_score'], 4)}"]
        assert [fact for fact in facts if fact.startswith("gate")] == (
            [] if np.isnan(row["gate"]) else [f"gate {number(row['gate'], 3)}"]
        )
        assert [fact for fact in facts if fact.startswith("similarity")] == (
            [] if np.isnan(row["similarity"]) else [f"similarity {number(row['similarity'], 3)}"]
        )
        box = f".top-box:nth-last-of-type({2 - place})"
        out = [] if row["rank"] <= 10 else [row["target"]]
        assert browser.values(f"{box} .frame", "data-key") == [*row["top_keys"], *out]
        assert browser.values(f"{box} .frame.target", "data-key") == [row["target"]]
        scores = [number(score, 4) for score in row["top_scores"]]
        assert browser.texts(f"{box} .score span")[:10] == scores
        line = browser.values(f".chart g.{'other' if place else 'own'} .mark", "data-rank")
        assert line == [str(page.rows(one, at, its_seed).loc[name]["rank"]) for at in range(3)]


@pytest.mark.parametrize("sort", ["gain", "loss", "climb", "drop", "id"])
def test_the_list_is_in_the_asked_order(page, sort):
    """By ln(rank against / rank), or by the difference of the ranks; equals by their ids."""
    page.go(system="adafuse", against="text", round=1, sort=sort)
    own, other = page.rows("adafuse", 1)["rank"], page.rows("text", 1)["rank"]
    gain, difference = np.log(other / own), other - own
    value = {"gain": gain, "loss": -gain, "climb": difference, "drop": -difference, "id": gain * 0}[sort]
    order = value.round(9).sort_values(ascending=False, kind="stable").index.tolist()
    assert page.listed() == order
    first = page.browser.texts(".row")[0]
    assert f"{other[order[0]]} → {own[order[0]]}" in first
    shown = f"{gain[order[0]]:+.2f}" if sort in {"gain", "loss", "id"} else f"{difference[order[0]]:+d}"
    assert shown.replace("-", MINUS) in first


def test_counts_of_better_and_worse_are_those_of_the_ranks(page):
    """adafuse loses one of twelve dialogues at round 2."""
    page.go(system="adafuse", against="text", round=2)
    difference = page.rows("text", 2)["rank"] - page.rows("adafuse", 2)["rank"]
    said = page.browser.texts("#tally")[0]
    assert f"{(difference > 0).sum()} better, {(difference < 0).sum()} worse" in said
    assert f"{(difference == 0).sum()} the same" in said


def test_clicks_lead_from_list_to_round_to_system(page):
    """A row, a round, a column of the chart, a turn, another system, swapped; the address follows."""
    page.go(system="adafuse", against="text", sort="id")
    page.click(f"#row-{4}")
    assert page.address["dialogue"] == IDS[4]
    page.click("#rounds button[data-round='1']")
    assert page.address["round"] == "1"
    assert page.browser.values("#rounds [aria-pressed=true]", "data-round") == ["1"]
    assert page.browser.texts(".turns li.later .number") == ["2"]
    page.click(".chart .column[data-round='0']")
    assert page.address["round"] == "0"
    page.click(".turns li:nth-child(3)")
    assert page.address["round"] == "2"
    page.browser.choose("#b", "dar")
    page.settle()
    page.click("#swap")
    assert (page.address["system"], page.address["against"]) == ("dar", "adafuse")
    assert page.address["dialogue"] == IDS[4]
    ranks = [str(page.rows(name, 2)["rank"][IDS[4]]) for name in ("dar", "adafuse")]
    assert page.browser.texts(".verdict .number") == ranks


def test_keys_do_what_the_help_says(page):
    """Dialogues, rounds, swap, order, pictures; keys typed into the search are letters."""
    page.go(system="adafuse", against="text", round=1, sort="id")
    page.press("j", "j", "k", "ArrowDown")
    assert page.address["dialogue"] == IDS[2]
    page.press("End", "ArrowDown")
    assert page.address["dialogue"] == IDS[-1]
    page.press("Home", "ArrowUp")
    assert page.address["dialogue"] == IDS[0]
    page.press("ArrowRight", "ArrowRight")
    assert page.address["round"] == "2"
    page.press("ArrowLeft", "s")
    assert (page.address["round"], page.address["system"]) == ("1", "text")
    page.press("o", "o")
    assert page.address["sort"] == "loss"
    page.press("p")
    assert page.address["pictures"] == "only"
    assert len(page.listed()) == 4
    page.press("p", "/", "j")
    assert page.address["find"] == "j"
    page.browser.press("Escape")
    page.press("?")
    assert page.browser.evaluate("byId('words').open")


def test_back_leads_to_what_was_shown_before(page):
    """Each step is an entry of the history; a kept address opens the same page."""
    page.go(system="adafuse", against="text", sort="id")
    page.press("j", "ArrowLeft")
    before = page.address
    page.press("s")
    page.browser.evaluate("history.back()")
    page.browser.wait("state.a === 'adafuse'")
    page.settle()
    assert page.address == before
    detail = page.browser.texts("#detail")
    page.go(**before)
    assert page.browser.texts("#detail") == detail


def test_search_finds_ids_targets_and_words(page):
    """All words must be there; with none found the page says so."""
    page.go(find="dialogue-03")
    assert page.listed() == ["dialogue-03"]
    page.go(find="images/05.png caption")
    assert page.listed() == ["dialogue-05"]
    page.go(find="no such word")
    assert page.listed() == []
    assert "No dialogue of this set" in page.browser.texts("#detail")[0]


def test_texts_and_images_are_those_of_the_round(page):
    """Query text, prompts under their images, and which image the fusion does not look at."""
    page.go()
    name = IDS[page.browser.evaluate("shown.set.pictured[0]")]
    page.go(system="adafuse", against="text", round=1, dialogue=name)
    assert page.browser.texts("blockquote") == [f"{name} at 1"]
    assert page.browser.texts(".drawn figcaption") == ["prompt one", "prompt two (not looked at by adafuse)"]
    page.browser.wait("[...document.images].length && [...document.images].every(one => one.complete)")
    assert page.browser.evaluate("[...document.images].every(one => one.naturalWidth === 16)")
    assert page.browser.evaluate("document.querySelectorAll('.drawn img').length") == 2


def test_dialogue_without_pictures_shows_names(page):
    """No image is asked for that is not there; boxes hold the names, prompts stand where they stood."""
    page.go(system="adafuse", against="text", round=2, dialogue=IDS[11])
    keys = page.browser.values(".frame[data-key]", "data-key")
    page.go("bare", system="adafuse", against="text", round=2, dialogue=IDS[11])
    assert page.browser.texts(".frame[data-key]") == keys
    assert page.browser.texts(".drawn .nothing") == ["image 1", "image 2"]
    assert page.browser.texts(".drawn figcaption")[0] == "prompt one"
    assert page.browser.evaluate("document.images.length") == 0


def test_texts_of_others_are_only_text(page):
    """A turn with markup in it is shown, not run."""
    page.go(dialogue=IDS[0])
    assert NASTY in page.browser.texts(".turns li")[1]
    assert page.browser.evaluate("document.querySelectorAll('.turns script, .turns img').length") == 0


def test_unknown_names_in_an_address_open_the_page(page):
    """A link from another run leads to what the page opens with."""
    page.go(set="gone", system="gone", against="gone", round=99, dialogue="gone", seed=7, sort="x")
    found = page.address
    assert (found["set"], found["system"], found["against"], found["round"]) == (SET, "adafuse", "text", "2")


def test_long_lists_hold_the_rows_that_are_seen(page, tmp_path):
    """Of 600 dialogues some forty rows are made; the last is reached by a key, and by scrolling."""
    config = make_large(tmp_path, dialogues=600, candidates=900, systems=2, sets=1, rounds=2)
    explore.run(explore_options(config, thumbnails=0), tmp_path / "results", page.folder / "large")
    page.go("large", sort="id")
    assert 10 < len(page.listed()) < 50
    page.press("End")
    assert page.listed()[-1] == "000599"
    assert page.address["dialogue"] == "000599"
    assert len(page.listed()) < 50
    page.browser.evaluate("byId('list').scrollTop = 100 * ROW")
    page.browser.wait("document.getElementById('row-100')")
    page.click("#row-104")
    assert page.address["dialogue"] == "000104"


def test_a_file_that_is_gone_is_named(page):
    """The page says which file of data cannot be read, and shows other systems when they are chosen."""
    page.go("bare", system="adafuse", against="text")
    gone = page.folder / "bare" / "data" / SET / "ranks" / "dar.seed-0.js"
    gone.unlink()
    page.browser.choose("#a", "dar")
    page.browser.wait("!byId('fault').hidden")
    assert page.browser.texts("#fault")[0].startswith(f"data/{SET}/ranks/dar.seed-0.js cannot be read")
    page.browser.choose("#a", "oracle")
    page.settle()
    assert page.browser.evaluate("byId('fault').hidden")
    assert all(gone.name in fault for fault in page.browser.faults)
    page.browser.faults.clear()


def test_page_loads_its_own_files_and_nothing_fails(page):
    """After all of the above: no address but those of the folder, no error in the console."""
    asked = {address for address in page.browser.requests if not address.startswith("about:")}
    assert asked
    assert all(address.startswith(f"file://{page.folder}/") for address in asked)
    assert page.browser.faults == []
