"""The summary: what a run shows as one Markdown file, for a repository, a terminal or a letter."""

from collections.abc import Mapping, Sequence
from typing import Any

from daitir.report.answers import Answer
from daitir.report.costs import Cost, Costs
from daitir.report.markdown import table, wrapped
from daitir.report.numbers import measured, rank, share, title_of
from daitir.report.run import Measured, System
from daitir.report.views import Change, Views

NONE = TO = DASH = "\N{EN DASH}"
HARM = {"degradation_rate": "worse %", "rank_drop": "drop mean", "rank_drop_median": "drop median"}


def overview(
    runs: Sequence[Measured], views: Mapping[str, Sequence[Views]], answers: Sequence[Answer], costs: Costs
) -> str:
    """Return the summary: a table a dialogue set, the claims with their verdicts, the models.

    ``views`` are the comparisons of tuned encoders by dialogue set.
    """
    parts = ["# Results", introduction(runs)]
    for run in runs:
        parts += [f"## {run.dialogues.name}", about(run), systems_table(run, costs)]
        for one in views[run.dialogues.name]:
            parts += [about_views(one), views_table(one)]
    if answers:
        parts += ["## Claims", about_claims(answers), "\n".join(claim_line(answer) for answer in answers)]
    parts += ["## Models", *models(runs, costs)]
    return "\n\n".join(parts) + "\n"


def introduction(runs: Sequence[Measured]) -> str:
    """Say what the columns mean."""
    first = runs[0]
    k, last = first.headline, first.last
    lines = [
        "Written by the pipeline from its tables; intervals and tests of all numbers are in `report.html`.",
        f"- r0 is round 0, which sees the caption alone; r{last} has seen {last} answers as well.",
        f"- Hits@{k} (in any round so far), Recall@{k} (in this round) and *worse* are shares in per cent.",
        f"- *worse*: queries of r{last} that a system ranks worse than its baseline does; *drop*: the ranks"
        " that those lose.",
        "- BRI: area under the logarithm of the best rank so far, over all rounds; lower is better.",
        "- Numbers are means over the seeds of a training; below them, the lowest and the highest seed.",
        "- *training*: seconds of all that was trained for a system, encoder and fusion, for one seed.",
    ]
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def about(run: Measured) -> str:
    """Say how large a dialogue set is."""
    size = run.dialogues
    oracles = [f"`{system.name}`" for system in run.systems.values() if system.is_oracle]
    text = (
        f"{size.dialogues:,} dialogues search {size.candidates:,} candidates of `{size.corpus}`, rounds 0 to"
        f" {run.last}; {len(run.searching)} systems."
    )
    if oracles:
        text += f" No system but an upper line, which knows the target: {', '.join(oracles)}."
    return text


def systems_table(run: Measured, costs: Costs) -> str:
    """Return the table of all systems; below one of several seeds, the lowest and the highest of them."""
    measures = [(name, round_) for name in headline_measures(run) for round_ in run.shown_rounds]
    measures += [("bri", round_) for round_ in run.shown_rounds if round_]  # round 0 alone has no area
    names = [f"{title_of(name)} r{round_}" for name, round_ in measures]
    header = [
        "system",
        "baseline",
        *names,
        *HARM.values(),
        "fusion, weights",
        "encoder, weights",
        "training, s",
    ]
    rows = []
    for system in run.systems.values():
        values = [run.value(system.name, *measure) for measure in measures]
        cost = costs.systems.get(system.name)
        cells = [measured(row.measure, row.value) for row in values]
        rows.append([_name(system), _baseline(system), *cells, *harm(run, system), *cost_cells(cost)])
        if values[0].seeds > 1:
            ends = [_ends(row.measure, row.lowest_seed, row.highest_seed) for row in values]
            label = f"{DASH} {values[0].seeds} seeds"
            rows.append([label, "", *ends, *harm_of_seeds(run, system), "", "", _seconds_of_seeds(cost)])
    return table(header, rows, left=2)


def headline_measures(run: Measured) -> list[str]:
    """Return the measures that are shown at every round."""
    return [run.hits, f"recall@{run.headline}", "mrr"]


def _name(system: System) -> str:
    return f"*{system.name}*" if system.is_oracle else system.name


def _baseline(system: System) -> str:
    return system.baseline or NONE


def _ends(measure: str, low: float, high: float) -> str:
    """Return the lowest and highest seed; one number where they are the same to all digits shown."""
    ends = list(dict.fromkeys(measured(measure, end) for end in (low, high)))
    return TO.join(ends)


def harm(run: Measured, system: System) -> list[str]:
    """Return degradation rate, and mean and median rank drop, at the last round."""
    if system.baseline is None:
        return [NONE] * len(HARM)
    row = run.harm(system.name, run.last)
    return [share(row.degradation_rate), rank(row.rank_drop), rank(row.rank_drop_median)]


