"""A SavedModel in a session of TensorFlow 1, as TF Serving loads it."""

import tensorflow as tf


class Model:
    """The signatures of a SavedModel, run by its session."""

    def __init__(self, path):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            self.signatures = tf.compat.v1.saved_model.load(
                self.session, ["serve"], str(path)
            ).signature_def

    def predict(self, signature, inputs):
        """Runs a signature on `{name: array}`; returns `{name: array}`."""
        definition = self.signatures[signature]
        if set(inputs) != set(definition.inputs):
            raise tf.errors.InvalidArgumentError(
                None,
                None,
                f"input size does not match signature: {set(inputs)} != {set(definition.inputs)}",
            )
        fetches = {name: info.name for name, info in definition.outputs.items()}
        return self.session.run(
            fetches, {definition.inputs[name].name: array for name, array in inputs.items()}
        )
