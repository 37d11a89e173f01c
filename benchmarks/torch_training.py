"""A training step of level 0 in plain PyTorch, with the same losses, schedule and precision."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch_networks import Discriminator, ImageGenerator, encoder_stage
from torch_weights import to_torch

from sgan_tf.config.schema import Config

NOISE_VARIANCE = 1 / 12  # of U[0, 1)


class Level0:
    """Level 0 of a stack that is cut at fc3. A step is one update of D and one of G.

    Args:
        config: `Config` of a preset in `workload.IN_TORCH`.
        inputs: List of two float32 arrays, the batch of every step: images `[N, H, W, C]` in [0, 1]
            and their h_1 from the encoder, `[N, D]`.
        labels: Integer array `[N]`.
        classes: Integer. Number of classes, K.
        precision: String. `float32`, or `bfloat16` through autocast. Defaults to `"float32"`.
        compiled: Boolean. Whether to pass the generator and both objectives, with their gradients,
            through `torch.compile`. Defaults to False.

    Attributes:
        networks: Dictionary of modules with the keys `G`, `D` and `E`.
    """

    def __init__(
        self,
        config: Config,
        inputs: Sequence[np.ndarray],
        labels: np.ndarray,
        classes: int,
        precision: str = "float32",
        compiled: bool = False,
    ):
        self.config, self.half = config.levels[0], precision == "bfloat16"
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        (images, features), encoder = inputs, config.encoder
        shape = images.shape[1:]
        self.generator = self._placed(
            ImageGenerator(self.config, encoder, features.shape[1], shape)
        )
        self.discriminator = self._placed(Discriminator(self.config, encoder, shape, classes))
        self.stage = self._placed(encoder_stage(encoder, shape)).eval().requires_grad_(False)
        self.networks = {"G": self.generator, "D": self.discriminator, "E": self.stage}
        self.images = self._placed(to_torch(images))
        self.features, self.labels = (
            torch.from_numpy(x).to(self.device) for x in (features, labels.astype(np.int64))
        )
        self.variance = float(features.var(0).mean())
        adam = self.config.optimizer
        settings = dict(lr=adam.learning_rate, betas=(adam.beta_1, 0.999), eps=1e-8)
        self.optimizers = {
            name: torch.optim.Adam(self.networks[name].parameters(), **settings, fused=True)
            for name in "GD"
        }
        self.average = None
        if self.config.ema:
            self.average = AveragedModel(
                self.generator,
                multi_avg_fn=get_ema_multi_avg_fn(self.config.ema),
                use_buffers=True,
            )
        compiling = torch.compile if compiled else lambda function: function
        self.generate = compiling(self.generator)
        self.objectives = {
            "D": compiling(self.discriminator_objective),
            "G": compiling(self.generator_objective),
        }

    def step(self) -> float:
        """Updates D and Q once, and then G once.

        Returns:
            Float. The objective of G; reading it waits until the step is done.
        """
        self.discriminator.requires_grad_(True)
        self.discriminator.iterate()
        z = self._noise()
        with self._autocast():
            with torch.no_grad():
                fake = self.generate(self.features, z)
            objective = self.objectives["D"](fake, z)
        self._update("D", objective)
        self.discriminator.requires_grad_(False)  # its weights' gradients are not needed
        with self._autocast():
            objective = self.objectives["G"](self._noise())
        self._update("G", objective)
        if self.average is not None:
            self.average.update_parameters(self.generator)
        return objective.item()

    def discriminator_objective(self, fake, z):
        """Computes the objective of D and Q.

        Args:
            fake: Float tensor `[N, C, H, W]`. Images that G generated from `z`.
            z: Float tensor `[N, z_dim]`.

        Returns:
            Float tensor, a scalar.
        """
        c = self.config.loss
        if any(isinstance(m, nn.BatchNorm2d) for m in self.discriminator.modules()):
            fake_logits, estimate = self.discriminator(fake, self.labels)
            real_logits, _ = self.discriminator(self.images, self.labels)
        else:  # no row depends on the other rows of the batch
            both = torch.cat([fake, self.images])
            logits, estimate = self.discriminator(both, self.labels.repeat(2))
            fake_logits, real_logits = logits.chunk(2)
            estimate = estimate[: len(fake)]
        loss = _discriminator_loss(c.adversarial, real_logits, fake_logits)
        if c.adversarial == "class_logits":
            loss = loss + c.lambda_label * F.cross_entropy(real_logits, self.labels)
        _, unit = self._units()
        entropy = F.mse_loss(estimate, z)
        return c.lambda_adv * loss + c.posterior_weight * c.lambda_ent / unit * entropy

    def generator_objective(self, z):
        """Computes the objective of G.

        Args:
            z: Float tensor `[N, z_dim]`.

        Returns:
            Float tensor, a scalar.
        """
        c = self.config.loss
        fake = self.generator(self.features, z)
        logits, estimate = self.discriminator(fake, self.labels)
        recovered = self.stage(fake).float()
        feature_unit, noise_unit = self._units()
        return (
            c.lambda_adv * _generator_loss(c.adversarial, logits)
            + c.lambda_cond / feature_unit * F.mse_loss(recovered, self.features)
            + c.lambda_ent / noise_unit * F.mse_loss(estimate, z)
        )

    def _units(self):
        return (self.variance, NOISE_VARIANCE) if self.config.loss.units == "variance" else (1, 1)

    def _update(self, name, objective):
        objective.backward()
        self.optimizers[name].step()
        self.optimizers[name].zero_grad(set_to_none=True)

    def _noise(self):
        return torch.rand(len(self.labels), self.config.z_dim, device=self.device)

    def _autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def _placed(self, x):
        return x.to(self.device, memory_format=torch.channels_last)


def _discriminator_loss(form, real, fake):
    if form == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if form == "class_logits":
        real, fake = real.logsumexp(-1), fake.logsumexp(-1)
    return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())


def _generator_loss(form, fake):
    if form == "hinge":
        return -fake.mean()
    if form == "class_logits":
        return -F.softplus(fake.logsumexp(-1)).mean()
    return F.softplus(-fake).mean()
