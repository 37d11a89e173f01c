"""Samples from the chained generators of a stack in plain PyTorch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch_networks import generators

from sgan_tf.config.schema import Config


class Chain(nn.Module):
    """G_1 followed by G_0: maps labels to images, with new noise.

    Args:
        bottom: Module. G_0.
        top: Module. G_1.
        classes: Integer. Number of classes, K.
        z_dims: List of integers. Widths of z_0 and z_1.
    """

    def __init__(self, bottom: nn.Module, top: nn.Module, classes: int, z_dims: list[int]):
        super().__init__()
        self.bottom, self.top, self.classes, self.z_dims = bottom, top, classes, z_dims

    def forward(self, labels):
        z0, z1 = (torch.rand(len(labels), size, device=labels.device) for size in self.z_dims)
        condition = F.one_hot(labels, self.classes).float()
        return self.bottom(self.top(condition, z1), z0)


def sampler(
    config: Config,
    image_shape: tuple[int, int, int],
    classes: int,
    precision: str,
    compiled: bool,
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function that samples from untrained networks.

    Args:
        config: `Config` of a preset in `workload.IN_TORCH` that is cut at fc3.
        image_shape: Tuple of integers `(H, W, C)`.
        classes: Integer. Number of classes, K.
        precision: String. `float32`, or `bfloat16` through autocast.
        compiled: Boolean. Whether to use `torch.compile` with the weights as constants. It compiles
            once per batch size.

    Returns:
        Function that maps labels, an int64 array `[N]`, to images, a float array `[N, H, W, C]`.
    """
    modules = generators(config, image_shape, classes)
    z_dims = [level.z_dim for level in config.levels]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chain = Chain(*modules, classes, z_dims).eval().requires_grad_(False)
    chain = chain.to(device, memory_format=torch.channels_last)
    if compiled:
        chain = torch.compile(chain, dynamic=False, options={"freezing": True})

    def sample(labels):
        half = precision == "bfloat16"
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            images = chain(torch.from_numpy(labels).to(device))
        return images.permute(0, 2, 3, 1).cpu().numpy()

    return sample
