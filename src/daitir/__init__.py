"""Diffusion-augmented interactive text-to-image retrieval, stage by stage."""

__version__ = "0.1.0"
