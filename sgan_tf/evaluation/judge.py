"""The judge: a classifier of real images, and not the encoder, which generators learn to please.

Of images without labels it is the same network, whose features are trained by VICReg on views.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from sgan_tf.data.batches import batches, steps_per_epoch
from sgan_tf.data.datasets import info
from sgan_tf.evaluation.protocol import Wrapper, unseen
from sgan_tf.models.augmentations import named
from sgan_tf.models.encoder.self_supervised import SelfSupervised
from sgan_tf.models.layers.normalization import BatchNormalization
from sgan_tf.utils.images import as_float

FEATURES = 128  # length of the feature vector that distances are measured in
BATCH = 128
SEED = 20_170_721
VIEWS = ("affine", "color")  # of images without labels
# The small classifier trains for so many epochs, but no more than so many steps.
SMALL_WIDTH, SMALL_EPOCHS, SMALL_STEPS = 0.5, 20, 1000


def build_judge(
    image_shape: tuple[int, int, int], num_classes: int, width: float = 1.0
) -> keras.Model:
    """Builds a convolutional classifier: pairs of 3 x 3 convolutions, then global average pooling.

    Its convolutions are batch-normalised. Unlike the encoder it has no large kernels, no dense
    hidden layer and no valid padding.

    Args:
        image_shape: `(H, W, C)`; images are float32 in [0, 1].
        num_classes: K.
        width: Multiplies the numbers of channels.

    Returns:
        A Keras model: images -> `(logits [N, K], features [N, 128 width])`.
    """
    inputs = keras.Input(image_shape)
    x = inputs
    for i, channels in enumerate((32, 64, FEATURES)):
        if i and min(x.shape[1:3]) > 1:
            x = layers.MaxPooling2D(2)(x)
        for _ in range(2):
            maps = int(width * channels)
            x = layers.Conv2D(
                maps, 3, padding="same", use_bias=False, kernel_initializer="he_normal"
            )(x)
            x = layers.ReLU()(BatchNormalization()(x))
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, name="logits")(layers.Dropout(0.2)(features))
    return keras.Model(inputs, [logits, features], name="judge")


def train_judge(
    images: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    dataset: str = "folder",
    width: float = 1.0,
    steps: int | None = None,
    progress: Wrapper = unseen,
    flip: bool = False,
) -> keras.Model:
    """Trains a judge on labelled images; its features without labels, where there is one class.

    Args:
        images: uint8 `[N, H, W, C]`.
        labels: Integers `[N]`.
        num_classes: K; of one class the labels say nothing.
        dataset: Its name: `datasets.info` knows the number of epochs, and whether mirror images
            are as real.
        width: See `build_judge`.
        steps: Of training, in place of the data set's own.
        progress: Wraps the iterable of tenths of the training.
        flip: Mirror images are as real; for own images alone, of which no row knows it.

    Returns:
        The Keras model of `build_judge`.
    """
    size = min(BATCH, max(2, len(images) // 4))
    known = info(dataset)
    steps = steps or known.judge_epochs * steps_per_epoch(len(images), size)
    keras.utils.set_random_seed(SEED)
    judge = build_judge(images.shape[1:], num_classes, width)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    mirrors = known.mirrors(flip)
    model = _compiled(judge, keras.optimizers.AdamW(schedule, weight_decay=1e-2), mirrors)
    arrays = [images, np.asarray(labels, np.int32)]
    shift = max(1, images.shape[1] // 8)
    data = batches(arrays, size, SEED, flip=mirrors, shift=shift)
    tenths = iter(progress(range(10)))
    shown = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: next(tenths, None))
    model.fit(
        data,
        steps_per_epoch=-(-steps // 10),
        epochs=10,
        verbose=0,
        shuffle=False,
        callbacks=[shown],
    )
    return judge


def _compiled(judge, optimizer, mirrors):
    """Returns what trains a judge: on classes, or where there is one, on views."""
    if judge.output_shape[0][-1] > 1:
        model = keras.Model(judge.input, judge.output[0])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, jit_compile=False)
        return model
    views = named([*VIEWS, *(["flip"] if mirrors else [])])
    assert views is not None  # VIEWS names some
    model = SelfSupervised(keras.Model(judge.input, judge.output[1]), views, noise_seed=SEED)
    model.compile(optimizer)
    return model


def small_classifier_accuracy(
    images: np.ndarray,
    labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    num_classes: int,
    dataset: str,
    progress: Wrapper = unseen,
    flip: bool = False,
) -> float:
    """Trains a small classifier on some images and returns its accuracy on others.

    It is a judge of half the width that trains for less; with samples as the images, the score of
    Ravuri and Vinyals (2019). Arguments as in `train_judge`.
    """
    steps = min(SMALL_STEPS, SMALL_EPOCHS * max(1, len(images) // BATCH))
    small = train_judge(images, labels, num_classes, dataset, SMALL_WIDTH, steps, progress, flip)
    return accuracy(judged(small, test_images)[0], test_labels)


def judged(
    judge: keras.Model, images: np.ndarray, batch_size: int = 500, progress: Wrapper = unseen
) -> tuple[np.ndarray, np.ndarray]:
    """Runs a judge on uint8 images.

    Returns:
        `(logits float32 [N, K], features float32 [N, D])`; neither depends on the batch size.
    """
    function = tf.function(lambda x: judge(x, training=False), reduce_retracing=True)
    parts = [
        function(tf.constant(as_float(images[i : i + batch_size])))
        for i in progress(range(0, len(images), batch_size))
    ]
    logits, features = (np.concatenate([part[i].numpy() for part in parts]) for i in range(2))
    return logits, features


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose largest logit is the label's."""
    return float(np.mean(np.argmax(logits, -1) == labels))
