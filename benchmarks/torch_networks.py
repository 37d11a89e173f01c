"""Networks of the presets in plain PyTorch, with which this package is compared.

If the padding of a map cannot be equal on both sides, TensorFlow pads more at the end and PyTorch
more at the beginning. So these are the package's networks on images turned by 180 degrees, and need
no extra padding layers. `torch_weights.py` turns the kernels too. Maps are channels_last.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sgan_tf.config.schema import Config, EncoderConfig, LevelConfig

EPSILON, MOMENTUM = 1e-6, 0.1  # of batch normalization

if torch.cuda.is_available():  # as in TensorFlow: TF32, and the fastest convolutions
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True


def flat(x):
    """Flattens maps in TensorFlow's order, which is the memory's order in channels_last.

    Args:
        x: Float tensor `[N, C, H, W]`.

    Returns:
        Float tensor `[N, H * W * C]`.
    """
    return x.permute(0, 2, 3, 1).flatten(1)


class Flatten(nn.Module):
    """Flattens maps in TensorFlow's order; see `flat`."""

    def forward(self, x):
        return flat(x)


class SubtractMean(nn.Module):
    """Subtracts the mean image.

    Args:
        shape: Tuple of integers `(C, H, W)`.
    """

    def __init__(self, shape):
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))

    def forward(self, x):
        return x - self.mean


class GaussianNoise(nn.Module):
    """Adds Gaussian noise in training.

    Args:
        stddev: Float. Standard deviation of the noise.
    """

    def __init__(self, stddev):
        super().__init__()
        self.stddev = stddev

    def forward(self, x):
        return x + self.stddev * torch.randn_like(x) if self.training else x


