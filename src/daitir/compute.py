"""Where and in which shapes models compute, so that a result depends on its own item and on nothing else.

Matrix kernels sum in an order that hangs on the shape they are given. On the CPU with one thread the sums of
a row are the same in every batch of four rows or more (one to three rows take other kernels, and so may a
second thread; what Intel's MKL needs for that stands in `arithmetic`); on an accelerator they are the same in
batches of one size. Hence one thread, batches padded by repeating their last item, and texts padded to a
length that follows from their own. Tests hold this.
"""

import ctypes
import importlib
import os
import pickle
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from daitir.errors import DaitirError
from daitir.options import Device

Item = TypeVar("Item")
UNLOADABLE = (OSError, ValueError, RuntimeError, KeyError, ImportError, TypeError, ArithmeticError)
FEWEST_ROWS_ON_CPU = 4
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
BLOCK_KEPT = 2**25  # bytes of a block, the most that every glibc takes
END_KEPT = 2**28  # bytes of the heap's free end
SIGNS_OF_NO_MEMORY = ("out of memory", "can't allocate memory", "ALLOC_FAILED")  # some come without a class


def use_one_core() -> None:
    """Let torch compute with one thread; a machine with more cores works on more shards at a time.

    Blocks of memory that are let go stay with the process, for the next batch: to give them back and ask for
    them again costs as much as a tenth of what small models compute. Only glibc does so, and only it is told.
    """
    import torch

    torch.set_num_threads(1)
    tell = getattr(ctypes.CDLL(None), "mallopt", None)
    if tell is not None and tell(M_MMAP_THRESHOLD, BLOCK_KEPT):
        tell(M_TRIM_THRESHOLD, END_KEPT)


def quiet_libraries(*names: str) -> None:
    """Keep the bars and hints of libraries out of the log; call it before their models are imported."""
    for name in names:
        logging = importlib.import_module(f"{name}.utils.logging")
        logging.disable_progress_bar()
        logging.set_verbosity_error()


def find_device(device: Device) -> str:
    """Return the device to compute on; ``auto`` is the first of cuda, mps and cpu that is there."""
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        raise DaitirError(
            f"device {device!r} is asked for and not there: set `device: auto` or use another machine"
        )
    return device


@contextmanager
def memory_of(model: str, device: str, advice: str) -> Iterator[None]:
    """Turn a lack of memory for ``model`` into one line; ``advice`` says what to do about it."""
    try:
        yield
    except RuntimeError as error:
        if not says_no_memory(error):
            raise
        raise DaitirError(f"model {model} needs more memory than {device} has: {advice}") from error


def says_no_memory(error: RuntimeError) -> bool:
    """Return whether an error of torch is a lack of memory."""
    import torch

    said = any(sign in str(error) for sign in SIGNS_OF_NO_MEMORY)
    return said or isinstance(error, torch.OutOfMemoryError)


def batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """Yield ``items`` in lists of ``size``, the last one shorter."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def pad_batch(items: Sequence[Item], size: int, device: str) -> list[Item]:
    """Return ``items`` filled up with the last to the rows that are computed; the caller drops the rest."""
    rows = max(len(items), FEWEST_ROWS_ON_CPU) if device == "cpu" else size
    return [*items, *[items[-1]] * (rows - len(items))]


def padded_length(length: int, step: int) -> int:
    """Return the length to which a text of ``length`` tokens is padded: the next multiple of ``step``."""
    return -(-length // step) * step


def by_padded_length(lengths: Sequence[int], step: int, size: int) -> Iterator[list[int]]:
    """Yield the places of texts in batches of at most ``size``, all of one batch padded to one length.

    The longest come first, so that a batch that does not fit into memory shows at once.
    """
    groups: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        groups.setdefault(padded_length(length, step), []).append(place)
    for _, places in sorted(groups.items(), reverse=True):
        yield from batches(places, size)


def batches_in_portions(
    lengths: Sequence[int], step: int, size: int, portion: int
) -> Iterator[list[list[int]]]:
    """Yield such batches in lists, each of texts near in order: the next ``portion`` and some left over.

    Texts that fill no batch wait for the next list, so that there are no more batches than of all at once.
    """
    waiting: list[int] = []
    for start in range(0, len(lengths), portion):
        waiting += range(start, min(start + portion, len(lengths)))
        found = by_padded_length([lengths[place] for place in waiting], step, size)
        made = [[waiting[at] for at in batch] for batch in found]
        last = start + portion >= len(lengths)
        waiting = sorted(place for batch in made if len(batch) < size for place in batch)
        yield made if last else [batch for batch in made if len(batch) == size]


def load_weights(loader: Any, model: str, **settings: Any) -> Any:
    """Load a model with ``loader.from_pretrained``; weights that its files lack are refused.

    Both libraries would otherwise fill the gap with random numbers and a warning. They read safetensors, or
    where a model has none its ``.bin``, of which they take weights only: nothing in it is run.
    """
    # Without this, transformers has a model without safetensors converted by a service of its hub, and may
    # load from there weights that nobody chose.
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    loaded, info = call_loader(
        loader.from_pretrained,
        model,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused here, with their names
        **settings,
    )
    mismatched = [entry[0] if isinstance(entry, tuple) else entry for entry in info["mismatched_keys"]]
    require_filled(model, loaded, [*info["missing_keys"], *mismatched])
    return loaded.eval()


def require_filled(model: str, network: Any, lacking: Iterable[str]) -> None:
    """Refuse a model that lacks weights, or has them in another shape, by their names."""
    names = sorted(set(lacking))
    if names:
        raise DaitirError(
            f"model {model} does not fill its architecture {type(network).__name__}: {len(names)} weights"
            f" are missing or of another shape, the first is {names[0]}: give a complete model of this kind"
        )


def require_vocabulary(model: str, tokenizer: Any) -> None:
    """Refuse a tokenizer that knows no words: transformers makes one where the file is missing."""
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        raise DaitirError(
            f"a tokenizer of model {model} knows no words: its vocabulary (tokenizer.json, or the files that"
            " older models have) is missing; give a complete model"
        )


def call_loader(load: Any, model: str, **settings: Any) -> Any:
    """Call one of the libraries' loaders; what it cannot load becomes one line.

    Where code of the model may be met, ``settings`` say whether it is trusted; transformers would else ask
    whoever sits at the terminal.
    """
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    try:
        return load(model, **settings)
    except pickle.UnpicklingError as error:
        # The rest of torch's message advises to run what is in the file.
        found = str(error).rpartition("WeightsUnpickler error:")[2].strip().split("\n")[0].split(". ")[0]
        raise DaitirError(
            f"model {model} has a pickle that is damaged or holds more than weights, and is not run"
            f" ({found[:160]}): give a model with safetensors"
        ) from error
    except (*UNLOADABLE, SafetensorError, StrictDataclassError) as error:
        if "trust_remote_code" in str(error):
            raise DaitirError(
                f"model {model} brings code of its own, which is not run: choose one that the library knows,"
                " or, for a chat model or an answerer whose authors you trust, write"
                " `trust_remote_code: true`"
            ) from error
        raise DaitirError(
            f"model {model} cannot be loaded ({_beginning(error)}): is it a complete model folder, or a"
            " hub id that may be fetched from here?"
        ) from error


def require_own_code(model: str, revision: str | None) -> None:
    """Refuse a model, trusted to run code, that names code of another repository: only its own is trusted."""
    from transformers import PreTrainedConfig
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    settings, _ = call_loader(PreTrainedConfig.get_config_dict, model, revision=revision)
    for named in (settings, call_loader(get_tokenizer_config, model, revision=revision)):
        for text in re.findall(r"'([^']*)--", str(named.get("auto_map"))):
            if text != model:
                raise DaitirError(
                    f"model {model} wants to run code of {text}, which `trust_remote_code` does not trust:"
                    " take a copy that holds the code itself, or another model"
                )


def _beginning(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:300] + "..."
