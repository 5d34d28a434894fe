"""Our own bootstrap and randomisation test against SciPy's: ``python -m bench.statistics`` prints seconds.

One measure of one system on a benchmark: 2,064 dialogues, 11 rounds side by side.
"""

import numpy as np
from bench.common import seconds
from scipy import stats

from daitir.statistics import draw_signs, mean_interval, resample, sign_flip

DIALOGUES, ROUNDS, RESAMPLES, FLIPS = 2064, 11, 2000, 9999


def mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean along an axis, as SciPy asks for it."""
    return values.mean(axis=axis)


def main() -> None:
    """Print seconds and ratios."""
    rng = np.random.default_rng(0)
    hits_DR = (rng.random((DIALOGUES, ROUNDS)) < 0.6).astype(np.float64)
    change_DR = rng.normal(0.02, 1, (DIALOGUES, ROUNDS))
    counts_BD = resample(DIALOGUES, RESAMPLES, seed=0)
    signs_BD = draw_signs(DIALOGUES, FLIPS, seed=0)
    flips = {"permutation_type": "samples", "n_resamples": FLIPS, "axis": 0, "vectorized": True, "batch": 100}
    pairs = {
        "BCa interval": (
            lambda: mean_interval(hits_DR, counts_BD),
            lambda: stats.bootstrap((hits_DR,), mean, n_resamples=RESAMPLES, axis=0, batch=50, rng=0),
        ),
        "randomisation": (
            lambda: sign_flip(change_DR, signs_BD),
            lambda: stats.permutation_test((change_DR,), mean, **flips, rng=0),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        own, other = seconds(ours, repeats=3), seconds(theirs, repeats=3)
        print(f"{name:14} ours {own:6.3f} s   SciPy {other:6.3f} s   ratio {other / own:5.1f}")


if __name__ == "__main__":
    main()
