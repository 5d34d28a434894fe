"""What is minimised: an encoder's features of a batch, over all devices, and the loss of them.

Shape suffixes: B batch, T tokens or terms, C channels, H height, W width, D feature.
"""

from typing import NamedTuple

import torch
import torch.distributed.nn.functional as between_devices
import torch.nn.functional as F
from torch import Tensor, distributed, nn

from daitir.encoders.base import DualEncoder
from daitir.tuning import TERMS, DmclOptions, TuneSettings
from daitir.tuning.losses import TermWeights, Views, dmcl_terms, info_nce, others_of_same
from daitir.tuning.networks import log_scale_of, network_of


class Batch(NamedTuple):
    """Samples of a batch: this device's share (B) of texts and images, filled up to the others' size.

    ``target`` has pixels (B x C x H x W), or with frozen images the features (B x D). ``whole_B`` names
    the target image of each row on all devices.
    """

    ids_BT: Tensor
    mask_BT: Tensor
    image_BCHW: Tensor | None
    target: Tensor
    whole_B: Tensor


class Loss(NamedTuple):
    """The loss of a batch and the terms that it is made of (T)."""

    total: Tensor
    term_T: Tensor


class Objective(nn.Module):
    """Encodes a batch and returns its loss; holds all that is trained.

    The loss is of the whole batch on every device, so negatives do not depend on how many devices there are.
    """

    def __init__(self, encoder: DualEncoder, options: TuneSettings) -> None:
        super().__init__()
        self.encoder, self.options = encoder, options
        self.network = network_of(encoder)
        self.log_scale = log_scale_of(encoder)
        self.weights = TermWeights() if isinstance(options, DmclOptions) else None

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms."""
        return TERMS if self.weights else ("text_target",)

    @property
    def shares(self) -> list[float]:
        """The weights of the terms as they are now."""
        return self.weights.weights.tolist() if self.weights else [1.0]

    def forward(self, batch: Batch) -> Loss:
        """Return the loss of the whole batch, of which each device has its share."""
        views, same_BB = self.features(batch), others_of_same(batch.whole_B)
        scale = self.log_scale.float().exp()
        if self.weights is None or not isinstance(self.options, DmclOptions):
            loss = info_nce(views.text_BD, views.target_BD, scale, same_BB)
            return Loss(loss, loss.detach()[None])
        hard = self.options.hard_negatives
        term_T = dmcl_terms(views, scale, same_BB, self.options.temperature, hard)
        return Loss(self.weights(term_T), term_T.detach())

    def features(self, batch: Batch) -> Views:
        """Return unit features of the whole batch; without generated images, the targets stand for them."""
        device = batch.ids_BT.device.type
        mixed = self.options.mixed_precision and device != "cpu"
        with torch.autocast(device, torch.bfloat16, enabled=mixed):
            text_BD = self.encoder.text_features(batch.ids_BT, batch.mask_BT)
            if batch.image_BCHW is None:
                image_BD = target_BD = batch.target
            else:
                both = self.encoder.image_features(torch.cat([batch.image_BCHW, batch.target]))
                image_BD, target_BD = both.chunk(2)
        unit = (F.normalize(view_BD.float(), dim=-1) for view_BD in (text_BD, image_BD, target_BD))
        return Views(*(self._whole(view_BD, len(batch.whole_B)) for view_BD in unit))

    @staticmethod
    def _whole(own_BD: Tensor, rows: int) -> Tensor:
        """Return the rows of all devices in order, through which gradients flow back to each."""
        if not distributed.is_initialized() or distributed.get_world_size() == 1:
            return own_BD[:rows]
        return torch.cat(list(between_devices.all_gather(own_BD)))[:rows]
