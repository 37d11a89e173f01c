"""Copies this package's weights to the PyTorch networks, so that both compute the same outputs.

The PyTorch networks take images turned by 180 degrees (see `torch_networks.py`). So kernels are
turned too, and weights that belong to the places of a flattened map are reordered.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch_networks import (
    Discriminator,
    ImageGenerator,
    Normalised,
    Spectral,
    SubtractMean,
    VectorGenerator,
)

if TYPE_CHECKING:  # a process that imports PyTorch imports no TensorFlow
    import keras

ALL = slice(None)


def turned(maps: np.ndarray) -> np.ndarray:
    """Turns maps by 180 degrees.

    Args:
        maps: `np.ndarray` `[..., H, W, C]`.

    Returns:
        `np.ndarray` of the same shape.
    """
    return np.ascontiguousarray(maps[..., ::-1, ::-1, :])


def to_torch(images: np.ndarray) -> torch.Tensor:
    """Converts images to the inputs of the PyTorch networks.

    Args:
        images: `np.ndarray` `[N, H, W, C]`.

    Returns:
        Tensor `[N, C, H, W]`, turned by 180 degrees.
    """
    return torch.from_numpy(turned(images)).permute(0, 3, 1, 2)


def from_torch(images: torch.Tensor) -> np.ndarray:
    """Converts outputs of the PyTorch networks to images. This is the inverse of `to_torch`.

    Args:
        images: Tensor `[N, C, H, W]`.

    Returns:
        `np.ndarray` `[N, H, W, C]`.
    """
    return turned(images.detach().permute(0, 2, 3, 1).numpy())


def parameters(network: nn.Module) -> int:
    """Returns the number of trainable weights of a network."""
    return sum(p.numel() for p in network.parameters())


def copy_stage(stage: "keras.Model", module: nn.Module) -> None:
    """Copies the weights of E_0 of an encoder that is cut at fc3.

    Args:
        stage: `keras.Model`. E_0.
        module: Module that `encoder_stage` built.
    """
    *convolutions, dense = [layer for layer in stage.layers if layer.weights]
    *theirs, _, last, _ = [m for m in module if not isinstance(m, nn.MaxPool2d)]
    for layer, part in zip(convolutions, (m for m in theirs if not isinstance(m, nn.ReLU))):
        _copy(layer, part)
    _copy(dense, last, rows=_places(stage.get_layer("pool2").output.shape[1:]))


def copy_generator(ours: "keras.Model", module: ImageGenerator | VectorGenerator) -> None:
    """Copies the weights of G_0 or G_1.

    Args:
        ours: `keras.Model`. The generator.
        module: `ImageGenerator` or `VectorGenerator`.
    """
    layer = ours.get_layer
    branches = {"noise": module.noise}
    if isinstance(module, VectorGenerator):
        branches |= {"condition": module.condition, "hidden": module.hidden}
    for name, branch in branches.items():
        for i, (dense, norm) in enumerate(branch):
            _copy(layer(f"{name}{i}"), dense)
            _copy(layer(f"{name}{i}_bn"), norm)
    if isinstance(module, VectorGenerator):
        _copy(layer("output"), module.output)
        return
    if isinstance(module.condition_norm, nn.BatchNorm1d):
        _copy(layer("condition_norm"), module.condition_norm)
    if module.embedding is not None:
        _copy(layer("embedding"), module.embedding)
    _copy(layer("base"), module.base, columns=_places(layer("map").output.shape[1:]))
    names = ["base", *(f"up{i}" for i in range(len(module.ups)))]
    for name, norm in zip(names, module.norms):
        _copy(layer(f"{name}_bn"), norm)
    for name, up in zip(names[1:], module.ups):
        _copy(layer(name), up)
    columns = _squares(module.output.out_channels) if module.pyramid else ALL
    _copy(layer("output"), module.output, columns=columns)


def copy_discriminator(ours: "keras.Model", module: Discriminator) -> None:
    """Copies the weights of D_0 and Q_0.

    Args:
        ours: `keras.Model`. The discriminator.
        module: `Discriminator`.
    """
    layers = [layer for layer in ours.trunk.layers if layer.weights]
    parts = [part for part in (*module.before, *module.trunk) if part.state_dict()]
    for i, (layer, part) in enumerate(zip(layers, parts, strict=True)):
        first = module.halved and i == 0
        _copy(layer, part, rows=_squares(ours.trunk.layers[1].output.shape[-1]) if first else ALL)
    places = _places(ours.trunk.output_shape[1:])
    whole = module.logits.weight.shape[1] == len(places)  # else summed or averaged over places
    _copy(ours.logits.get_layer("dense"), module.logits, rows=places if whole else ALL)
    _copy(ours.posterior.get_layer("dense"), module.posterior, rows=places)
    if module.classes is not None:
        _set(module.classes, ours.projection.classes)


def _places(shape):
    """Returns the index in a flattened map of each entry of the turned map."""
    *places, channels = shape
    return np.arange(np.prod(shape)).reshape(-1, channels)[::-1].ravel()


def _squares(channels):
    """Returns the same for channels made of 2 x 2 pixels, which PyTorch counts last."""
    return np.arange(channels).reshape(4, -1)[::-1].T.ravel()


def _copy(layer, module, rows=ALL, columns=ALL):
    """Copies a layer; `rows` and `columns` are the orders of its inputs and outputs."""
    if isinstance(module, SubtractMean):
        _set(module.mean, turned(layer.mean.numpy()).transpose(2, 0, 1))
    elif isinstance(module, Normalised):
        if module.modulation is not None:
            _copy(layer.modulation, module.modulation)
        _copy(layer if module.modulation is None else layer.norm, module.norm)
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        _set(module.running_mean, layer.moving_mean)
        _set(module.running_var, layer.moving_variance)
        if module.affine:
            _set(module.weight, layer.gamma)
            _set(module.bias, layer.beta)
    elif isinstance(module, Spectral):
        _set(module.weight, _kernel(layer.w.numpy(), rows, columns))
        _set(module.bias, layer.b.numpy()[columns])
        _set(module.u, layer.u.numpy()[columns])
        v = layer.v.numpy().reshape(*layer.w.shape[:-1], 1)
        _set(module.v, _kernel(v, rows, ALL).ravel())
    else:
        _set(module.weight, _kernel(layer.kernel.numpy(), rows, columns))
        if module.bias is not None:
            _set(module.bias, layer.bias.numpy()[columns])


def _kernel(kernel, rows, columns):
    """Returns a kernel `[k, k, in, out]` or `[in, out]`, transposed or not, in PyTorch's order."""
    kernel = kernel[..., rows, :][..., columns]
    if kernel.ndim == 2:
        return kernel.T
    return kernel[::-1, ::-1].transpose(3, 2, 0, 1)


@torch.no_grad()
def _set(target, value):
    value = np.ascontiguousarray(value if isinstance(value, np.ndarray) else value.numpy())
    target.copy_(torch.from_numpy(value).reshape_as(target))
