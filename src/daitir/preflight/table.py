"""Numbers and rows as people read them."""

from collections.abc import Sequence

GAP = "  "


def count(number: int | None) -> str:
    """Return a whole number with its thousands apart; a number that is not known is told."""
    return "unknown" if number is None else f"{number:,}"


def hours(number: float | None) -> str:
    """Return hours; nothing where the rate is not known."""
    if number is None:
        return ""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 0.1 else "<0.1"


def gigabytes(size: int | None) -> str:
    """Return bytes in gigabytes (10^9)."""
    if size is None:
        return "unknown"
    return f"{size / 1e9:,.0f}" if size >= 100e9 else f"{size / 1e9:.2f}" if size >= 10e6 else "<0.01"


def rows(head: Sequence[str], body: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return the lines of a table; columns whose places are in ``right`` are set to the right."""
    widths = [max(len(row[place]) for row in [head, *body]) for place in range(len(head))]
    rule = [("-" * width) for width in widths]

    def line(cells: Sequence[str]) -> str:
        set_cells = (
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return GAP.join(set_cells).rstrip()

    return [line(head), line(rule), *(line(row) for row in body)]
