"""Renders the page: one HTML file with its style, script, figures and pictures inside."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from daitir.charts import COLOURS, INK, PAPER, SOFT
from daitir.report import numbers
from daitir.report.analyses import Analysed
from daitir.report.answers import Answer
from daitir.report.cut import CutTexts
from daitir.report.examples import Example
from daitir.report.makers import Makers
from daitir.report.published import Comparison
from daitir.report.run import Measured, System
from daitir.report.summary import Finding, findings
from daitir.report.times import Time
from daitir.report.trained import Training, Tuning
from daitir.report.views import Views

TEMPLATES = Path(__file__).parent
PAGE_COLOURS = {INK: "var(--ink)", SOFT: "var(--soft)", PAPER: "var(--paper)"}


@dataclass(frozen=True)
class Section:
    """Everything the page says of one dialogue set."""

    run: Measured
    figures: Mapping[str, str]
    published: Sequence[Comparison]
    focus: tuple[System, System] | None
    examples: Sequence[Example]
    cut_texts: Sequence[CutTexts]
    views: Sequence[Views]
    analyses: Sequence[Analysed]

    @property
    def has_published_curve(self) -> bool:
        """Whether the figure of the headline measure shows a published curve beside the measured ones."""
        return any(one.pairs and one.expected.measure == self.run.hits for one in self.published)

    @property
    def findings(self) -> list[Finding]:
        """What its numbers say."""
        found = findings(self.run)
        if self.published:
            found.insert(1, Finding("Published figures", " ".join(one.text for one in self.published)))
        return found


@dataclass(frozen=True)
class Made:
    """How the page came about: components, trainings with their figures, time, the config as run."""

    makers: Makers
    trainings: Sequence[Training]
    tunings: Sequence[Tuning]
    training_figures: Mapping[str, str]
    times: Sequence[Time]
    config: Mapping[str, Any]
    resamples: int
    flips: int

    @property
    def machines(self) -> list[str]:
        """The machines that jobs told of, each once."""
        return list(dict.fromkeys(machine for time in self.times for machine in time.machines))


def render(
    sections: Sequence[Section], published: Sequence[Comparison], answers: Sequence[Answer], made: Made
) -> str:
    """Return the page, with what was published or claimed beside what was measured.

    Equal inputs give equal bytes.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (numbers.share, numbers.points, numbers.p_value, numbers.rank, numbers.signed):
        environment.filters[function.__name__] = function
    environment.filters["marked"] = marked
    environment.globals |= {
        "colour_of": colour_of,
        "measured": numbers.measured,
        "difference": numbers.difference,
        "title_of": numbers.title_of,
        "span_of": span_of,
        "inline": inline_svg,
    }
    config = yaml.safe_dump(dict(made.config), sort_keys=False, allow_unicode=True, width=100)
    files = {
        name: Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("style.css", "script.js")
    }
    page = environment.get_template("page.html.j2").render(
        sections=sections,
        published=published,
        answers=answers,
        made=made,
        config=config,
        style=files["style.css"],
        script=files["script.js"],
    )
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"


def marked(text: str) -> Markup:
    """Return text as HTML, with what stands between backticks set as a name."""
    return Markup(re.sub(r"`([^`]*)`", r'<span class="name">\1</span>', str(escape(text))))


def colour_of(systems: Mapping[str, System], name: str) -> str:
    """Return the colour that a system has in the figures."""
    return COLOURS[systems[name].place % len(COLOURS)]


def span_of(rows: Sequence[Any], zero: bool = False) -> tuple[float, float]:
    """Return the ends of a scale for some intervals, with a little air; with ``zero`` it holds 0 as well."""
    low = min([row.low for row in rows] + [0.0] * zero)
    high = max([row.high for row in rows] + [0.0] * zero)
    air = (high - low) * 0.06 or 0.01
    return low - air, high + air


def inline_svg(text: str, name: str) -> Markup:
    """Return a figure to stand in the page: its greys are the page's, its ids its own, no address in it."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", body).replace("xlink:href", "href")
    body = re.sub(r"font-family: [^;\"]*(; )?", "", body)
    body = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", body)
    for colour, variable in PAGE_COLOURS.items():
        body = body.replace(colour, variable)
    body = re.sub(r'<svg width="[^"]*" height="[^"]*"', '<svg class="figure" role="img"', body, count=1)
    return Markup(body)
