"""The page: its numbers are those of the ranks, its words follow from them, and it needs no network."""

import re

import numpy as np
import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.provenance import companions
from daitir.report.examples import choose
from daitir.report.numbers import listed, p_value, points, rank, share
from daitir.report.page import inline_svg, span_of
from daitir.stages import measure, report
from tests.synthetic import known_ranks, make_results, picture
from tests.test_measure import measure_options

NASTY = "<script>alert('x')</script> & \"quotes\"? yes"


def write(folder, config, name="report.html", benchmarks=()):
    options = report.ReportOptions.parse(
        {"code": "x", "config": config, "order": list(config["systems"])}, "test"
    )
    report.run(options, folder / "results", list(benchmarks), folder / name)
    return (folder / name).read_text()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder, config and page of a small run."""
    folder = tmp_path_factory.mktemp("report")
    config = make_results(folder, turn=NASTY)
    measure.run(measure.MeasureOptions.parse(measure_options(config), "test"), folder / "results")
    return folder, config, write(folder, config)


def text_of(page):
    """What a reader sees."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", page))


def spaced(page):
    """What a reader sees, cells apart."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@pytest.mark.parametrize("system", ["text", "dar", "adafuse"])
def test_main_table_shows_the_hits_of_the_ranks(run, system):
    """Hits@10 at rounds 0 and 2, counted again from the ranks."""
    page = run[2]
    seeds = range(2 if system == "adafuse" else 1)
    hits = np.mean([(known_ranks(system, s).min(axis=1) <= 10).mean() for s in seeds])
    begin = np.mean([(known_ranks(system, s)[:, 0] <= 10).mean() for s in seeds])
    main = page[page.index("<h3>Hits@10</h3>") : page.index("<figure")]
    row = next(row for row in main.split("<tr>") if f'<span class="name">{system}</span>' in row)
    values = re.findall(r"<td data-v=\"[^\"]*\"(?: class=\"best\")?>([\d.]+)<small>", row)
    assert values == [share(begin), share(hits)]


def test_words_say_that_a_fusion_does_not_beat_text(run):
    """No difference is shown, so the page says it, with the interval."""
    text = text_of(run[2])
    assert "None is shown to be better than text in Hits@10 at round 2." in text
    interval = rf"\({points(-1 / 12)} points, 95 % interval {points(-0.3)[:-3]}\d\.\d to 0\.0, p = 1\.000\)"
    assert re.search(f"No difference is shown for dar {interval}", text)
    assert "dar 25.0 % worse and 0.0 % better" in text
    assert "adafuse is the mean of 2 trainings" in text


def test_page_needs_no_network(run):
    """No address at all, and a policy that lets the browser fetch none."""
    page = run[2]
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', page))
    assert not re.search(r"<link|@import|url\((?!#)", page)


def test_page_is_the_same_bytes_each_time(run):
    """A second writing gives the same file."""
    folder, config, page = run
    assert write(folder, config, "again.html") == page


def test_texts_of_dialogues_are_only_text(run):
    """A turn with markup in it is shown, not run."""
    page = run[2]
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_ids_of_figures_do_not_collide(run):
    """Figures inside one page share no id, and what they refer to is there."""
    ids = re.findall(r'\bid="([^"]*)"', run[2])
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', run[2])) <= set(ids)


def test_examples_hold_dialogue_target_and_candidates(run):
    """Three dialogues: gained most, lost most, typical; the target is marked, and the image not looked at."""
    page = run[2]
    shown = page.split('<section class="example">')[1:]
    assert [re.search(r"<h4>(.*?) <span>", one).group(1) for one in shown] == [
        "Gained most",
        "Lost most",
        "Typical",
    ]
    assert "dialogue-11" in shown[1]  # the one that adafuse loses
    for one in shown:
        assert "<figcaption>prompt one</figcaption>" in one
        assert "<figcaption>prompt two (not looked at)</figcaption>" in one
        assert one.count('class="target"') >= len(re.findall('class="moment"', one))


def test_provenance_names_models_with_their_digests(run):
    """Model, digest, settings and versions as the files record them; and the config as run."""
    text = text_of(run[2])
    for words in ("models/blip", "0123456789abcdef", "models/sd3", "steps 3", "resamples: 200"):
        assert words in text
    assert "weights 4,938,268, reads 256 tokens of a text, width 8, preprocessing 32 px, bicubic" in text
    # queries, images and their features in two shards, features of texts and corpus, ranks of three systems
    assert "All 11 files of queries, images, features and ranks were made with daitir 0, torch 9.9." in text


def test_trainings_say_what_chose_their_epoch(run):
    """Parameters, held-out dialogues, epoch kept, and the text alone beside the fusion."""
    text = text_of(run[2])
    assert "chosen by Recall@10 on held-out training dialogues" in text
    assert "adafuse 0 1,234,567 25.00 % of blip 90 10 7 51.2 49.8" in spaced(run[2])


def test_cut_texts_are_counted(run):
    """What encoder and generator did not read is said, over all shards."""
    assert "7 of 36 query texts of llm were longer than blip reads, and were cut." in text_of(run[2])
    assert "1 of 40 prompts of llm were longer than sd3 reads, and were cut." in text_of(run[2])


def test_page_of_one_set_has_no_overview(run):
    """Nor a word of published figures where the config names none."""
    assert "All dialogue sets" not in run[2]
    assert "published figures" not in run[2].lower()


def test_page_without_images_is_written(run):
    """A run of texts alone has neither examples nor comparisons."""
    folder, config, _ = run
    alone = config | {"systems": {"text": config["systems"]["text"]}}
    assert "Against baseline" not in write(folder, alone, "text.html")


def test_missing_table_is_named(tmp_path):
    """The report does not begin before the measures are there."""
    with pytest.raises(DaitirError, match=r"by_round.csv does not exist"):
        write(tmp_path, make_results(tmp_path))


def test_missing_candidate_is_named(run, tmp_path):
    """A corpus image that is gone stops the page by its name."""
    folder, config, _ = run
    gone = config | {"corpora": {"tiny": config["corpora"]["tiny"] | {"images": str(tmp_path)}}}
    with pytest.raises(DaitirError, match=r"images/\d+.png does not exist"):
        write(folder, gone, "never.html")
    assert not (folder / "never.html").exists()


@pytest.mark.parametrize(
    ("gains", "chosen"),
    [
        (
            {"a": [0.0, 3.0], "b": [-1.0, -2.0], "c": [0.1, 0.1], "d": [0.0, 0.0]},
            [("a", 1), ("b", 1), ("c", 1)],
        ),
        ({"a": [0.0, 0.0], "b": [0.0, 0.0]}, [("a", 0), ("b", 0)]),  # equals go by name
    ],
)
def test_examples_are_chosen_by_rule(gains, chosen):
    """Most gained, most lost, nearest to the median; told at the round of the largest change."""
    frame = pd.DataFrame.from_dict(gains, orient="index")
    assert [(choice.dialogue_id, choice.round) for choice in choose(frame, 3)] == chosen


def test_template_counts_as_code_of_the_stage():
    """An edit of the template, the style or the script makes the page anew."""
    beside = b"".join(companions("daitir.report.page"))
    assert all(words in beside for words in (b"{% macro dialogue_set", b"--paper", b"aria-sort"))


def test_large_pictures_are_made_small():
    """A photograph of 600 px is stored in at most 192; a small one stays as it is."""
    from daitir.report.pictures import data_uri

    assert data_uri(picture(1, 600), "x").startswith("data:image/webp")
    assert data_uri(picture(1, 48), "x").startswith("data:image/png")
    with pytest.raises(DaitirError, match="x is not an image"):
        data_uri(b"nothing", "x")


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (share(0.8149), "81.5"),
        (points(-0.0231), "\N{MINUS SIGN}2.3"),
        (points(-0.0001), "0.0"),
        (rank(7512.4), "7,512"),
        (rank(12.5), "12.5"),
        (p_value(0.0004), "< 0.001"),
        (listed(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_numbers_are_written_for_people(shown, text):
    """Shares in per cent, a true minus sign, thousands apart."""
    assert shown == text


def test_inline_figure_takes_the_greys_of_the_page():
    """Ids get the figure's name, greys become variables, addresses vanish."""
    svg = '<svg xmlns="http://x" width="1pt" height="1pt"><g id="a" style="fill: #24292f"/></svg>'
    inside = '<g id="hits-a" style="fill: var(--ink)"/>'
    assert (
        inline_svg(f'<?xml version="1.0"?>\n{svg}', "hits")
        == f'<svg class="figure" role="img">{inside}</svg>'
    )


def test_scale_holds_all_intervals_and_zero():
    """With air at both ends."""
    rows = [type("Row", (), {"low": 1.0, "high": 2.0})]
    low, high = span_of(rows, zero=True)
    assert low < 0 < 2 < high
