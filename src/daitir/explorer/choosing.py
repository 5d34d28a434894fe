"""Which systems stand beside each other when the page opens, and which dialogues get their pictures."""

from itertools import chain, islice

import numpy as np

from daitir.explorer.configured import Shown

Pair = tuple[str, str]


def pairs_of(systems: list[Shown]) -> list[Pair]:
    """Return the pairs worth looking at, (system, its baseline), the one that the page opens with first.

    That is the last system of the config that is no oracle and has a baseline. Where no system has one, the
    others are held against the first.
    """
    names = {system.name for system in systems}
    compared = [system for system in systems if system.baseline in names]
    found = [(system.name, str(system.baseline)) for system in compared]
    if not found:
        others = systems[1:] or systems
        return [(system.name, systems[0].name) for system in others]
    own = [pair for pair, system in zip(found, compared, strict=True) if system.queries is not None]
    first = own[-1] if own else found[-1]
    return [first, *(pair for pair in found if pair != first)]


def gain(rank_D: np.ndarray, other_D: np.ndarray) -> np.ndarray:
    """Return ln(other's rank / rank): above 0 is better."""
    return np.log(other_D / rank_D)


def choose(ranks: dict[str, np.ndarray], pairs: list[Pair], count: int) -> list[int]:
    """Return the places of ``count`` dialogues, those that gained or lost most in the last round.

    Half of them are taken from the first pair, gains and losses in turn, as the page lists them when it
    opens; the others from all pairs in turn. ``ranks`` are those of each system, dialogues x rounds.
    """
    orders = [_turns(gain(ranks[one][:, -1], ranks[other][:, -1])) for one, other in pairs]
    wanted = min(count, len(orders[0]))
    half = orders[0][: (wanted + 1) // 2]
    return sorted(islice(dict.fromkeys(chain(half, *zip(*orders, strict=True))), wanted))


def _turns(gain_D: np.ndarray) -> list[int]:
    """Return places by gain and by loss in turn: the most gained, the most lost, the second most gained..."""
    gained, lost = (np.argsort(-sign * gain_D.round(9), kind="stable") for sign in (1, -1))
    return list(dict.fromkeys(np.stack([gained, lost], axis=1).reshape(-1).tolist()))
