"""What tuning must know of each kind of encoder: its network, its sides, its logit scale, how it is saved."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim import AdamW

from daitir.convert.checkpoints import model_directory
from daitir.encoders import EncoderOptions, load_encoder
from daitir.encoders.base import DualEncoder
from daitir.errors import DaitirError
from daitir.seals import IN_MODEL, seal_folder
from daitir.tuning.layers import layer_scale, tower_depths


class Kind(NamedTuple):
    """Names of the weights of the image side, and of those that retrieval never reads."""

    image_side: str
    unread: str


KINDS = {
    "blip": Kind(r"^vision_", r"\.crossattention\.|^itm_head\."),
    "clip": Kind(r"^(vision_model|visual_projection)\.", r"^$"),
    "beit3": Kind(r"^vision_head\.|\.vision_embed\.|\.A\.", r"\.mask_token$"),
}


def load_for_tuning(options: EncoderOptions) -> DualEncoder:
    """Return an encoder with weights in float32, whatever it computes in later."""
    if options.kind not in KINDS:
        raise DaitirError(
            f"encoders of kind {options.kind!r} are not tuned, only {', '.join(sorted(KINDS))}: mend `from`"
        )
    encoder = load_encoder(options.model_copy(update={"dtype": "float32"}))
    assert isinstance(encoder, DualEncoder)
    return encoder


def network_of(encoder: DualEncoder) -> nn.Module:
    """Return the network of an encoder."""
    network: nn.Module = encoder.network
    return network


def choose_weights(encoder: DualEncoder, text_side_alone: bool) -> None:
    """Let those weights be trained that are read: of both sides, or of the text side alone."""
    kind = KINDS[encoder.options.kind]
    for name, weight in network_of(encoder).named_parameters():
        frozen = text_side_alone and re.search(kind.image_side, name)
        weight.requires_grad_(not frozen and not re.search(kind.unread, name))


def log_scale_of(encoder: DualEncoder) -> nn.Parameter:
    """Return the encoder's own logit scale, a logarithm.

    BLIP's retrieval class has none among its weights; its config tells where it starts.
    """
    network: Any = network_of(encoder)
    if isinstance(own := getattr(network, "logit_scale", None), nn.Parameter):
        return own
    return nn.Parameter(torch.tensor(float(network.config.logit_scale_init_value)))


def build_optimiser(module: nn.Module, prefix: str, rate: float, layer_decay: float, decay: float) -> AdamW:
    """Return AdamW with a group for each layer; ``prefix`` is what ``module`` puts before encoder's names.

    A group's ``share`` of the learning rate follows from its depth. Whatever has one dimension that counts
    (biases, norms, class tokens, scales) and the position embeddings do not decay.
    """
    weights = {
        name.removeprefix(prefix): weight
        for name, weight in module.named_parameters()
        if weight.requires_grad
    }
    depths = tower_depths(list(weights))
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        share = layer_scale(name, depths, layer_decay)
        flat = sum(side > 1 for side in weight.shape) < 2 or re.search("position_embed|embed_position", name)
        groups.setdefault((share, 0.0 if flat else decay), []).append(weight)
    return AdamW(
        [
            {"params": members, "share": share, "weight_decay": decay_}
            for (share, decay_), members in sorted(groups.items(), key=lambda group: group[0])
        ],
        lr=rate,
    )


def save_encoder(
    encoder: DualEncoder, folder: Path, files: dict[str, str], record: dict[str, Any] | None = None
) -> None:
    """Write a model directory of the encoder's own kind, whole or not at all; ``files`` are texts beside it.

    With ``record`` it says who made it, in ``provenance.json``, sealed.

    A BLIP that was taken at another image size has that size from now on.
    """
    with model_directory(folder) as partial:
        whole: Any = encoder
        # It would keep how the last text was cut, and a resumed training may have read none.
        whole.tokenizer.backend_tokenizer.no_truncation()
        whole.tokenizer.backend_tokenizer.no_padding()
        whole.tokenizer.save_pretrained(partial)
        if encoder.options.kind == "beit3":
            weights = {name: tensor.cpu().contiguous() for name, tensor in whole.network.state_dict().items()}
            save_file(weights, partial / "model.safetensors", metadata={"format": "pt"})
            (partial / "config.json").write_text(whole.size.model_dump_json(indent=2) + "\n", "utf-8")
        else:
            if side := getattr(encoder.options, "image_size", None):
                whole.network.config.vision_config.image_size = side
            whole.network.save_pretrained(partial)
            whole.processor.save_pretrained(partial)
        for name, text in files.items():
            (partial / name).write_text(text, "utf-8")
        if record is not None:
            seal_folder(partial, folder, record, IN_MODEL)
