"""Keys and values of the beginnings of messages, computed block by block; a shared block is computed once.

Rounds of one dialogue are asked in messages that begin alike. What a block holds follows from the tokens up
to its end alone, and so does the shape in which it is computed: sharing saves time and changes no bit.

Shape suffixes: B rows, H heads, S tokens of a block, T tokens of several, D features of a head.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from daitir.compute import pad_batch
from daitir.memory import FittingBatches

BLOCK = 32  # tokens
GROWING = {"dynamic", "longrope"}  # rotary embeddings of a token that hang on how many tokens follow it


@dataclass(frozen=True, eq=False)
class Block:
    """Tokens behind those of the blocks ``before``; one object, however many messages hold it."""

    before: tuple["Block", ...]
    tokens: tuple[int, ...]


State: TypeAlias = tuple[Tensor, ...]  # of a block: keys_SHD and values_SHD of each layer in turn
Forward: TypeAlias = Callable[[Tensor, Tensor, Tensor, DynamicCache], Any]


def reuses_prefixes(model: Any) -> bool:
    """Return whether the model keeps keys and values of every token, which later tokens leave as they are.

    Not so where a layer has a window or a running state instead, or where rotary embeddings stretch with the
    length. Such a model reads each message in one piece.
    """
    layers = DynamicCache(config=model.config).layers
    rotary = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
    by_layer = [kind for kind in rotary.values() if isinstance(kind, Mapping)] or [rotary]
    return (
        bool(layers)
        and all(type(layer) is DynamicLayer for layer in layers)
        and not getattr(model, "_is_stateful", False)
        and not GROWING & {kind.get("rope_type") for kind in by_layer}
    )


class Prefixes:
    """Fills caches with the beginnings of messages; ``forward`` has the model go on from a cache."""

    def __init__(self, model: Any, forward: Forward, fitting: FittingBatches) -> None:
        self.config, self.forward, self.fitting = model.config, forward, fitting
        self.reused = reuses_prefixes(model)
        self._known: dict[tuple[Block | None, tuple[int, ...]], Block] = {}
        self._kept: dict[Block, State] = {}

    @torch.inference_mode()
    def share(self, messages: Iterable[list[int]]) -> None:
        """Compute the blocks that several messages hold, and keep them until the next call.

        At most as many are kept as one full batch of the longest message has, those held most often.
        """
        self._known, self._kept = {}, {}
        paths = [self._path(ids) for ids in messages]
        holders = Counter(block for path in paths for block in path)
        most = self.fitting.size * max(map(len, paths), default=0)
        # A block is held as often as any behind it, so what is before a kept block is kept.
        ordered = sorted(holders, key=lambda block: (-holders[block], len(block.before)))[:most]
        shared = sorted((block for block in ordered if holders[block] > 1), key=_depth)
        for _, blocks in groupby(shared, _depth):
            for own, states in self.fitting.run(list(blocks), lambda rows: self._compute(rows, self._kept)):
                self._kept.update(zip(own, states, strict=True))

    @torch.inference_mode()
    def cache_of(self, rows: Sequence[list[int]]) -> DynamicCache:
        """Return the cache of messages padded on the left to one length, without its last `BLOCK` columns.

        The model reads those next, so padding stands on the left alone, which every kind of attention takes.
        """
        paths = [self._path(ids) for ids in rows]
        known = dict(self._kept)
        for blocks in zip(*paths, strict=True):
            missing = [block for block in dict.fromkeys(blocks) if block not in known]
            if missing:
                filled = pad_batch(missing, self.fitting.size, self.fitting.device)
                known.update(zip(missing, self._compute(filled, known), strict=True))
        padding = [(len(path) + 1) * BLOCK - len(ids) for path, ids in zip(paths, rows, strict=True)]
        return self._cache(paths, known, padding)

    def _path(self, ids: list[int]) -> tuple[Block, ...]:
        """Return the full blocks before the last token of a message; none where nothing is reused."""
        path: tuple[Block, ...] = ()
        for start in range(0, len(ids) - BLOCK, BLOCK) if self.reused else ():
            key = (path[-1] if path else None, tuple(ids[start : start + BLOCK]))
            path = (*path, self._known.setdefault(key, Block(path, key[1])))
        return path

    def _compute(self, blocks: list[Block], known: Mapping[Block, State]) -> list[State]:
        """Return the states of different blocks of one depth; the last may be repeated and counts once."""
        device, start = self.fitting.device, len(blocks[0].before) * BLOCK
        ids_BS = torch.tensor([block.tokens for block in blocks], device=device)
        mask_BT = torch.ones(len(blocks), start + BLOCK, dtype=torch.long, device=device)
        positions_BS = torch.arange(start, start + BLOCK, device=device).expand(len(blocks), -1)
        cache = self._cache([block.before for block in blocks], known, [0] * len(blocks))
        self.forward(ids_BS, mask_BT, positions_BS, cache)
        own = len(set(blocks))
        # Copies, for a view would keep all that was before it, too.
        parts = [
            part_BHTD[:own, :, start:].transpose(1, 2).clone(memory_format=torch.contiguous_format)
            for layer in cache.layers
            for part_BHTD in (layer.keys, layer.values)
        ]
        return list(zip(*parts, strict=True))

    def _cache(
        self, paths: list[tuple[Block, ...]], known: Mapping[Block, State], padding: list[int]
    ) -> DynamicCache:
        """Return a cache with the blocks of each row moved to the right by its padding; the end falls off."""
        cache = DynamicCache(config=self.config)
        if not paths[0]:
            return cache
        states = [known[block] for path in paths for block in path]
        moved = _tokens_of_columns(padding, len(paths[0]) * BLOCK).to(self.fitting.device)
        tokens_N = moved if any(padding) else None
        parts = (_laid_out(part, tokens_N, len(paths)) for part in zip(*states, strict=True))
        for layer in cache.layers:
            keys_BHTD, values_BHTD = next(parts), next(parts)
            # What `update` does to an empty layer, without its copy.
            layer.lazy_initialization(keys_BHTD, values_BHTD)
            layer.keys, layer.values = keys_BHTD, values_BHTD
        return cache


def _depth(block: Block) -> int:
    return len(block.before)


def _tokens_of_columns(padding: list[int], length: int) -> Tensor:
    """Return, for each column of rows moved to the right, the place of its token among those of all rows.

    What stands in the padding is masked, so any token will do there: the first of the row.
    """
    columns_T, padding_B1 = torch.arange(length), torch.tensor(padding)[:, None]
    firsts_B1 = torch.arange(len(padding))[:, None] * length
    return (firsts_B1 + (columns_T - padding_B1).clamp(min=0)).flatten()


def _laid_out(blocks: Sequence[Tensor], tokens_N: Tensor | None, rows: int) -> Tensor:
    """Return blocks [S, H, D] of all rows, one after the other, or chosen tokens of them, as [B, H, T, D]."""
    tokens_NHD = torch.cat(list(blocks))
    if tokens_N is not None:
        tokens_NHD = tokens_NHD.index_select(0, tokens_N)
    return tokens_NHD.unflatten(0, (rows, -1)).transpose(1, 2)
