"""What an epoch is measured by: how its queries find held-out targets, and what gate and experts do.

Shape suffixes: M samples, D feature.
"""

from typing import Any

import numpy as np
from torch import Tensor

from daitir.fusions.base import fuse_in_blocks
from daitir.fusions.networks.base import FusionNetwork
from daitir.fusions.training.data import TrainingData
from daitir.metrics import recall_at, reciprocal_rank
from daitir.scoring import rank_targets

HITS = 10


def measure(network: FusionNetwork, data: TrainingData) -> dict[str, Any]:
    """Measure a network on held-out dialogues, all their rounds, among all images of the corpus.

    Recall@10 and MRR are means over queries, each round by itself: epochs are chosen by Recall@10, ties
    by MRR, then the earlier epoch. Hits@10 is the share of dialogues that found their target in any of
    the rounds there are.
    """
    network.eval()
    fused = fuse_in_blocks(network, data.text_MD, data.images_MKD, data.round_M)
    rank_M = ranks_of(fused.query_BD, data)
    return {
        **quality_of(rank_M),
        "hits_at_10": float(np.logical_or.reduceat(rank_M <= HITS, data.first_S.numpy()).mean()),
        "gate_mean": None if fused.gate_B is None else fused.gate_B.mean().item(),
        "gate_spread": None if fused.gate_B is None else fused.gate_B.std(correction=0).item(),
        "expert_load": None if fused.router_BE is None else fused.router_BE.mean(dim=0).tolist(),
    }


def retrieval_quality(query_MD: Tensor, data: TrainingData) -> dict[str, float]:
    """Recall@10 and MRR of some queries for the targets of ``data``."""
    return quality_of(ranks_of(query_MD, data))


def ranks_of(query_MD: Tensor, data: TrainingData) -> np.ndarray:
    """Ranks of the targets of ``data``, by scores in float32 whatever is trained in."""
    return rank_targets(query_MD.float(), data.corpus_ND.float(), data.target_M).rank_Q.cpu().numpy()


def quality_of(rank_M: np.ndarray) -> dict[str, float]:
    """Recall@10 and MRR of some ranks."""
    return {
        "recall_at_10": float(recall_at(rank_M, HITS).mean()),
        "mrr": float(reciprocal_rank(rank_M).mean()),
    }
