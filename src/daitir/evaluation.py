"""From ranks to tidy tables: every measure by round with its interval, degradation, and tests against baselines.

Seeds of a trained fusion are averaged within each dialogue before anything else, because the dialogue is the unit
that was drawn at random; how far the seeds lie apart is stated beside it.

Shape suffixes: S seeds, D dialogues, R rounds, B bootstrap resamples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from daitir import metrics
from daitir.errors import DaitirError
from daitir.statistics import (
    Interval,
    holm,
    mcnemar,
    mean_interval,
    median_interval,
    ratio_interval,
    sign_flip,
)

FLIPS = 9999
SIGNIFICANT = 0.05
BETTER, WORSE, NO_DIFFERENCE = "better", "worse", "no difference shown"
