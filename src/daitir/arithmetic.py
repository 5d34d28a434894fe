"""How matrix products are summed, told to Intel's MKL before torch computes anything: it looks once.

On Intel's own processors with AVX-512, MKL takes other kernels, with other last bits, for products of fewer
than 16 rows (measured: from 2 to 15, the more the longer the sums), unless it is asked for strict
reproducibility; strict products took no longer. Elsewhere it is left alone: there, four rows and more have
the same bits (see `compute`).
"""

import os
from pathlib import Path

PROCESSORS = Path("/proc/cpuinfo")
INTEL = "GenuineIntel"
STRICT = "AUTO,STRICT"
VARIABLE = "MKL_CBWR"  # conditional numerical reproducibility
BEGINNING = 500  # characters, in which the first processor says who made it


def sum_strictly() -> None:
    """Ask for sums that do not hang on the number of rows; whoever has set the variable is not overruled."""
    if _is_intel():
        os.environ.setdefault(VARIABLE, STRICT)


def _is_intel() -> bool:
    if not PROCESSORS.is_file():
        return False
    with PROCESSORS.open(encoding="utf-8", errors="replace") as told:
        return INTEL in told.read(BEGINNING)
