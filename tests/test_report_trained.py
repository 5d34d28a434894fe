"""The page of a run with tuned encoders, oracles and claims."""

import re

import pytest

from daitir.errors import DaitirError
from daitir.features import read_features, write_features
from daitir.layout import Layout
from daitir.seals import write_sealed
from daitir.stages import report
from tests.synthetic import SET
from tests.synthetic_trained import make_trained, order_of
from tests.test_report import spaced, text_of


def write(folder, config):
    options = report.ReportOptions.parse({"code": "x", "config": config, "order": order_of(config)}, "x")
    report.run(options, folder / "results", [], folder / "report.html")
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder, config and page."""
    folder = tmp_path_factory.mktemp("trained")
    config = make_trained(folder)
    return folder, config, write(folder, config)


def test_oracle_is_marked_as_what_knows_the_target(run):
    """In the tables, among the findings and by its maker; it is no best system and none that weighs."""
    text = text_of(run[2])
    assert "upper line: it knows the target · the best of dar, adafuse" in text
    assert "Who took for each query the better of dar and adafuse would find" in text
    assert "5 systems and an upper line" in text
    assert "fusion oracle oracle of dar adafuse" in spaced(run[2])
    assert "oracle gives the text a weight" not in text
    assert "oracle is the mean of" not in text
    main = run[2][run[2].index("<h3>Hits@10</h3>") : run[2].index("<figure")]
    row = next(row for row in main.split("<tr>") if '<span class="name">oracle</span>' in row)
    assert 'class="best"' not in row


def test_tuned_encoder_is_listed_once_a_seed(run):
    """Its recipe, the digest of the model that was trained, its training, and the figure of it."""
    text = spaced(run[2])
    for seed in (0, 1):
        assert (
            f"encoder blip-dmcl.seed-{seed} blip models/blip digest{seed} tuned by dmcl, seed {seed}" in text
        )
        assert f"blip-dmcl {seed} dmcl 4,938,268 4,000,000 80 20 {3 + seed} 75.0 50.0" in text
    assert "text-dmcl text · blip-dmcl · llm · mean of 2 seeds" in text


def test_figures_of_trainings_can_be_unfolded(run):
    """One of each fusion and encoder that was trained, their ids apart."""
    folded = re.findall(r'<details><summary>How <span class="name">([^<]*)</span> was trained', run[2])
    assert folded == ["adafuse", "blip-dmcl"]
    assert 'id="training-adafuse-curve"' in run[2]
    assert 'id="tuning-blip-dmcl-terms"' in run[2]


def test_views_are_compared_before_and_after_tuning(run):
    """Numbers of both, and the figure."""
    text = spaced(run[2])
    assert "Text, image and target before and after blip-dmcl" in text
    assert "cos(text, image) 0.500 0.750 0.700 \N{EN DASH} 0.800" in text
    assert "the same, hallucinated half 0.400 0.200 0.200 \N{EN DASH} 0.200" in text
    assert 'id="views-blip-dmcl-few-plane"' in run[2]


def test_claims_stand_with_verdict_numbers_and_test(run):
    """What was tried is told of the one that does not hold; words of the config are only text."""
    section = run[2][run[2].index('<h2 id="claims">') : run[2].index('<h2 id="made">')]
    assert '<b class="worse">does not hold</b>' in section
    assert '<b class="better">holds</b>' in section
    assert "dar makes &lt;most&gt; queries worse." in section
    assert "Tried: five ranks" in section
    assert '<a href="#claims">' in run[2]


def test_page_without_claims_has_no_section(run):
    """Nor a link to it."""
    folder, config, _ = run
    path = folder / "results/tables/claims.csv"
    rows = path.read_text()
    write_sealed(path, rows.splitlines()[0] + "\n")
    page = write(folder, config | {"report": config["report"] | {"claims": []}})
    write_sealed(path, rows)
    assert "claims" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL).replace("claims: []", "")


def test_figure_of_a_training_that_is_missing_is_named(run):
    """Snakemake draws it before the page."""
    folder, config, _ = run
    path = folder / "results/figures/training-adafuse.svg"
    path.rename(path.with_suffix(".away"))
    with pytest.raises(DaitirError, match=r"training-adafuse.svg does not exist"):
        write(folder, config)
    path.with_suffix(".away").rename(path)


def test_features_that_do_not_say_how_large_their_encoder_is_are_named(run, tmp_path):
    """An older daitir made them."""
    config = make_trained(tmp_path)
    path = Layout(str(tmp_path / "results")).query_features("blip", "llm", SET)
    store = read_features(path)
    facts = {name: fact for name, fact in store.provenance["facts"].items() if name != "parameters"}
    write_features(path, store.keys, store.matrix, store.provenance | {"facts": facts})
    with pytest.raises(DaitirError, match="says nothing of its 'parameters'"):
        write(tmp_path, config)
