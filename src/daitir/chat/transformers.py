"""A causal language model of transformers that answers single messages, many at a time.

Shape suffixes: B batch, T tokens, V vocabulary.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from jinja2 import TemplateError
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from daitir.chat import Answer, TransformersChatOptions, UnanswerableError
from daitir.chat.prefixes import BLOCK, Prefixes
from daitir.compute import (
    batches_in_portions,
    by_padded_length,
    call_loader,
    find_device,
    load_weights,
    memory_of,
    padded_length,
    require_own_code,
    require_vocabulary,
    use_one_core,
)
from daitir.errors import DaitirError
from daitir.files import digest_text
from daitir.memory import FittingBatches

ADVICE = "lower `batch_size` or `max_new_tokens`, or set another `device`"
LENGTH_STEP = BLOCK  # messages are padded to a multiple of it, which depends on the message alone
PORTION = 11  # batches whose messages share beginnings: a dialogue has as many rounds, most often


class TransformersChat:
    """Answers greedily, or by sampling keyed by the message; neighbours in a batch change nothing."""

    def __init__(self, options: TransformersChatOptions) -> None:
        use_one_core()
        self.options = options
        self.device = find_device(options.device)
        self.fitting = FittingBatches(options.batch_size, options.model, self.device, ADVICE)
        settings = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
        if options.trust_remote_code:
            require_own_code(options.model, options.revision)
        self.tokenizer = call_loader(AutoTokenizer.from_pretrained, options.model, **settings)
        require_vocabulary(options.model, self.tokenizer)
        if not self.tokenizer.chat_template:
            raise DaitirError(
                f"model {options.model} has no chat template: choose an instruction-tuned model"
            )
        dtype = getattr(torch, options.dtype)
        with memory_of(options.model, self.device, ADVICE):
            self.model = load_weights(AutoModelForCausalLM, options.model, dtype=dtype, **settings).to(
                self.device
            )
        self.ends = _end_tokens(self.model, self.tokenizer)
        takes = inspect.signature(self.model.forward).parameters
        self.last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self.prefixes = Prefixes(self.model, self._forward, self.fitting)

    def answer(self, messages: list[str], attempt: int) -> Iterator[dict[str, Answer]]:
        """Yield the answers by message, batch by batch; special tokens are left in their texts."""
        tokens = [self._tokenise(message) for message in messages]
        for message, ids in zip(messages, tokens, strict=True):
            self._require_room(message, len(ids))

        def write(rows: list[int]) -> list[list[int]]:
            sampler = self._sampler([messages[place] for place in rows], attempt)
            return self._write([tokens[place] for place in rows], sampler)

        for portion in self._portions([len(ids) for ids in tokens]):
            self.prefixes.share(tokens[place] for places in portion for place in places)
            for places in portion:
                for own, written in self.fitting.run(places, write):
                    yield {messages[place]: self._read(ids) for place, ids in zip(own, written, strict=True)}
        self.prefixes.share([])  # nothing is kept for no one: other models may want the memory

    def _portions(self, lengths: list[int]) -> Iterator[list[list[int]]]:
        """Yield batches of places; those of one portion may share the beginnings of their messages."""
        size = self.options.batch_size
        if self.prefixes.reused:
            yield from batches_in_portions(lengths, LENGTH_STEP, size, PORTION * size)
        else:
            yield list(by_padded_length(lengths, LENGTH_STEP, size))

    def _tokenise(self, message: str) -> list[int]:
        chat = [{"role": "user", "content": message}]
        try:
            text = self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise DaitirError(
                f"the chat template of model {self.options.model} cannot be filled ({error}): give a complete"
                " model, or one that takes a single message of its user"
            ) from None
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _require_room(self, message: str, length: int) -> None:
        room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if room is not None and length + self.options.max_new_tokens > room:
            raise UnanswerableError(
                message,
                f"a message of {length} tokens leaves no room for {self.options.max_new_tokens} new ones in"
                f" the {room} of model {self.options.model}: lower max_new_tokens or choose another model",
            )

    def _sampler(self, messages: list[str], attempt: int) -> "Sampler | None":
        temperature = self.options.temperature_of(attempt)
        return Sampler(messages, attempt, temperature) if temperature > 0 else None

    @torch.inference_mode()
    def _write(self, rows: list[list[int]], sampler: "Sampler | None") -> list[list[int]]:
        """Return the new tokens of each row, an end token last unless cut off; all rows ended end it."""
        ids_BT, mask_BT = self._pad_left(rows)
        positions_BT = (mask_BT.cumsum(dim=1) - 1).clamp(min=0)
        cache = self.prefixes.cache_of(rows)
        if self.prefixes.reused:
            ids_BT, positions_BT = ids_BT[:, -LENGTH_STEP:], positions_BT[:, -LENGTH_STEP:]
        ended_B = torch.zeros(len(rows), dtype=torch.bool)
        chosen_TB: list[Tensor] = []
        while len(chosen_TB) < self.options.max_new_tokens and not ended_B.all():
            logits_BV = self._forward(ids_BT, mask_BT, positions_BT, cache).logits[:, -1]
            chosen_B = (sampler.noisy(logits_BV) if sampler else logits_BV).argmax(dim=-1)
            chosen_TB.append(chosen_B.cpu())
            ended_B |= torch.isin(chosen_TB[-1], self.ends)
            ids_BT = chosen_B[:, None].to(self.device)
            mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(rows), 1)], dim=1)
            positions_BT = positions_BT[:, -1:] + 1
        return [self._until_end(row) for row in torch.stack(chosen_TB, dim=1).tolist()]

    def _forward(self, ids_BT: Tensor, mask_BT: Tensor, positions_BT: Tensor, cache: DynamicCache) -> Any:
        """Go on from what ``cache`` holds, which the mask counts in, and add to it."""
        return self.model(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            position_ids=positions_BT,
            past_key_values=cache,
            use_cache=True,
            **self.last_only,
        )

    def _pad_left(self, rows: list[list[int]]) -> tuple[Tensor, Tensor]:
        length = padded_length(max(map(len, rows)), LENGTH_STEP)
        filler = int(self.ends[0])
        ids = [[filler] * (length - len(row)) + row for row in rows]
        mask = [[0] * (length - len(row)) + [1] * len(row) for row in rows]
        return torch.tensor(ids, device=self.device), torch.tensor(mask, device=self.device)

    def _until_end(self, ids: list[int]) -> list[int]:
        ends = set(self.ends.tolist())
        length = next((place + 1 for place, token in enumerate(ids) if token in ends), len(ids))
        return ids[:length]

    def _read(self, ids: list[int]) -> Answer:
        finished = ids[-1] in self.ends.tolist()
        return Answer(self.tokenizer.decode(ids[:-1] if finished else ids), finished)


class Sampler:
    """Sampling as the highest of noisy logits (Gumbel-max): each row has its own seed.

    So a row draws the same answer in any batch.
    """

    def __init__(self, messages: list[str], attempt: int, temperature: float) -> None:
        self.temperature = temperature
        # Seeds live on the CPU, so that another kind of device draws the same noise.
        self.generators = [
            torch.Generator("cpu").manual_seed(int(digest_text("answer", str(attempt), message), 16) >> 1)
            for message in messages
        ]

    def noisy(self, logits_BV: Tensor) -> Tensor:
        """Return logits whose argmax is a draw from their softmax at the temperature."""
        uniform_BV = torch.stack(
            [torch.rand(logits_BV.shape[1], generator=row, dtype=torch.float64) for row in self.generators]
        )
        gumbel_BV = -torch.log(-torch.log(uniform_BV.clamp(1e-300, 1 - 1e-16)))
        return logits_BV.double().cpu() / self.temperature + gumbel_BV


def _end_tokens(model: Any, tokenizer: Any) -> Tensor:
    """Return the tokens that end an answer, as the model's generation settings and its tokenizer say."""
    named = model.generation_config.eos_token_id if model.generation_config else None
    ends = set(named if isinstance(named, list) else [named]) | {tokenizer.eos_token_id}
    ends.discard(None)
    if not ends:
        raise DaitirError(
            f"model {model.name_or_path} names no token that ends an answer: choose another model"
        )
    return torch.tensor(sorted(ends))
