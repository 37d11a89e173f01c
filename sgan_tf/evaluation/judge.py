"""The judge: a classifier of real images, other than the encoder that generators learn to please.

For images without labels it is the same network, whose features are trained by VICReg on views.
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

FEATURES = 128  # length of the feature vectors between which distances are measured
BATCH = 128
SEED = 20_170_721
VIEWS = ("affine", "color")  # augmentations that make the views of images without labels
# The small classifier's width, and the most epochs and steps for which it trains.
SMALL_WIDTH, SMALL_EPOCHS, SMALL_STEPS = 0.5, 20, 1000


def build_judge(
    image_shape: tuple[int, int, int], num_classes: int, width: float = 1.0
) -> keras.Model:
    """Builds a convolutional classifier: pairs of 3 x 3 convolutions, then global average pooling.

    Its convolutions are batch-normalized. Unlike the encoder, it has no large kernels, no dense
    hidden layer and no valid padding.

    Args:
        image_shape: Tuple. `(H, W, C)` of the images.
        num_classes: Integer. The number of classes K.
        width: Float. The factor that the numbers of channels are multiplied by. Defaults to 1.

    Returns:
        A Keras model: images float32 `[N, H, W, C]` in [0, 1] -> `(logits [N, K], features [N, 128
        width])`.
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
    """Trains a judge on labeled images, or its features without labels if there is only one class.

    Args:
        images: uint8 `np.ndarray` `[N, H, W, C]`. The images.
        labels: Integer `np.ndarray` `[N]` in [0, K). The labels of the images.
        num_classes: Integer. The number of classes K. If it is 1, labels are not used.
        dataset: String. The name of the data set. `datasets.info` has the number of epochs, and
            whether mirror images are as real as the images. Defaults to `folder`.
        width: Float. The factor of the numbers of channels, see `build_judge`. Defaults to 1.
        steps: Integer. The number of training steps. Defaults to None, the data set's number of
            epochs.
        progress: Function that wraps the iterable of tenths of the training to show progress.
            Defaults to one that shows nothing.
        flip: Boolean. Whether mirror images are as real as the images, if the data set does not
            decide it. Defaults to False.

    Returns:
        The trained Keras model of `build_judge`.
    """
    size = min(BATCH, max(2, len(images) // 4))
    known = info(dataset)
    steps = steps or known.judge_epochs * steps_per_epoch(len(images), size)
    keras.utils.set_random_seed(SEED)
    judge = build_judge(images.shape[1:], num_classes, width)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    mirrors = known.mirrors(flip)
    model = _compile_training(judge, keras.optimizers.AdamW(schedule, weight_decay=1e-2), mirrors)
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


def _compile_training(judge, optimizer, mirrors):
    """Returns the compiled model that trains a judge on classes, or on views without classes."""
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
    """Trains a small classifier on some images, and returns its accuracy on others.

    It is a judge of half the width with fewer training steps. If the images are samples, this is
    the score of Ravuri and Vinyals (2019).

    Args:
        images: uint8 `np.ndarray` `[N, H, W, C]`. The images that it is trained on.
        labels: Integer `np.ndarray` `[N]` in [0, K). The labels of these images.
        test_images: uint8 `np.ndarray` `[M, H, W, C]`. The images that it is tested on.
        test_labels: Integer `np.ndarray` `[M]` in [0, K). The labels of the test images.
        num_classes: Integer. The number of classes K.
        dataset: String. The name of the data set, see `train_judge`.
        progress: Function that wraps the iterable of tenths of the training to show progress.
            Defaults to one that shows nothing.
        flip: Boolean. Whether mirror images are as real as the images, see `train_judge`. Defaults
            to False.

    Returns:
        Float in [0, 1].
    """
    steps = min(SMALL_STEPS, SMALL_EPOCHS * max(1, len(images) // BATCH))
    small = train_judge(images, labels, num_classes, dataset, SMALL_WIDTH, steps, progress, flip)
    return accuracy(judged(small, test_images)[0], test_labels)


def judged(
    judge: keras.Model, images: np.ndarray, batch_size: int = 500, progress: Wrapper = unseen
) -> tuple[np.ndarray, np.ndarray]:
    """Runs a judge on images.

    Args:
        judge: Keras model. Images -> `(logits, features)`.
        images: uint8 `np.ndarray` `[N, H, W, C]`. The images.
        batch_size: Integer. The number of images per batch, which does not change the result.
            Defaults to 500.
        progress: Function that wraps the iterable of batches to show progress. Defaults to one that
            shows nothing.

    Returns:
        `(logits, features)`, float32 `[N, K]` and `[N, D]`.
    """
    function = tf.function(lambda x: judge(x, training=False), reduce_retracing=True)
    parts = [
        function(tf.constant(as_float(images[i : i + batch_size])))
        for i in progress(range(0, len(images), batch_size))
    ]
    logits, features = (np.concatenate([part[i].numpy() for part in parts]) for i in range(2))
    return logits, features


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of rows whose largest logit is the label's.

    Args:
        logits: Float `np.ndarray` `[N, K]`. The logits.
        labels: Integer `np.ndarray` `[N]` in [0, K). The labels.

    Returns:
        Float in [0, 1].
    """
    return float(np.mean(np.argmax(logits, -1) == labels))
