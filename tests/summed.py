"""Worlds in which two systems are weighted sums of two others."""

import torch
import torch.nn.functional as F

QUERIES, CANDIDATES, WIDTH = 150, 1500, 24


def units(seed, *shape):
    """Random unit vectors."""
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def world(queries=QUERIES, candidates=CANDIDATES, spread=1.0, width=WIDTH, alpha=0.7, seed=0):
    """Queries of four systems, candidates as close together as ``spread`` says, and targets."""
    corpus_ND = F.normalize(units(seed, 1, width) + spread * units(seed + 1, candidates, width), dim=-1)
    text_MD, image_MD = units(seed + 2, queries, width), units(seed + 3, queries, width)
    target_M = torch.randint(candidates, (queries,), generator=torch.Generator().manual_seed(seed + 4))
    return systems(text_MD, image_MD, alpha), corpus_ND, target_M


def systems(text_MD, image_MD, alpha=0.7):
    """Text, image, addition and DAR."""
    sums = {"add": text_MD + image_MD, "dar": alpha * text_MD + (1 - alpha) * image_MD}
    return {"text": text_MD, "image": image_MD} | {
        name: F.normalize(sum_MD, dim=-1) for name, sum_MD in sums.items()
    }