def harm_of_seeds(run: Measured, system: System) -> list[str]:
    """Return the same of the lowest and highest seed."""
    if system.baseline is None:
        return [""] * len(HARM)
    row = run.harm(system.name, run.last)
    return [
        _ends(
            "rank_drop" if name.startswith("rank_drop") else name,
            getattr(row, f"{name}_lowest_seed"),
            getattr(row, f"{name}_highest_seed"),
        )
        for name in HARM
    ]


def cost_cells(cost: Cost | None) -> list[str]:
    """Return weights of fusion and encoder, and the mean seconds of a training."""
    if cost is None:
        return [NONE] * 3
    fusion = NONE if cost.fusion is None else f"{cost.fusion:,}"
    return [fusion, f"{cost.encoder:,}", _mean(cost.seconds)]


def _mean(seconds: Sequence[float]) -> str:
    return f"{sum(seconds) / len(seconds):,.0f}" if seconds else NONE


def _seconds_of_seeds(cost: Cost | None) -> str:
    if cost is None or not cost.seconds:
        return ""
    return TO.join(dict.fromkeys(f"{end:,.0f}" for end in (min(cost.seconds), max(cost.seconds))))


def about_views(views: Views) -> str:
    """Say what was compared."""
    text = (
        f"Text, generated image and target under `{views.base}` and, after tuning, under `{views.encoder}`"
        f" (mean of {views.seeds} seeds, lowest{TO}highest)."
    )
    halves = " Faithful is the half of a round's images of which more is true of the target."
    return text + halves * views.has_truth


def views_table(views: Views) -> str:
    """Return the numbers before and after tuning, two columns a round."""
    header = [f"r{round_} {when}" for round_ in views.rounds for when in ("before", "after")]
    rows = [
        [label, *(cell for change in changes for cell in _before_and_after(change))]
        for label, changes in views.changes.items()
    ]
    return table(["mean over dialogues", *header], rows)


def _before_and_after(change: Change) -> tuple[str, str]:
    after = f"{change.after:.3f} ({change.lowest:.3f}{TO}{change.highest:.3f})"
    return f"{change.before:.3f}", after


def about_claims(answers: Sequence[Answer]) -> str:
    """Say how many hold, and what a verdict needs."""
    holds = sum(answer.look == "better" for answer in answers)
    return (
        f"{holds} of {len(answers)} hold. Each is a question of its own, so p-values are not corrected for"
        " the number of claims;\na verdict needs p < 0.05, or a whole 95 % interval over dialogues."
        " *Not shown* does not mean *shown not to be*."
    )


def claim_line(answer: Answer) -> str:
    """Return one claim on one line: verdict, claim, numbers and test; below it what was tried."""
    source = f" ({wrapped(answer.claim.source)})" if answer.claim.source else ""
    claim = wrapped(answer.claim.claim).removesuffix(".")
    line = f"- **{answer.verdict.capitalize()}:** {claim}{source}. {answer.text}"
    return line + (f"\n  Tried: {wrapped(answer.tried)}" if answer.tried else "")


def models(runs: Sequence[Measured], costs: Costs) -> list[str]:
    """Return a table of encoders and one of trained fusions, each with its share of its encoder's weights."""
    encoders: dict[str, int] = {
        system.encoder: costs.systems[system.name].encoder for run in runs for system in run.searching
    }
    parts = [
        table(["encoder", "trained by", *ENCODER], [_encoder(*pair, costs) for pair in encoders.items()], 2)
    ]
    if costs.fusions:
        names = list(dict.fromkeys(one.system for one in costs.fusions))
        parts.append(table(["fusion of", "encoder", *FUSION], [_fusion(name, costs) for name in names], 2))
    return parts


ENCODER = ("weights", "of them trained", "seeds", "s a training")
FUSION = ("weights", "overhead %", "seeds", "s a training")


def _encoder(name: str, parameters: int, costs: Costs) -> list[str]:
    own: dict[Any, Any] = {one: seconds for one, seconds in costs.encoders.items() if one.encoder == name}
    if not own:
        return [name, NONE, f"{parameters:,}", NONE, NONE, NONE]
    first = next(iter(own))
    known = [seconds for seconds in own.values() if seconds is not None]
    return [name, first.kind, f"{parameters:,}", f"{first.trained_parameters:,}", str(len(own)), _mean(known)]


def _fusion(system: str, costs: Costs) -> list[str]:
    own: dict[Any, Any] = {one: seconds for one, seconds in costs.fusions.items() if one.system == system}
    first = next(iter(own))
    known = [seconds for seconds in own.values() if seconds is not None]
    overhead = f"{100 * first.overhead:.2f}"
    encoder = first.encoder.partition(".seed-")[0]
    return [system, encoder, f"{first.parameters:,}", overhead, str(len(own)), _mean(known)]
