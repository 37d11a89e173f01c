"""A stack of someone else's networks, ten lines each, with a loss of their own."""

import keras
from keras import layers, ops

import sgan_tf


@keras.saving.register_keras_serializable("tests")
class OwnG(keras.Model):
    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape_out, self.hidden = shape, layers.Dense(32, "relu")
        self.out = layers.Dense(int(ops.prod(shape)), "sigmoid" if len(shape) > 1 else "relu")

    def call(self, inputs, training=False):
        return ops.reshape(self.out(self.hidden(ops.concatenate(inputs, 1))), (-1, *self.shape_out))

    def get_config(self):
        return {"shape": self.shape_out}


@keras.saving.register_keras_serializable("tests")
class OwnD(keras.Model):
    def __init__(self, z_dim, **kwargs):
        super().__init__(**kwargs)
        self.z_dim, self.hidden = z_dim, layers.Dense(32, "leaky_relu")
        self.logit, self.posterior = layers.Dense(1), layers.Dense(z_dim)
        self.seen = []

    def call(self, h, training=False, labels=None, condition=None):
        self.seen.append((labels is not None, condition is not None))
        features = self.hidden(ops.reshape(h, (ops.shape(h)[0], -1)))
        return self.logit(features), self.posterior(features)

    def get_config(self):
        return {"z_dim": self.z_dim}


@keras.saving.register_keras_serializable("tests")
class LeastSquares(sgan_tf.Adversarial):
    """Mao et al., 2017."""

    def discriminator(self, real, fake):
        return ops.mean((real - 1) ** 2) + ops.mean(fake**2)

    def generator(self, fake):
        return ops.mean((fake - 1) ** 2)


def own_build(config, image_shape, class_names, mean=None, joint=False):
    """A stack of two levels, of which the configuration decides the length of z alone."""
    keras.utils.set_random_seed(config.seed)
    classes, features = len(class_names), (12,)
    lower = [keras.Input(image_shape), layers.Flatten(), layers.Dense(*features, activation="relu")]
    upper = [keras.Input(features), layers.Dense(classes)]
    encoder = sgan_tf.Encoder([keras.Sequential(lower), keras.Sequential(upper)])
    levels = [
        sgan_tf.LevelGAN(
            OwnG(shape),
            OwnD(settings.z_dim),
            stage,
            settings,
            index=i,
            num_classes=classes if i == 1 else None,
            adversarial=LeastSquares(),
        )
        for i, (shape, stage, settings) in enumerate(
            zip(encoder.shapes, encoder.stages, config.levels)
        )
    ]
    return encoder, sgan_tf.StackedGAN(encoder, levels, config.joint, class_names)