class Spectral(nn.Module):
    """A convolution or dense layer divided by its largest singular value.

    See `Spectral` of `sgan_tf`.

    Args:
        inputs: Integer. Number of input channels.
        units: Integer. Number of output channels.
        kernel: Integer. Side of the kernel; 0 makes a dense layer. Defaults to 0.
        stride: Integer. Stride of the convolution. Defaults to 1.
    """

    def __init__(self, inputs, units, kernel=0, stride=1):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        shape = (units, inputs, kernel, kernel) if kernel else (units, inputs)
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(shape)))
        self.bias = nn.Parameter(torch.zeros(units))
        self.register_buffer("u", F.normalize(torch.ones(units), dim=0))
        self.register_buffer("v", F.normalize(torch.ones(math.prod(shape[1:])), dim=0))

    @torch.no_grad()
    def iterate(self):
        """Makes one power iteration, which updates the estimate of the singular vectors."""
        matrix = self.weight.flatten(1)
        self.v.copy_(F.normalize(torch.mv(matrix.T, self.u), dim=0))
        self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0))

    def forward(self, x):
        with torch.autocast(x.device.type, enabled=False):
            sigma = torch.sum(torch.mv(self.weight.flatten(1), self.v) * self.u)
            weight = self.weight / sigma
        if not self.kernel:
            return F.linear(x, weight, self.bias)
        return F.conv2d(x, weight, self.bias, self.stride, (self.kernel - 1) // 2)


class Normalised(nn.Module):
    """Batch normalization followed by ReLU; scale and shift may depend on an embedding.

    Args:
        channels: Integer. Number of channels.
        embedding: Integer. Width of the embedding; 0 if scale and shift are plain weights.
        of: Class of the normalization layer. Defaults to `nn.BatchNorm2d`.
    """

    def __init__(self, channels, embedding, of=nn.BatchNorm2d):
        super().__init__()
        self.norm = of(channels, EPSILON, MOMENTUM, affine=not embedding)
        self.modulation = nn.Linear(embedding, 2 * channels) if embedding else None

    def forward(self, x, embedding=None):
        x = self.norm(x)
        if self.modulation is not None:
            scale, shift = self.modulation(embedding).chunk(2, 1)
            x = x * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        return F.relu(x)


class Dense(nn.Sequential):
    """A dense layer without bias, followed by batch normalization and ReLU.

    Args:
        inputs: Integer. Width of the input.
        units: Integer. Width of the output.
    """

    def __init__(self, inputs, units):
        norm = Normalised(units, 0, nn.BatchNorm1d)
        super().__init__(nn.Linear(inputs, units, bias=False), norm)


def dense_layers(inputs, widths):
    """Builds a sequence of `Dense` layers.

    Args:
        inputs: Integer. Width of the input.
        widths: List of integers. Widths of the layers.

    Returns:
        Tuple `(module, width)`. `width` is the width of the output.
    """
    sizes = [inputs, *widths]
    return nn.Sequential(*(Dense(a, b) for a, b in zip(sizes, widths))), sizes[-1]


def encoder_stage(config: EncoderConfig, image_shape) -> nn.Module:
    """Builds E_0 of an encoder that is cut at fc3.

    Args:
        config: `EncoderConfig`.
        image_shape: Tuple of integers `(H, W, C)`.

    Returns:
        Module that maps images `[N, C, H, W]` to features `[N, config.units]`.
    """
    side, _, depth = image_shape
    padding = config.kernel_size // 2 if config.padding == "same" else 0
    center = [SubtractMean((depth, side, side))] if config.subtract_mean else []
    parts = []
    for channels in config.channels:
        parts += [nn.Conv2d(depth, channels, config.kernel_size, padding=padding), nn.ReLU()]
        parts += [nn.MaxPool2d(2)]
        side, depth = (side - config.kernel_size + 1 + 2 * padding) // 2, channels
    dense = nn.Linear(side * side * depth, config.units)
    return nn.Sequential(*center, *parts, Flatten(), dense, nn.ReLU())


class VectorGenerator(nn.Module):
    """G_i of a level whose h_i is a vector.

    Args:
        config: `LevelConfig`.
        condition: Integer. Width of the condition.
        units: Integer. Width of h_i.
    """

    def __init__(self, config: LevelConfig, condition: int, units: int):
        super().__init__()
        self.noise, noise = dense_layers(config.z_dim, config.generator.noise_units)
        self.condition, condition = dense_layers(condition, config.generator.condition_units)
        self.hidden, hidden = dense_layers(noise + condition, config.generator.units)
        self.output = nn.Linear(hidden, units)

    def forward(self, condition, z):
        x = torch.cat([self.noise(z), self.condition(condition)], 1)
        return F.relu(self.output(self.hidden(x)).float())


class ImageGenerator(nn.Module):
    """G_0 with a vector as condition, of the family `mirror` or `pyramid`.

    Args:
        config: `LevelConfig`.
        encoder: `EncoderConfig`.
        condition: Integer. Width of the condition.
        image_shape: Tuple of integers `(H, W, C)`.
    """

    def __init__(self, config: LevelConfig, encoder: EncoderConfig, condition: int, image_shape):
        super().__init__()
        self.noise, noise = dense_layers(config.z_dim, config.generator.noise_units)
        norm = nn.BatchNorm1d(condition, EPSILON, MOMENTUM, affine=False)
        self.condition_norm = norm if config.generator.condition_norm else nn.Identity()
        joined, modulation = noise + condition, config.generator.modulation
        self.embedding = nn.Linear(joined, modulation) if modulation else None
        self.pyramid = config.generator.family == "pyramid"
        family = _pyramid if self.pyramid else _mirror
        self.side, widths, ups, self.output = family(config, encoder, image_shape)
        self.base = nn.Linear(joined, widths[0] * self.side**2, bias=False)
        self.ups = nn.ModuleList(ups)
        self.norms = nn.ModuleList(Normalised(width, modulation) for width in widths)

    def forward(self, condition, z):
        joined = torch.cat([self.noise(z), self.condition_norm(condition)], 1)
        embedding = None if self.embedding is None else F.relu(self.embedding(joined))
        x = self.base(joined).unflatten(1, (self.side, self.side, -1)).permute(0, 3, 1, 2)
        x = self.norms[0](x, embedding)
        for up, norm in zip(self.ups, self.norms[1:]):
            x = norm(up(x), embedding)
        x = self.output(x)
        return torch.sigmoid((F.pixel_shuffle(x, 2) if self.pyramid else x).float())


def _transposed(inputs, outputs, kernel, stride, same=True, bias=False):
    padding = (kernel - 1) // 2 if same else 0
    more = stride - kernel + 2 * padding if same else 0
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, more, bias=bias)


def _pyramid(config, encoder, image_shape):
    """Returns the first map's side, the widths of the maps, the layers between, the last layer."""
    half, widths = image_shape[0] // 2, config.generator.channels
    doublings = len(widths) - 1
    while doublings and (half % 2**doublings or half < 3 * 2**doublings):
        doublings -= 1
    widths = widths[: doublings + 1]
    ups = [_transposed(a, b, 4, 2) for a, b in zip(widths, widths[1:])]
    output = nn.Conv2d(widths[-1], 4 * image_shape[2], 3, padding=1)
    return half // 2**doublings, widths, ups, output


def _mirror(config, encoder, image_shape):
    """Returns the same as `_pyramid`. The layers invert pool2, conv2, pool1 and conv1."""
    kernel, same = encoder.kernel_size, encoder.padding == "same"
    side = image_shape[0]
    for _ in range(2):
        side = (side if same else side - kernel + 1) // 2
    widths = (config.generator.channels + config.generator.channels[-1:] * 4)[:4]
    undo = [(config.generator.kernel_size or kernel, 2, True), (kernel, 1, same)] * 2
    sizes = [*widths, image_shape[2]]
    layers = [
        _transposed(a, b, *settings, bias=i == 3)
        for i, (a, b, settings) in enumerate(zip(sizes, sizes[1:], undo))
    ]
    return side, widths, layers[:3], layers[3]


