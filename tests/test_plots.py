"""Figures are the same bytes each time and hold what they are told to."""

import pytest
from PIL import Image

from daitir.charts import Chart, Line
from daitir.plots import draw_chart, spread

ROUNDS = [0, 1, 2]


def line(name, place, value):
    return Line(name, place, ROUNDS, value, [v - 0.1 for v in value], [v + 0.1 for v in value])


def svg_of(*what, **settings):
    return draw_chart(Chart(*what, **settings)).svg


def test_figure_is_the_same_bytes_each_time():
    """No date, no random ids."""
    lines = [line("text", 0, [0.2, 0.3, 0.5]), line("dar", 1, [0.2, 0.4, 0.5])]
    svg = svg_of("Hits@10", "round", lines, per_cent=True)
    assert svg == svg_of("Hits@10", "round", lines, per_cent=True)
    assert "date" not in svg
    assert "Matplotlib" not in svg


def test_figure_has_two_forms(tmp_path):
    """SVG and PNG side by side, both the same bytes each time."""
    drawn, again = (
        draw_chart(Chart("", "round", [line("text", 0, [0.2, 0.3, 0.5])], per_cent=True)) for _ in range(2)
    )
    assert drawn == again
    drawn.write(tmp_path / "hits.svg")
    assert (tmp_path / "hits.svg").read_text() == drawn.svg
    with Image.open(tmp_path / "hits.png") as picture:
        assert picture.width > 800
        assert picture.info.get("Software") is None


def test_places_without_a_number_have_names():
    """On an axis that counts nothing, such as kinds of stress."""
    svg = svg_of("", "", [line("text", 0, [0.2, 0.3, 0.5])], per_cent=True, ticks=["a", "b b", "c"])
    assert ">b b</text>" in svg


def test_single_point_shows_its_interval():
    """It has no band, so a thin line stands for it."""
    point, drawn = Line("text", 0, [3.5], [0.5], [0.4], [0.6]), []
    for lines in ([point], []):
        drawn.append(svg_of("", "seconds", lines, per_cent=True).count("LineCollection"))
    assert drawn == [1, 0]


def test_figure_names_its_lines_and_axes_in_text():
    """Names stand as text beside the lines; there is no legend to look up."""
    svg = svg_of("Hits@10, few", "round", [line("text", 0, [0.2, 0.3, 0.5])], per_cent=True)
    for text in ("Hits@10, few", "round", "text", "20 %"):
        assert f">{text}</text>" in svg


def test_systems_differ_in_more_than_colour():
    """Two lines of one colour family are told apart by dashes and markers in grey print."""
    one, other = (svg_of("", "", [line("a", place, [0.2, 0.3, 0.5])], per_cent=True) for place in (0, 1))
    assert "stroke-dasharray" not in one
    assert "stroke-dasharray" in other


def test_published_values_have_the_colour_of_their_system_and_no_band():
    """A dotted line more, no band more, and one more name in the same colour."""
    own = line("dar", 1, [0.2, 0.3, 0.5])
    theirs = Line("dar, published", 1, ROUNDS, *[[0.2, 0.3, 0.4]] * 3, is_published=True)
    alone, both = (svg_of("", "round", lines, per_cent=True) for lines in ([own], [own, theirs]))
    assert both.count("FillBetween") == alone.count("FillBetween") == 1
    assert both.count("fill: #0a78b5") == alone.count("fill: #0a78b5") + 1  # the name; markers are hollow
    assert ">dar, published</text>" in both


def test_published_rounds_that_do_not_follow_each_other_are_not_joined():
    """Values of rounds 0 and 10 say nothing of those between."""
    pieces = []
    for rounds in ([0, 1], [0, 10]):
        theirs = Line("dar", 1, rounds, *[[0.2, 0.4]] * 3, is_published=True)
        pieces.append(svg_of("", "round", [theirs], per_cent=True).count("stroke-dasharray: 1"))
    assert pieces == [1, 0]


def test_names_are_text_and_no_formula():
    """Dollar signs in a name stay."""
    assert ">$a$ and $b$</text>" in svg_of("", "", [line("$a$ and $b$", 0, [0.2, 0.3, 0.5])], per_cent=True)


@pytest.mark.parametrize("lines", [[], [Line("text", 0, [0], [0.5], [0.5], [0.5])]])
def test_figure_of_little_is_drawn(lines):
    """No line at all, or a single point without an interval."""
    assert svg_of("", "round", lines, per_cent=False).endswith("</svg>\n")


@pytest.mark.parametrize(
    ("places", "spread_out"),
    [
        ([], []),
        ([1.0, 5.0], [1.0, 5.0]),
        ([1.0, 1.0], [0.5, 1.5]),
        ([1.0, 1.2, 1.4, 9.0], [0.2, 1.2, 2.2, 9.0]),
        ([0.0, 1.5, 1.5], [-0.25 + 0.25, 1.0, 2.0]),
    ],
)
def test_labels_keep_their_distance(places, spread_out):
    """Labels that would overlap move apart around their middle; others stay."""
    assert spread(places, 1.0) == pytest.approx(spread_out)


def test_labels_stay_below_the_ceiling():
    """A group at the top is moved down as a whole, and takes those below with it."""
    assert spread([7.5, 9.5, 10.0], 1.0, ceiling=10.0) == pytest.approx([7.5, 9.0, 10.0])
    assert spread([8.5, 10.0, 10.0], 1.0, ceiling=10.0) == pytest.approx([8.0, 9.0, 10.0])
