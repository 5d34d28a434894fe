"""Features and networks for the tests of fusions."""

import torch
import torch.nn.functional as F
from torch import nn

ROUND_0 = torch.zeros(4, dtype=torch.long)


def views(rows=4, width=8, images=3):
    """Return unit features of texts and of their images."""
    torch.manual_seed(1)
    return F.normalize(torch.randn(rows, width), dim=-1), F.normalize(
        torch.randn(rows, images, width), dim=-1
    )


def awake(network):
    """Give every weight a value, those that start at zero too."""
    torch.manual_seed(2)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3)
    return network.eval()
