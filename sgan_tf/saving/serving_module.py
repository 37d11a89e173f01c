"""`ServingModule`: a trained stack as checked signatures for any TensorFlow program."""

import functools
from collections.abc import Sequence

import tensorflow as tf

from sgan_tf.models.encoder.encoder import one_hot
from sgan_tf.models.stacked_gan import StackedGAN
from sgan_tf.saving import signatures
from sgan_tf.saving.signatures import IMAGES, LABELS, SEEDS


class ServingModule(tf.Module):
    """Builds the signatures that a SavedModel of a stack offers, named as in `signatures`.

    The graph checks every input, so a server answers `InvalidArgument` with a sentence that names
    the limit: labels lie in [0, K), images in [0, 1], noise and features are finite, shapes fit,
    all inputs have the same number of rows, and there are at most `max_batch` rows. The signatures
    also declare their shapes, for the metadata of servers. Only a TF 1 session in Python
    (`saved_model_cli run`) compares inputs with them first, and then raises its own error. The
    networks may be any that Keras builds.

    Args:
        stack: `StackedGAN`. A trained stack.
        class_names: Sequence of K strings. The name of each label.
        max_batch: Integer. Largest number of rows in one request, which limits the server's memory.
            Defaults to 1024.

    Attributes:
        functions: Dict `{name: concrete function}`. Each function maps named tensors to named
            tensors.
        weights: List of `tf.Variable`. The variables that the functions read, each once, which a
            SavedModel stores.
    """

    def __init__(
        self, stack: StackedGAN, class_names: Sequence[str], max_batch: int = 1024
    ) -> None:
        super().__init__()
        # In a function, so that the SavedModel does not store all that Keras tracks in the stack.
        self._stack = lambda: stack
        self.class_names, self.max_batch = list(class_names), max_batch
        self.z_dims = stack.z_dims
        self._noise = [signatures.noise(level) for level in range(len(self.z_dims))]
        self._specs = {
            LABELS: tf.TensorSpec([None], tf.int64),
            SEEDS: tf.TensorSpec([None], tf.int64),
            signatures.CLASS_NAMES: tf.TensorSpec([None], tf.string),
            IMAGES: tf.TensorSpec([None, *stack.image_shape]),
            **{
                signatures.features(level): tf.TensorSpec([None, *shape])
                for level, shape in stack.feature_shapes.items()
            },
            **dict(zip(self._noise, (tf.TensorSpec([None, dim]) for dim in self.z_dims))),
        }
        self.functions = {
            name: self._trace(inputs, function)
            for name, (inputs, function) in self._table().items()
        }
        self.weights = _variables(self.functions.values())

    def _table(self):
        table = {
            signatures.DEFAULT: ([LABELS], self._fresh),
            signatures.SAMPLE_SEEDED: ([LABELS, SEEDS], self._seeded),
            signatures.SAMPLE_PNG: ([LABELS, SEEDS], self._png),
            signatures.DECODE: ([LABELS, *self._noise], self.decode),
            **{
                signatures.render(level): (
                    [signatures.features(level), *self._noise[:level]],
                    functools.partial(self._render, level),
                )
                for level in range(1, len(self.z_dims))
            },
            signatures.ENCODE: ([IMAGES], self._encode),
            signatures.VARIATIONS: ([IMAGES, SEEDS], self._variations),
            signatures.DESCRIBE: ([LABELS], self._describe),
        }
        return {
            **{
                name: (inputs, _never_empty(function)) for name, (inputs, function) in table.items()
            },
            signatures.LOOKUP: ([signatures.CLASS_NAMES], self._lookup),
        }

    def _trace(self, names, function):
        @tf.function(autograph=False)
        def signature(**inputs):
            return function(**self._checked(inputs))

        return signature.get_concrete_function(
            **{
                name: tf.TensorSpec(self._specs[name].shape, self._specs[name].dtype, name)
                for name in names
            }
        )

    # Checks

    def _checked(self, inputs):
        """Returns the inputs with control dependencies on assertions, which run before any use."""
        # Hide the static shapes: the graph optimizer would take them as true and drop the checks.
        inputs = {
            name: tf.raw_ops.PlaceholderWithDefault(input=x, shape=tf.TensorShape(None))
            for name, x in inputs.items()
        }
        with tf.control_dependencies([self._assert_shape(name, x) for name, x in inputs.items()]):
            rows = {name: tf.shape(x)[0] for name, x in inputs.items()}
        (first, count), *others = rows.items()
        most = f"a batch holds at most {self.max_batch} rows; {first} has"
        claims = [(count <= self.max_batch, [most, count])]
        for name, n in others:
            same = f"{first} and {name} must have the same number of rows; they have"
            claims.append((count == n, [same, count, n]))
        if LABELS in inputs:
            classes, labels = len(self.class_names), inputs[LABELS]
            good = tf.reduce_all((labels >= 0) & (labels < classes))
            claims.append((good, [f"labels must lie in [0, {classes}); got", labels]))
        if IMAGES in inputs:
            images = inputs[IMAGES]
            good = tf.reduce_all((images >= 0) & (images <= 1))
            claims.append((good, ["images must be float32 in [0, 1]"]))
        for name, x in inputs.items():
            if x.dtype.is_floating and name != IMAGES:
                good = tf.reduce_all(tf.math.is_finite(x))
                claims.append((good, [f"{name} must be finite, without NaN and infinity"]))
        checks = [tf.debugging.Assert(condition, report) for condition, report in claims]
        with tf.control_dependencies(checks):
            return {
                name: tf.ensure_shape(tf.identity(x), self._specs[name].shape)
                for name, x in inputs.items()
            }

    def _assert_shape(self, name, x):
        expected = self._specs[name].shape.as_list()
        text = f"{name} must have the shape [{', '.join(['N', *map(str, expected[1:])])}]; got"
        shape = _shape(x)
        # Compare the ranks first: shapes of different ranks cannot be compared.
        ranks = tf.debugging.Assert(
            tf.equal(tf.size(shape), len(expected)), [text, shape], summarize=8
        )
        with tf.control_dependencies([ranks]):
            return tf.debugging.Assert(
                tf.reduce_all(tf.equal(shape[1:], expected[1:])), [text, shape], summarize=4
            )

    # Signatures

    def decode(self, labels: tf.Tensor, **noise: tf.Tensor) -> dict[str, tf.Tensor]:
        """Generates images from labels and noise.

        Args:
            labels: int64 tensor `[N]`. Labels in [0, K).
            **noise: float32 tensors `[N, z_dim]`. The noise `z0`, `z1`, … of each level.

        Returns:
            Dict `{"images": images}`, with a float32 tensor `[N, H, W, C]` in [0, 1].
        """
        z = [noise[name] for name in self._noise]
        return {IMAGES: self._chain(one_hot(labels, len(self.class_names)), z)}

    def _fresh(self, labels):
        # Other random ops repeat the same stream in every process, or have races between requests.
        shape = [tf.shape(labels)[0], sum(self.z_dims)]
        noise = tf.raw_ops.RandomUniform(shape=shape, dtype=tf.float32, seed=0, seed2=0)
        return self.decode(labels, **self._split(noise))

    def _seeded(self, labels, seeds):
        return self.decode(labels, **self._split(self._rows(seeds, sum(self.z_dims))))

    def _png(self, labels, seeds):
        images = tf.cast(tf.round(self._seeded(labels, seeds)[IMAGES] * 255), tf.uint8)
        return {
            signatures.IMAGE_BYTES: tf.map_fn(
                tf.io.encode_png, images, fn_output_signature=tf.TensorSpec([], tf.string)
            )
        }

    def _render(self, level, **inputs):
        noise = [inputs[name] for name in self._noise[:level]]
        return {IMAGES: self._chain(inputs[signatures.features(level)], noise, level - 1)}

    def _encode(self, images):
        known = self._stack().decompose(images)
        return {
            **{signatures.features(i): h for i, h in enumerate(known.features, start=1)},
            signatures.PROBABILITIES: known.probabilities,
            **dict(zip(self._noise, known.noise)),
        }

    def _variations(self, images, seeds):
        z0 = (
            self._stack().levels[0].noise_distribution.of_uniform(self._rows(seeds, self.z_dims[0]))
        )
        *features, logits = self._stack().encoder.features(images)
        labels = tf.argmax(logits, -1)
        upper = features[0] if features else one_hot(labels, len(self.class_names))
        return {IMAGES: self._chain(upper, [z0], 0)}

    def _describe(self, labels):
        """Returns class names, and the distribution of each level's noise, equal in all rows."""
        noise = tf.constant([[level.noise_distribution.name for level in self._stack().levels]])
        return {
            signatures.CLASS_NAMES: tf.gather(tf.constant(self.class_names), labels),
            signatures.NOISE_KINDS: tf.repeat(noise, tf.shape(labels)[0], axis=0),
        }

    def _lookup(self, names):
        """Returns the labels of class names. Numbers in [0, K) that are no names are labels."""
        classes = len(self.class_names)
        known = tf.constant([*self.class_names, *map(str, range(classes))])
        equal = names[:, None] == known
        good = tf.reduce_all(tf.reduce_any(equal, -1))
        unknown = tf.boolean_mask(names, ~tf.reduce_any(equal, -1))
        shown = ", ".join(self.class_names[:50]) + (", …" if classes > 50 else "")
        check = tf.debugging.Assert(good, ["unknown class", unknown, f"; the classes are: {shown}"])
        with tf.control_dependencies([check]):
            return {LABELS: tf.argmax(equal, -1) % classes}

    def _chain(self, condition, noise, top=None):
        return self._stack().chain(condition, noise, top)[0][0]

    def _split(self, noise):
        parts = zip(self._stack().levels, tf.split(noise, self.z_dims, axis=1))
        return {signatures.noise(x.index): x.noise_distribution.of_uniform(u) for x, u in parts}

    @staticmethod
    def _rows(seeds, columns):
        """Draws a row of U[0, 1) for each seed, from that seed only, which no TF op does."""

        def row(seed):
            return tf.random.stateless_uniform(
                [columns], tf.stack([seed, tf.zeros_like(seed)]), alg="philox"
            )

        return tf.map_fn(row, seeds, fn_output_signature=tf.TensorSpec([columns]))


@tf.function(autograph=False, experimental_attributes={"_noinline": True})
def _shape(x):
    # Not inlined: the graph optimizer assumes that inputs have the signature's rank, and would drop
    # the assertion that checks it.
    return tf.shape(x)


def _variables(functions):
    """Returns the variables that the functions read, each once, in the order of their use."""
    handles = {id(v.handle): v for function in functions for v in function.variables}
    read = dict.fromkeys(id(x) for function in functions for x in function.captured_inputs)
    return [handles[x] for x in read if x in handles]


def _never_empty(function):
    """Pads an empty batch with a row and removes it: CPU convolutions fail on empty batches."""

    def guarded(**inputs):
        count = tf.shape(next(iter(inputs.values())))[0]
        padded = {
            name: tf.pad(x, [[0, tf.maximum(1 - count, 0)]] + [[0, 0]] * (x.shape.rank - 1))
            for name, x in inputs.items()
        }
        return {name: x[:count] for name, x in function(**padded).items()}

    return guarded
