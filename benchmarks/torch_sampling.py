"""The chained generators of a stack in plain PyTorch, as a function that samples."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch_networks import PRESETS, generators
from torch_weights import copy_generator

from sgan_tf.cli.app import UsageError
from sgan_tf.config.schema import Config
from sgan_tf.models.stacked_gan import StackedGAN


class Chain(nn.Module):
    """G_0 on G_1 on a label, with new noise."""

    def __init__(self, bottom: nn.Module, top: nn.Module, classes: int, z_dims: list[int]):
        super().__init__()
        self.bottom, self.top, self.classes, self.z_dims = bottom, top, classes, z_dims

    def forward(self, labels):
        z0, z1 = (torch.rand(len(labels), size, device=labels.device) for size in self.z_dims)
        condition = F.one_hot(labels, self.classes).float()
        return self.bottom(self.top(condition, z1), z0)


def sampler(
    stack: StackedGAN, config: Config, precision: str, compiled: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function of labels, int64 `[N]`, that returns images, turned (`torch_weights`).

    Args:
        stack: Whose weights are copied.
        config: Its `Config`.
        precision: float32, or bfloat16 by autocast.
        compiled: Through `torch.compile`, the weights constants, once for each batch size.

    Raises:
        UsageError: for a stack whose networks are not written in PyTorch.
    """
    if config.preset not in PRESETS or config.cuts != ["fc3"]:
        raise UsageError(
            f"--pytorch: PyTorch's networks are those of {', '.join(PRESETS)}, cut at fc3; "
            "compare the others with --nopytorch"
        )
    modules = generators(config, stack.encoder.image_shape, len(stack.class_names))
    for level, module in zip(stack.levels, modules):
        copy_generator(level.sampler, module)
    z_dims = [level.config.z_dim for level in stack.levels]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chain = Chain(*modules, len(stack.class_names), z_dims).eval().requires_grad_(False)
    chain = chain.to(device, memory_format=torch.channels_last)
    if compiled:
        chain = torch.compile(chain, dynamic=False, options={"freezing": True})

    def sample(labels):
        half = precision == "bfloat16"
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            images = chain(torch.from_numpy(labels).to(device))
        return images.permute(0, 2, 3, 1).cpu().numpy()

    return sample
