"""What a run shows, in plain words made from its numbers: also when a fusion does not beat its text."""

from dataclasses import dataclass
from typing import Any

from daitir.report.numbers import listed, p_value, points, rank, share
from daitir.report.run import Measured, System

BETTER, WORSE = "better", "worse"
HARDLY = 0.02


@dataclass(frozen=True)
class Finding:
    """One finding: two or three words that name it, and its sentences, names of systems between backticks."""

    lead: str
    text: str


def findings(run: Measured) -> list[Finding]:
    """Return what the numbers of one dialogue set say, the most important first."""
    found = [Finding("Search by text", text_alone(run))]
    if run.fusions:
        found.append(Finding("Generated images", against_baseline(run, run.fusions)))
        found.append(Finding("What they cost", harm(run)))
    others = [system for system in run.compared if system not in run.fusions and not system.is_oracle]
    if others:
        found.append(Finding("Other comparisons", against_baseline(run, others)))
    if not run.tables.gates.empty:
        found.append(Finding("Weighing", weighing(run)))
    oracles = [system for system in run.systems.values() if system.is_oracle]
    if oracles:
        found.append(Finding("Upper line", upper_line(run, oracles)))
    names = [system.name for system in run.searching]
    seeds = [name for name in names if run.value(name, run.hits, run.last).seeds > 1]
    if seeds:
        found.append(Finding("Trained several times", spread_of_seeds(run, seeds)))
    found.append(Finding("How sure", certainty(run)))
    return found


def text_alone(run: Measured) -> str:
    """Say how far text alone comes, and what the dialogue adds to the caption."""
    names = [str(system.baseline) for system in run.fusions] or [system.name for system in run.searching]
    name = max(dict.fromkeys(names), key=lambda system: run.value(system, run.hits, run.last).value)
    end, begin = run.value(name, run.hits, run.last), run.value(name, run.hits, 0)
    return (
        f"`{name}` has the target among its first {run.headline} of {run.dialogues.candidates:,} candidates,"
        f" in some round up to round {run.last}, in {share(end.value)} % of {run.dialogues.dialogues:,}"
        f" dialogues"
        f" (95 % interval {share(end.low)} to {share(end.high)})."
        + (f" After the caption alone, at round 0, it is {share(begin.value)} %." if run.last else "")
    )


def against_baseline(run: Measured, systems: list[System]) -> str:
    """Say which systems beat their baseline, which lose, and for which no difference is shown."""
    baselines = dict.fromkeys(str(system.baseline) for system in systems)
    return " ".join(
        _against(run, baseline, [system for system in systems if system.baseline == baseline])
        for baseline in baselines
    )


def _against(run: Measured, baseline: str, systems: list[System]) -> str:
    rows = [run.change(system.name, run.hits, run.last) for system in systems]
    better, worse = ([_phrase(row) for row in rows if row.verdict == word] for word in (BETTER, WORSE))
    neither = [_phrase(row) for row in rows if row.verdict not in (BETTER, WORSE)]
    where = f"than `{baseline}` in Hits@{run.headline} at round {run.last}"
    sentences = [f"Better {where}: {listed(better)}." if better else f"None is shown to be better {where}."]
    if worse:
        sentences.append(f"Worse: {listed(worse)}.")
    if neither:
        sentences.append(f"No difference is shown for {listed(neither)}.")
    if run.last > 0:
        sentences.append(_over_rounds(run, systems))
    return " ".join(sentences)


def _phrase(row: Any) -> str:
    return (
        f"`{row.system}` ({points(row.difference)} points, 95 % interval {points(row.low)} to"
        f" {points(row.high)}, p {_equals(row.p_holm)})"
    )


def _over_rounds(run: Measured, systems: list[System]) -> str:
    rows = [run.change(system.name, "bri", run.last) for system in systems]
    names = {word: [f"`{row.system}`" for row in rows if row.verdict == word] for word in (BETTER, WORSE)}
    parts = [
        f"{listed(found)} {'is' if len(found) == 1 else 'are'} {word}"
        for word, found in names.items()
        if found
    ]
    return f"Over all rounds, by BRI, {listed(parts) if parts else 'no difference is shown for any'}."


def _equals(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def harm(run: Measured) -> str:
    """Say how many queries a generated image makes worse, and by how much."""
    rows = [(system, run.harm(system.name, run.last)) for system in run.fusions]
    rates = [
        f"`{system.name}` {share(row.degradation_rate)} % worse and {share(row.improvement_rate)} % better"
        for system, row in rows
    ]
    text = f"Ranked against their baseline at round {run.last}, query by query: {'; '.join(rates)}."
    system, row = max(rows, key=lambda pair: pair[1].degradation_rate)
    if row.degradation_rate == 0:
        return text
    return (
        f"{text} Of the queries that `{system.name}` makes worse, half lose"
        f" {rank(row.rank_drop_median)} ranks or fewer, a tenth"
        f" more than {rank(row.rank_drop_q90)}; the mean is {rank(row.rank_drop)}."
    )


def upper_line(run: Measured, oracles: list[System]) -> str:
    """Say how far a choice between systems could come that knew the target."""
    return " ".join(
        f"Who took for each query the better of {listed([f'`{name}`' for name in oracle.of])} would find"
        f" {share(run.value(oracle.name, run.hits, run.last).value)} % (`{oracle.name}`); nobody can who does"
        " not know the target."
        for oracle in oracles
    )


def weighing(run: Measured) -> str:
    """Say which way the gate leans, and whether it falls as text and image agree more (ADaFuSE, Figure 4)."""
    sentences = []
    for name, rows in run.tables.gates.groupby("system", sort=False):
        first, last = rows["gate"].iloc[0], rows["gate"].iloc[-1]
        turn = "falls, as ADaFuSE reports" if last < first else "rises, against what ADaFuSE reports"
        sentences.append(
            f"`{name}` gives the text a weight of {first:.2f} in the tenth of the queries whose text and"
            f" images agree least, and {last:.2f} where they agree most"
            + (": hardly a change." if abs(last - first) < HARDLY else f": it {turn}.")
        )
    return " ".join(sentences)


def spread_of_seeds(run: Measured, names: list[str]) -> str:
    """Say how far the trainings of a fusion lie apart."""
    parts = []
    for name in names:
        row = run.value(name, run.hits, run.last)
        low, high = share(row.lowest_seed), share(row.highest_seed)
        apart = f"all at {low} %" if low == high else f"that lie between {low} % and {high} %"
        parts.append(f"`{name}` is the mean of {row.seeds} trainings {apart}")
    return f"{listed(parts)} in Hits@{run.headline} at round {run.last}."


def certainty(run: Measured) -> str:
    """Say how wide the intervals are, and what that means for a difference."""
    rows = [run.value(system.name, run.hits, run.last) for system in run.searching]
    text = (
        f"With {run.dialogues.dialogues:,} dialogues a share is known to about"
        f" {100 * _half(rows):.1f} points to either side."
    )
    if all(system.is_oracle for system in run.compared):
        return text
    compared = [system for system in run.compared if not system.is_oracle]
    changes = [run.change(system.name, run.hits, run.last) for system in compared]
    return (
        f"{text} Differences between two systems on the same dialogues are known to about"
        f" {100 * _half(changes):.1f} points; a smaller true difference cannot be seen in this run, and “no"
        " difference shown” is not “no difference”. p-values are corrected for the number of systems compared"
        " (Holm), intervals are not: a system may lie just above 0 and still not be shown to be better."
    )


def _half(rows: list) -> float:
    return sum(row.high - row.low for row in rows) / len(rows) / 2
