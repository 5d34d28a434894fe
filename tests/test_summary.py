"""The summary: a table that reads as text, claims with their verdicts, what was trained and what it cost."""

import numpy as np
import pandas as pd
import pytest

from daitir.errors import DaitirError
from daitir.layout import Layout
from daitir.report.markdown import table
from daitir.stages import summarise
from tests.synthetic import SET, known_ranks
from tests.synthetic_trained import CLAIMS, make_trained, order_of


def write(folder, config, benchmarks=("benchmarks",)):
    options = summarise.SummariseOptions.parse(
        {"code": "x", "config": config, "order": order_of(config)}, "x"
    )
    output = folder / "summary.md"
    summarise.run(options, folder / "results", [folder / name for name in benchmarks], output)
    return output.read_text()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder, config and summary."""
    folder = tmp_path_factory.mktemp("summary")
    config = make_trained(folder)
    return folder, config, write(folder, config)


def cells(summary, system, below=0, part=f"## {SET}"):
    """Cells of a system's row by its column, or of the row of its seeds below it."""
    lines = summary[summary.index(part) :].splitlines()
    header = next(line for line in lines if line.startswith("| "))
    place = next(number for number, line in enumerate(lines) if line.startswith(f"| {system} "))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, lines[place + below])]
    return dict(zip(*rows, strict=True))


def test_summary_says_how_large_everything_is(run):
    """Dialogues, candidates, rounds, systems, and what is no system."""
    assert (
        "12 dialogues search 40 candidates of `tiny`, rounds 0 to 2; 5 systems."
        " No system but an upper line, which knows the target: `oracle`." in run[2]
    )


def test_columns_of_a_table_are_aligned(run):
    """Every row of a table is as wide as its header."""
    blocks = [block.splitlines() for block in run[2].split("\n\n") if block.startswith("|")]
    assert len(blocks) == 4
    assert all(len({len(line) for line in block}) == 1 for block in blocks)


def test_row_of_a_system_is_that_of_the_tables(run):
    """dar loses 5 ranks on 3 of 12 dialogues."""
    row = cells(run[2], "dar")
    assert (row["baseline"], row["worse %"], row["drop mean"], row["drop median"]) == (
        "text",
        "25.0",
        "5",
        "5",
    )
    measured = pd.read_csv(Layout(str(run[0] / "results")).table("by_round"))
    wanted = measured[(measured["system"] == "dar") & (measured["round"] == 2)].set_index("measure")["value"]
    assert row["Hits@10 r2"] == f"{100 * wanted['hits@10']:.1f}"
    assert row["MRR r2"] == f"{wanted['mrr']:.3f}"
    assert row["BRI r2"] == f"{wanted['bri']:.3f}"


def test_seeds_stand_below_their_mean(run):
    """text-dmcl is never worse; adafuse is on one of 12, by 9 ranks with either seed."""
    row = cells(run[2], "text-dmcl", below=1)
    assert (row["system"], row["training, s"]) == ("\N{EN DASH} 2 seeds", "100\N{EN DASH}300")
    assert row["worse %"] == "0.0"
    assert cells(run[2], "adafuse", below=1)["drop mean"] == "9"
    ends = [f"{np.mean(1 / known_ranks('adafuse', seed)[:, 2]):.3f}" for seed in (0, 1)]
    assert cells(run[2], "adafuse", below=1)["MRR r2"] == "\N{EN DASH}".join(ends)


def test_costs_are_those_of_fusion_and_encoder(run):
    """Weights from the histories and feature stores, seconds from the benchmark files, both by mean."""
    row = cells(run[2], "adafuse")
    assert (row["fusion, weights"], row["encoder, weights"], row["training, s"]) == (
        "1,234,567",
        "4,938,268",
        "15",
    )
    assert cells(run[2], "text-dmcl")["training, s"] == "200"
    assert cells(run[2], "text")["training, s"] == "\N{EN DASH}"
    assert cells(run[2], "blip-dmcl", part="## Models")["of them trained"] == "4,000,000"
    assert cells(run[2], "adafuse", part="| fusion of")["overhead %"] == "25.00"


def test_claims_are_a_line_each_with_the_test_behind(run):
    """Verdict, claim, source, numbers; what was tried only where it does not hold."""
    claims = run[2][run[2].index("## Claims") : run[2].index("## Models")]
    assert "1 of 4 hold." in claims
    (harm,) = [line for line in claims.splitlines() if "dar makes <most>" in line]
    assert harm.startswith(
        "- **Does not hold:** dar makes <most> queries worse (ADaFuSE). `dar` ranks 25.0 %"
    )
    assert "\n  Tried: five ranks for every query." in claims
    assert "- **Holds:** Tuning helps. Mean ln rank at round 2 on `few`: `text-dmcl`" in claims
    assert "a randomisation test that flips the signs of the differences, p = 0.001." in claims
    assert len([line for line in claims.splitlines() if line.startswith("- ")]) == len(CLAIMS)


def test_views_stand_before_and_after_tuning(run):
    """Agreement of 0.5, and of 0.7 and 0.8 with two seeds."""
    row = cells(run[2], "cos(text, image)", part="| mean over")
    assert row["r0 before"] == "0.500"
    assert row["r0 after"] == "0.750 (0.700\N{EN DASH}0.800)"


def test_seconds_that_nobody_measured_are_left_out(run):
    """A training from elsewhere has no benchmark file."""
    folder, config, _ = run
    assert cells(write(folder, config, ()), "adafuse")["training, s"] == "\N{EN DASH}"


def test_summary_without_claims_has_no_section(tmp_path):
    """And the table of claims has a heading alone."""
    from tests.synthetic_trained import write_tables

    config = make_trained(tmp_path)
    config["report"] |= {"claims": []}
    write_tables(tmp_path, config)
    assert "## Claims" not in write(tmp_path, config)
    found = (tmp_path / "results/tables/claims.csv").read_text()
    assert found.startswith("claim,kind,system,")
    assert found.count("\n") == 1


def test_table_of_other_claims_is_named(run):
    """The measures are older than the config."""
    folder, config, _ = run
    other = config | {"report": config["report"] | {"claims": CLAIMS[:1]}}
    with pytest.raises(DaitirError, match=r"claims.csv is not of the claims of this config"):
        write(folder, other)


def test_table_reads_as_text():
    """Names to the left, numbers to the right."""
    assert table(["system", "hits"], [["dar", "9.5"], ["adafuse", "12.0"]]) == (
        "| system  | hits |\n| ------- | ---: |\n| dar     |  9.5 |\n| adafuse | 12.0 |"
    )