class Discriminator(nn.Module):
    """D_0 and Q_0 on images, of the family `halved`, `strided` or `allconv`.

    Args:
        config: `LevelConfig`.
        encoder: `EncoderConfig`.
        image_shape: Tuple of integers `(H, W, C)`.
        classes: Integer. Number of classes, K.
    """

    def __init__(self, config: LevelConfig, encoder: EncoderConfig, image_shape, classes: int):
        super().__init__()
        side, _, depth = image_shape
        self.halved = config.discriminator.family == "halved"
        before = []
        if encoder.subtract_mean and not self.halved:
            before.append(SubtractMean((depth, side, side)))
        if config.discriminator.input_noise:
            before.append(GaussianNoise(config.discriminator.input_noise))
        self.before = nn.Sequential(*before)
        self.trunk, shape = _trunk(config, (side // 2, 4 * depth) if self.halved else (side, depth))
        side, channels = shape
        reduced = side * side * channels if config.discriminator.family == "strided" else channels
        self.reduce = {"strided": flat, "allconv": _mean_places, "halved": _sum_places}
        self.reduce = self.reduce[config.discriminator.family]
        logits = classes if config.loss.adversarial == "class_logits" else 1
        self.logits = (Spectral if config.discriminator.spectral_norm else nn.Linear)(
            reduced, logits
        )
        self.posterior = nn.Linear(side * side * channels, config.z_dim)
        self.classes = None
        if config.discriminator.projection:
            self.classes = nn.Parameter(nn.init.orthogonal_(torch.empty(classes, channels)))

    def forward(self, h, labels):
        x = self.before(h)
        shared = self.trunk(F.pixel_unshuffle(2 * x - 1, 2) if self.halved else x).float()
        reduced = self.reduce(shared)
        with torch.autocast(h.device.type, enabled=False):
            logits = self.logits(reduced)
            if self.classes is not None:
                rows = F.normalize(self.classes, dim=1)[labels]
                logits = logits + (_sum_places(shared) * rows).sum(1, keepdim=True)
            return logits, self.posterior(flat(shared))

    def iterate(self):
        """Makes one power iteration in each spectrally normalized layer."""
        for layer in self.modules():
            if isinstance(layer, Spectral):
                layer.iterate()


def _sum_places(x):
    return x.sum((2, 3))


def _mean_places(x):
    return x.mean((2, 3))


def _trunk(config, shape):
    """Returns the convolutions of D, and `(side, channels)` of their output."""
    side, depth = shape
    parts = []
    for (kernel, stride, same, norm, drop), channels in zip(
        _rows(config), config.discriminator.channels
    ):
        padding = (kernel - 1) // 2 if same else 0
        if config.discriminator.spectral_norm:
            parts.append(Spectral(depth, channels, kernel, stride))
        else:
            parts.append(nn.Conv2d(depth, channels, kernel, stride, padding))
        if norm and config.discriminator.batch_norm:
            parts.append(nn.BatchNorm2d(channels, EPSILON, MOMENTUM))
        parts.append(nn.LeakyReLU(0.1 if config.discriminator.family == "halved" else 0.2))
        if drop and config.discriminator.dropout:
            parts.append(nn.Dropout(config.discriminator.dropout))
        side, depth = (side + 2 * padding - kernel) // stride + 1, channels
    return nn.Sequential(*parts), (side, depth)


def _rows(config):
    """Returns `(kernel, stride, same padding, normalization, dropout)` per convolution of D."""
    if config.discriminator.family == "allconv":
        return [
            (3, 1, True, False, False),
            (3, 2, True, True, True),
            (3, 1, True, True, False),
            (3, 2, True, True, True),
            (3, 1, False, True, False),
            (1, 1, True, False, False),
        ]
    strided = config.discriminator.family == "strided"
    return [
        (
            config.discriminator.kernel_size if strided else (4 if i % 2 else 3),
            2 if strided or i % 2 else 1,
        )
        + (True, i > 0, False)
        for i in range(len(config.discriminator.channels))
    ]


def generators(config: Config, image_shape, classes: int) -> list[nn.Module]:
    """Builds the generators of a stack that is cut at fc3.

    Args:
        config: `Config`.
        image_shape: Tuple of integers `(H, W, C)`.
        classes: Integer. Number of classes, K.

    Returns:
        List of modules `[G_0, G_1]`.
    """
    bottom, top = config.levels
    features = config.encoder.units
    return [
        ImageGenerator(bottom, config.encoder, features, image_shape),
        VectorGenerator(top, classes, features),
    ]
