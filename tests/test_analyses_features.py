"""Analyses that rank anew from stored features: they agree with the rank stage, and do what they say."""

import numpy as np
import pandas as pd
import pytest
import torch

from daitir.analyses import alpha, images, stress
from daitir.analyses.again import rank_variants
from daitir.analyses.options import AnalysedSystem, SystemSources
from daitir.analyses.subject import Subject
from daitir.analyses.tools import Drawing
from daitir.analyses.variants import variants_of
from daitir.errors import DaitirError
from daitir.fusions.options import AddOptions, DarOptions, TextOptions
from daitir.plots import draw_chart
from daitir.samples import read_samples
from daitir.scoring import target_ranks
from daitir.stages.rank import rank
from tests.sample_files import World, write_world

FUSIONS = {"text": TextOptions(), "add": AddOptions(), "dar": DarOptions(), "one": DarOptions(images=1)}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Features of 30 dialogues, two rounds and three images."""
    return write_world(tmp_path_factory.mktemp("world"), World(dialogues=30, images=3, noise=1.5))


@pytest.fixture(scope="module")
def subject(sources):
    """Four systems on one dialogue set."""
    files = SystemSources(
        dialogues=sources.dialogues, queries=sources.queries, pictures=sources.pictures, corpus=sources.corpus
    )
    systems = {
        name: AnalysedSystem(encoder="e", queries="q", images="i", fusion=fusion)
        for name, fusion in FUSIONS.items()
    }
    return Subject("few", systems, dict.fromkeys(FUSIONS, files), (1, 10), resamples=100, seed=0)


def test_ranking_again_is_ranking(subject, sources):
    """Ranks are those of the rank stage."""
    columns, samples = ["dialogue_id", "round", "seed", "rank"], read_samples(sources)
    for variant, again in rank_variants(subject, variants_of(subject)):
        known = rank(FUSIONS[variant.system], samples, 0, None)
        pd.testing.assert_frame_equal(again[columns], known[columns], check_dtype=False)


def recall(rows, **chosen):
    """Recall@10 at round 1 of one variant."""
    (found,) = [
        row["value"]
        for row in rows
        if row["measure"] == "recall@10"
        and row["round"] == 1
        and all(row[key] == value for key, value in chosen.items())
    ]
    return found


def counted(samples, query_MD):
    """Recall@10 at round 1 of some queries, by the plainest scoring."""
    scores = torch.from_numpy(query_MD.astype(np.float32)) @ torch.from_numpy(samples.corpus.matrix).T
    ranks = target_ranks(scores, torch.from_numpy(samples.target_M))
    return (ranks[samples.round_M == 1] <= 10).float().mean().item()


def test_number_of_images_is_that_of_the_first(subject, sources):
    """K = 1, 2, 3 of DAR; the fusion that fixes its number has that one alone; the text has none."""
    rows = list(images.rows(subject))
    assert {(row["system"], row["images"]) for row in rows} == {
        *((name, k) for name in ("add", "dar") for k in (1, 2, 3)),
        ("one", 1),
    }
    samples = read_samples(sources)
    for k in (1, 2, 3):
        query_MD = 0.7 * samples.text_MD + 0.3 * samples.images_MKD[:, :k].sum(axis=1)
        assert recall(rows, system="dar", images=k) == pytest.approx(counted(samples, query_MD))
    assert recall(rows, system="one", images=1) == recall(rows, system="dar", images=1)


def test_weights_run_from_images_alone_to_text_alone(subject, sources):
    """Eleven steps, once for all systems of the same materials."""
    rows = list(alpha.rows(subject))
    assert {row["system"] for row in rows} == {"add"}
    assert sorted({row["alpha"] for row in rows}) == pytest.approx([step / 10 for step in range(11)])
    samples = read_samples(sources)
    summed_MD = samples.images_MKD.sum(axis=1)
    for weight in (0.0, 0.3, 1.0):
        query_MD = weight * samples.text_MD + (1 - weight) * summed_MD
        assert recall(rows, alpha=weight) == pytest.approx(counted(samples, query_MD))


def test_stress_without_stress_is_the_system(subject, sources):
    """And every stress of the images costs a system that looks at nothing else."""
    rows = list(stress.rows(subject))
    samples = read_samples(sources)
    known = rank(FUSIONS["dar"], samples, 0, None)
    at_1 = known[known["round"] == 1]["rank"]
    assert recall(rows, system="dar", stress="none") == pytest.approx((at_1 <= 10).mean())
    assert {row["stress"] for row in rows} == set(stress.STRESS)
    assert recall(rows, system="dar", stress="shuffled images") < recall(rows, system="dar", stress="none")


def test_shuffled_images_are_those_of_another_dialogue_and_the_same_round(sources):
    """By name: in another order, or with fewer rounds, each dialogue has the same partner."""
    samples = read_samples(sources)
    partner = stress.partners(sorted(set(samples.dialogue_ids)))
    assert all(name != other for name, other in partner.items())
    assert sorted(partner.values()) == sorted(partner)
    assert stress.partners(list(reversed(partner))) == partner
    shuffled = stress.shuffled_images(samples)
    row = samples.dialogue_ids.index("d0007") + 1
    other = samples.dialogue_ids.index(partner["d0007"]) + 1
    assert samples.round_M[row] == samples.round_M[other] == 1
    assert (shuffled.images_MKD[row] == samples.images_MKD[other]).all()
    assert (shuffled.text_MD == samples.text_MD).all()


def test_one_image_tells_nothing(sources):
    """The mean of the corpus at unit length, in place of every image."""
    found = stress.one_image(samples := read_samples(sources)).images_MKD
    assert found.shape == samples.images_MKD.shape
    assert (found == found[0, 0]).all()
    assert np.linalg.norm(found[0, 0]) == pytest.approx(1, abs=1e-6)


def test_first_images_and_late_text(sources):
    """Round 1 gets the images, or the text, of round 0, which keeps its own."""
    samples = read_samples(sources)
    images_MKD, text_MD = stress.first_images(samples).images_MKD, stress.late_text(samples).text_MD
    assert (images_MKD[1] == samples.images_MKD[0]).all()
    assert (text_MD[1] == samples.text_MD[0]).all()
    assert (images_MKD[0] == samples.images_MKD[0]).all()


def test_wrong_text_leans_to_another_dialogue(sources):
    """At unit length, three parts its own."""
    samples = read_samples(sources)
    text_MD = stress.wrong_text(samples).text_MD
    other = samples.dialogue_ids.index(stress.partners(sorted(set(samples.dialogue_ids)))["d0000"])
    mixed = 0.75 * samples.text_MD[0] + 0.25 * samples.text_MD[other]
    assert text_MD[0] == pytest.approx(mixed / np.linalg.norm(mixed), abs=1e-6)
    assert text_MD.dtype == np.float32


def test_one_dialogue_has_no_partner():
    """It is refused with what to do."""
    with pytest.raises(DaitirError, match="none to exchange with"):
        stress.partners(["a"])


def test_text_system_takes_part_in_nothing_of_images(subject):
    """Its rows are those of the measures."""
    assert "text" not in {row["system"] for row in images.rows(subject)}


@pytest.mark.parametrize("module", [images, alpha, stress])
def test_figure_is_drawn(subject, module):
    """With a line a system, or a round."""
    drawing = Drawing("few", tuple(FUSIONS), 10, (0,))
    drawn = draw_chart(module.figure(pd.DataFrame(module.rows(subject)), drawing))
    assert (">round 0</text>" if module is alpha else ">dar</text>") in drawn.svg
