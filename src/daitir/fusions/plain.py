"""The plain fusions: text alone, image alone, and their sum."""

import torch.nn.functional as F
from torch import Tensor

from daitir.fusions.base import Fused, mean_image, use_images
from daitir.fusions.options import AddOptions, ImageOptions, TextOptions


class TextFusion:
    """The text feature as it is."""

    def __init__(self, options: TextOptions) -> None:
        self.options = options

    def fuse(self, text_BD: Tensor, images_BKD: Tensor | None, round_B: Tensor) -> Fused:
        """Return the text features; images and rounds are not looked at."""
        return Fused(text_BD)


class ImageFusion:
    """The mean of the generated images, re-normalised."""

    def __init__(self, options: ImageOptions) -> None:
        self.options = options

    def fuse(self, text_BD: Tensor, images_BKD: Tensor | None, round_B: Tensor) -> Fused:
        """Return the mean images; the text is not looked at."""
        return Fused(mean_image(use_images(images_BKD, self.options.images)))


class AddFusion:
    """normalise(t + v) with the mean image v re-normalised."""

    def __init__(self, options: AddOptions) -> None:
        self.options = options

    def fuse(self, text_BD: Tensor, images_BKD: Tensor | None, round_B: Tensor) -> Fused:
        """Return the normalised sums."""
        image_BD = mean_image(use_images(images_BKD, self.options.images))
        return Fused(F.normalize(text_BD + image_BD, dim=-1))
