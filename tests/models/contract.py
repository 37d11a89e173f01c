"""What every layer and model of the package must be able to do, as functions that tests share."""

import copy
import pickle

import keras
import numpy as np
import tensorflow as tf


def outputs(layer, inputs):
    """The arrays that a layer gives in the mode of use."""
    return [np.asarray(x) for x in tf.nest.flatten(layer(inputs, training=False))]


def check_layer(layer, inputs):
    """Serialisation, equal outputs of the copy, and the state of noise in the layer's variables.

    Args:
        layer: A built Keras layer or model.
        inputs: What it is called with.
    """
    again = check_config(layer)
    outputs(again, inputs)  # builds it
    again.set_weights(layer.get_weights())
    for a, b in zip(outputs(layer, inputs), outputs(again, inputs)):
        np.testing.assert_array_equal(a, b)
    serialized = keras.saving.serialize_keras_object(layer)
    assert serialized["registered_name"].startswith("sgan_tf>")
    assert type(keras.saving.deserialize_keras_object(serialized)) is type(layer)
    _check_seeds(layer, inputs)
    for value in outputs(layer, inputs):
        assert value.dtype == np.float32


def check_config(layer):
    """One dictionary makes any number of copies, and is left as it was; returns the second copy.

    Args:
        layer: A built Keras layer or model.
    """
    config = layer.get_config()
    before = copy.deepcopy(config)
    type(layer).from_config(config)
    again = type(layer).from_config(config)
    assert config == before
    return again


def _check_seeds(layer, inputs):
    """Training from the same variables gives the same outputs: no randomness hides elsewhere."""
    state = [v.numpy() for v in layer.variables]
    draws = []
    for _ in range(2):
        for variable, value in zip(layer.variables, state):
            variable.assign(value)
        draws.append([np.asarray(x) for x in tf.nest.flatten(layer(inputs, training=True))])
    for variable, value in zip(layer.variables, state):
        variable.assign(value)
    for a, b in zip(*draws):
        np.testing.assert_array_equal(a, b)


def check_model(model, x, y, inputs, use, tmp_path):
    """A compiled model as users know them: fit, evaluate, predict, callbacks, `.keras` and pickle.

    Args:
        model: Compiled.
        x, y: Arrays to train on.
        inputs: An array that calling it takes.
        use: Function of a model that returns arrays which the saved one must give again.
        tmp_path: A folder.
    """
    best = tmp_path / "best.keras"
    history = model.fit(
        x,
        y,
        batch_size=4,
        epochs=1,
        verbose=0,
        validation_data=(x, y),
        callbacks=[keras.callbacks.ModelCheckpoint(best)],
    ).history
    names = {metric.name for metric in model.metrics}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert all(np.isfinite(values).all() for values in history.values())
    assert set(model.evaluate(x, y, verbose=0, return_dict=True)) == names
    assert len(model.predict(inputs, verbose=0, batch_size=2)) == len(inputs)
    path = tmp_path / "model.keras"
    model.save(path)
    weights = tmp_path / "model.weights.h5"
    model.save_weights(weights)
    for again in (
        pickle.loads(pickle.dumps(model)),
        keras.saving.load_model(best),
        keras.saving.load_model(path),
    ):
        for a, b in zip(use(model), use(again)):
            np.testing.assert_allclose(a, b, atol=1e-6)
        for a, b in zip(_slots(model), _slots(again)):
            np.testing.assert_array_equal(a, b)
    before = [v.numpy() for v in again.trainable_variables]
    again.fit(x, y, batch_size=4, verbose=0)  # goes on
    assert any((v.numpy() != a).any() for v, a in zip(again.trainable_variables, before))
    changed = keras.saving.load_model(path)
    changed.set_weights([w + 1 for w in changed.get_weights()])
    changed.load_weights(weights)
    for a, b in zip(use(model), use(changed)):
        np.testing.assert_allclose(a, b, atol=1e-6)


def _slots(model):
    return [v.numpy() for o in model.optimizers().values() for v in o.variables]
