import pytest
import torch
from transformers import BlipConfig, BlipForImageTextRetrieval, BlipTextConfig, BlipVisionConfig

from daitir.fusions.networks.adafuse import Adafuse
from daitir.fusions.sizes import overhead, parameters_of


def test_overhead_of_the_paper():
    """11.81 million beside the 223.45 million of BLIP ViT-B/16 at 224 pixels are 5.29 %."""
    assert overhead(11_812_614, 223_450_000) == pytest.approx(0.0529, abs=5e-5)


def test_overhead_of_the_very_models():
    """Counted on the architectures: BLIP's retrieval model with a head for matching has 223.45 million."""
    config = BlipConfig(
        text_config=BlipTextConfig(vocab_size=30524, encoder_hidden_size=768).to_dict(),
        vision_config=BlipVisionConfig(image_size=224, patch_size=16).to_dict(),
        image_text_hidden_size=256,
    )
    with torch.device("meta"):
        encoder = parameters_of(BlipForImageTextRetrieval(config))
        fusion = parameters_of(Adafuse(256, 512, 2048, 4, 0.2))
    assert encoder == pytest.approx(223_450_000, abs=5_000)
    assert f"{overhead(fusion, encoder):.2%}" == "5.29%"
