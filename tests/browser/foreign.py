"""A stack in closed form, of any number of classes: what the page asks for, and no networks."""

import tensorflow as tf

from sgan_tf.server.model import Model
from sgan_tf.server.servable import Servable, Source, Version

DIM = 64


def three_levels(classes):
    """Returns a served `Model` of colour images of 4 x 4 pixels, whose upper noise is normal."""

    def decode(*, labels, z0, z1, z2):
        pixels = tf.nn.sigmoid(z0[:, :48] + z1[:, :48] - z2[:, :48])
        return {
            "images": tf.reshape(pixels + 0 * tf.cast(labels, tf.float32)[:, None], [-1, 4, 4, 3])
        }

    def encode(*, images):
        flat = tf.reshape(images, [-1, 48])
        noise = tf.pad(flat, [[0, 0], [0, DIM - 48]])
        probabilities = tf.nn.softmax(tf.tile(flat[:, :1], [1, classes]))
        return {
            "probabilities": probabilities,
            "features": flat,
            "features2": 1 - flat,
            "z0": noise,
            "z1": noise,
            "z2": noise,
        }

    def render(*, features, z0):
        return {"images": tf.reshape(features, [-1, 4, 4, 3]) + 0 * z0[0, 0]}

    def render2(*, features2, z0, z1):
        pixels = 0.5 + (features2 - 0.5 + z0[:, :48] - z1[:, :48]) / 4
        return {"images": tf.reshape(pixels, [-1, 4, 4, 3])}

    def describe(*, labels):
        kinds = tf.repeat([["uniform", "uniform", "normal"]], tf.size(labels), axis=0)
        return {"names": "name " + tf.strings.as_string(labels), "noise": kinds}

    numbers = {"labels": tf.TensorSpec([None], tf.int64)}
    noise = {f"z{i}": tf.TensorSpec([None, DIM]) for i in range(3)}
    flat = tf.TensorSpec([None, 48])
    upper = {"features2": flat, "z0": noise["z0"], "z1": noise["z1"]}
    table = (
        (decode, numbers | noise),
        (encode, {"images": tf.TensorSpec([None, 4, 4, 3])}),
        (render, {"features": flat, "z0": noise["z0"]}),
        (render2, upper),
        (describe, numbers),
    )
    functions = {f.__name__: tf.function(f).get_concrete_function(**specs) for f, specs in table}
    model = Model(Source("three", lambda: {1: Version(None, lambda: Servable(functions))}))
    model.refresh()
    return model
