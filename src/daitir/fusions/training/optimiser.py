"""The optimiser and its schedule: AdamW, warm-up, cosine, and the moving average of what it finds."""

import inspect
import math

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class AdamW(torch.optim.AdamW):
    """torch's AdamW without what hides it from torch's compiler: that would import the compiler first."""

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    state_dict = inspect.unwrap(torch.optim.AdamW.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.AdamW.load_state_dict)


def build_optimiser(network: nn.Module, learning_rate: float, weight_decay: float) -> AdamW:
    """Return AdamW; whatever has one dimension or none (biases, norms, the temperature) does not decay."""
    parameters = [weight for weight in network.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in parameters if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in parameters if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=learning_rate, fused=True)


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return a copy whose weights become decay * itself + (1 - decay) * the network's with each update.

    The first update takes the network's weights as they are.
    """
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def learning_rate_at(step: int, steps: int, warmup: int, peak: float) -> float:
    """Learning rate of a step, counted from 0: a straight line up to ``peak``, then a half cosine towards 0.

    The last step of the warm-up has the peak; step ``steps`` would have 0.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
