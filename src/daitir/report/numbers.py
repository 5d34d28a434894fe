"""Numbers as people read them: shares in per cent, differences in points, ranks with separators."""

from typing import Any

import pandas as pd

from daitir.errors import DaitirError

SHARES = ("hits@", "recall@", "degradation_rate")
IN_RANKS = ("mean_rank", "median_rank", "rank_drop")
MINUS = "\N{MINUS SIGN}"


def share(value: float) -> str:
    """Return ``81.5`` for 0.815; the unit stands in the heading."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """Return ``+2.3`` for 0.023, with a true minus sign."""
    text = f"{100 * value:+.1f}"
    return ("0.0" if text in {"+0.0", "-0.0"} else text).replace("-", MINUS)


def signed(value: float) -> str:
    """Return ``-0.041`` for -0.0412, with a true minus sign."""
    text = f"{value:+.3f}"
    return ("0.000" if text in {"+0.000", "-0.000"} else text).replace("-", MINUS)


def rank(value: float) -> str:
    """Return a rank or a count of ranks: ``7,512``, ``12.5``."""
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:,.1f}"


def p_value(value: float) -> str:
    """Return ``0.040`` for 0.04 and ``< 0.001`` for less."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def measured(measure: str, value: float) -> str:
    """Return a value in the unit of its measure."""
    if measure.startswith(SHARES):
        return share(value)
    return rank(value) if measure in IN_RANKS else f"{value:.3f}"


def difference(measure: str, value: float) -> str:
    """Return a difference in the unit of its measure."""
    if measure.startswith(SHARES):
        return points(value)
    if measure in IN_RANKS:
        text = rank(abs(value))
        return text if text in {"0", "0.0"} else ("+" if value > 0 else MINUS) + text
    return signed(value)


def cells(table: pd.DataFrame, **chosen: Any) -> pd.DataFrame:
    """Return the rows of a table whose columns have the chosen values."""
    for column, value in chosen.items():
        table = table[table[column] == value]
    return table


def cell(table: pd.DataFrame, **chosen: Any) -> Any:
    """Return the one row of a table whose columns have the chosen values."""
    rows = list(cells(table, **chosen).itertuples(index=False))
    if len(rows) != 1:
        wanted = ", ".join(f"{column} {value}" for column, value in chosen.items())
        raise DaitirError(f"a table has {len(rows)} rows of {wanted}, not one: remove `tables` and run again")
    return rows[0]


def listed(parts: list[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def title_of(measure: str) -> str:
    """Return a measure as it is written: ``hits@10`` -> ``Hits@10``."""
    titles = {"mrr": "MRR", "bri": "BRI", "log_rank": "Mean ln rank"}
    return titles.get(measure) or measure.replace("_", " ").capitalize()
