"""Where a run stands, as a table with a bar for each rule."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from daitir.config import Config
from daitir.preflight.table import count, rows
from daitir.status.remaining import Guesses, to_go
from daitir.status.standing import Standing

WIDTH = 20
HEAD = ("rule", "", "done", "running", "stopped", "left", "spent", "to go")
LINES = 12


def page(config: Config, found: Sequence[Standing], called: str) -> str:
    """Return the table of all rules, the jobs that are begun, and what is left in words.

    ``called`` are the arguments that name the config to Snakemake.
    """
    guesses = Guesses(config, found)
    by_rule: dict[str, list[Standing]] = defaultdict(list)
    for one in found:
        by_rule[one.job.rule].append(one)
    body = [_row(rule, own, guesses) for rule, own in by_rule.items()]
    table = rows(HEAD, [*body, _row("all", found, guesses)], right=range(2, 8))
    begun = [one for one in found if one.state in {"running", "stopped"}]
    lines = [f"Results in {config.results}", "", *table]
    if begun:
        lines += ["", "Begun", *(f"  {told(one)}" for one in begun[:LINES])]
        lines += [f"  ... and {len(begun) - LINES} more"] if len(begun) > LINES else []
    return "\n".join([*lines, "", *_words(found, guesses, called), ""])


def _row(rule: str, own: Sequence[Standing], guesses: Guesses) -> tuple[str, ...]:
    states = Counter(one.state for one in own)
    seconds, rated, unknown = to_go(own, guesses.of)
    spent = sum(one.seconds or 0.0 for one in own if one.state == "done")
    rest = duration(seconds) + "*" * bool(rated) if seconds else ""
    more = " + unknown" if rest and unknown else "unknown" if unknown else ""
    numbers = (count(states[state]) for state in ("running", "stopped", "left"))
    done = f"{count(states['done'])} of {count(len(own))}"
    return (rule, bar(own), done, *numbers, duration(spent) if spent else "", rest + more)


def bar(own: Sequence[Standing]) -> str:
    """Return a bar of what is finished, shares of begun jobs with it; full only when all is."""
    filled = int(WIDTH * sum(one.share for one in own) / len(own))
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}]"


def told(one: Standing) -> str:
    """Return a line about a job that is begun."""
    share = f", {one.done} of {one.total}" if one.total else ""
    age = "" if one.age is None else f", last word {duration(one.age)} ago"
    holder = f", {one.holder}" if one.holder else ""
    return f"{one.job.name}: {one.state}{share}{age}{holder}"


def duration(seconds: float) -> str:
    """Return a time as people say it: its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {second:02d} s"
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24:02d} h"


def _words(found: Sequence[Standing], guesses: Guesses, called: str) -> list[str]:
    left = [one for one in found if one.state != "done"]
    if not left:
        return [f"All {count(len(found))} jobs are done. `python -m daitir.verify` reads every file."]
    seconds, rated, unknown = to_go(left, guesses.of)
    time = [f"{duration(seconds)} if one at a time"] if seconds else []
    time += [f"{count(unknown)} of them nobody knows how long"] if unknown else []
    lines = [f"{count(len(left))} of {count(len(found))} jobs to go: {', '.join(time)}."]
    if rated:
        lines.append("* by rates that the config says (`per_second`); all else by finished jobs of its kind.")
    return [*lines, f"What an edited config would do again: snakemake --dry-run {called}"]
