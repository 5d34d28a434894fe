"""Packs many short chats into few rows of tokens: one forward pass trains many rounds of many dialogues.

The rounds of a dialogue share its beginning. A chat is therefore a trunk (what the user says) with a branch
for each answer: a branch sees the trunk up to where it leaves it, and itself. Positions count on from there,
so that every branch is exactly the chat that generation will see.

Shape suffixes: R rows, T tokens of a row.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

IGNORED = -100  # what cross_entropy skips


@dataclass(frozen=True)
class Branch:
    """An answer that leaves the trunk after ``start`` tokens.

    ``targets`` are the next tokens and ``about`` the things spoken of, IGNORED where they are not learned.
    """

    start: int
    tokens: list[int]
    targets: list[int]
    about: list[int]


@dataclass(frozen=True)
class Chat:
    """One trunk, what it speaks of at each token, and its branches."""

    trunk: list[int]
    about: list[int]
    branches: list[Branch]

    def __len__(self) -> int:
        return len(self.trunk) + sum(len(branch.tokens) for branch in self.branches)


@dataclass
class Row:
    """Columns of one row under construction, a value for each token."""

    tokens: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    about: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    chat: list[int] = field(default_factory=list)
    branch: list[int] = field(default_factory=list)  # 0 is the trunk
    start: list[int] = field(default_factory=list)  # how much of the trunk is seen

    def append(self, chat: Chat) -> None:
        """Add the columns of a chat: its trunk, then its branches."""
        name = 1 + max(self.chat, default=-1)
        whole = Branch(0, chat.trunk, [IGNORED] * len(chat.trunk), chat.about)
        for number, branch in enumerate([whole, *chat.branches]):
            count = len(branch.tokens)
            self.tokens += branch.tokens
            self.targets += branch.targets
            self.about += branch.about
            self.position += range(branch.start, branch.start + count)
            self.chat += [name] * count
            self.branch += [number] * count
            self.start += [branch.start] * count

    def pad(self, length: int) -> "Row":
        """Fill up with a chat of its own that learns nothing."""
        room = length - len(self.tokens)
        self.append(Chat([0] * room, [IGNORED] * room, []))
        return self


@dataclass(frozen=True)
class Packed:
    """Rows of equal length as a model takes them."""

    tokens_RT: Tensor
    targets_RT: Tensor
    about_RT: Tensor
    positions_RT: Tensor
    mask_R1TT: Tensor


def pack(chats: Iterable[Chat], rows: int, length: int) -> Packed:
    """Put chats into the first row with room until one finds none; a chat longer than a row is an error."""
    packed = [Row() for _ in range(rows)]
    for chat in chats:
        if len(chat) > length:
            raise ValueError(f"a chat has {len(chat)} tokens, a row only {length}")
        row = next((row for row in packed if len(row.tokens) + len(chat) <= length), None)
        if row is None:
            break
        row.append(chat)
    for row in packed:
        row.pad(length)
    columns = {
        name: torch.tensor([getattr(row, name) for row in packed]) for name in Row.__dataclass_fields__
    }
    mask_RTT = visible(columns["position"], columns["chat"], columns["branch"], columns["start"])
    return Packed(
        columns["tokens"], columns["targets"], columns["about"], columns["position"], mask_RTT[:, None]
    )


def visible(position_RT: Tensor, chat_RT: Tensor, branch_RT: Tensor, start_RT: Tensor) -> Tensor:
    """Whether token i (rows) sees token j (columns), R x T x T."""
    same_chat = chat_RT[:, :, None] == chat_RT[:, None, :]
    same_branch = branch_RT[:, :, None] == branch_RT[:, None, :]
    earlier = position_RT[:, :, None] >= position_RT[:, None, :]
    in_trunk = (branch_RT == 0)[:, None, :] & (position_RT[:, None, :] < start_RT[:, :, None])
    return same_chat & earlier & (same_branch | in_trunk)
