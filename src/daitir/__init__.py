"""Diffusion-augmented interactive text-to-image retrieval, stage by stage."""

from daitir.arithmetic import sum_strictly

__version__ = "0.1.0"

sum_strictly()
