"""`EntropyLoss`: the paper's entropy loss for any conditional GAN."""

from typing import Any

import keras

from sgan_tf.models.losses import entropy_loss
from sgan_tf.typing import Shape, Tensor


@keras.saving.register_keras_serializable("sgan_tf")
class EntropyLoss(keras.layers.Layer):
    """L_ent of Eq. (7) and (8) as a layer: a posterior head on D's features, and its loss.

    Multiply the loss by a weight (10 in the paper). Add it to the generator's objective, so that
    the noise can be inferred from the outputs, and to the objective of the discriminator, whose
    features the head shares. Train the head's variables together with the discriminator's.

    Args:
        z_dim: Integer. The length of the noise vector. Choose a length that the images can show:
            16 can be enough where most of 50 would stay unused.

    Call arguments:
        features: Tensor `[N, ...]`. The discriminator's features of generated samples, before its
            last layer.
        z: Tensor `[N, z_dim]`. The noise from which the samples were generated.

    Returns:
        Scalar tensor. If the features contain no information about z, the loss is z's variance:
        1/12 for noise uniform on [0, 1), and 1 for normal noise.

    Example:

    >>> loss = EntropyLoss(z_dim=3)(features=keras.ops.ones((5, 4)), z=keras.ops.ones((5, 3)))
    >>> loss.shape
    TensorShape([])
    """

    def __init__(self, z_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.z_dim = z_dim
        self.flatten = keras.layers.Flatten()
        self.posterior = keras.layers.Dense(z_dim, name="posterior")

    def build(self, features_shape: Shape, z_shape: Shape | None = None) -> None:
        self.posterior.build((None, *self.flatten.compute_output_shape(features_shape)[1:]))

    def call(self, features: Tensor, z: Tensor) -> Tensor:
        return entropy_loss(self.posterior(self.flatten(features)), z)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "z_dim": self.z_dim}
