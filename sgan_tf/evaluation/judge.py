"""The judge: a classifier of real images that is not the encoder, which the generators were trained to please."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from sgan_tf.batches import batches, steps_per_epoch
from sgan_tf.images import as_float
from sgan_tf.models.layers import BatchNormalization

FEATURES = 128  # length of the feature vector that distances are measured in
BATCH = 128
EPOCHS = {"digits": 40, "mnist": 3, "svhn": 4, "cifar10": 16}
FLIPPED = ("cifar10", "folder")  # data sets whose mirror images are as real
LEAST_ACCURACY = {"digits": 0.97, "mnist": 0.99, "svhn": 0.90, "cifar10": 0.85}
SEED = 20_170_721


def build_judge(image_shape, num_classes, width=1.0):
    """Builds a convolutional classifier: pairs of 3 x 3 convolutions with batch normalisation, then global average pooling.

    Unlike the encoder it has no large kernels, no dense hidden layer and no valid padding.

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
            x = layers.Conv2D(
                int(width * channels),
                3,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
            )(x)
            x = layers.ReLU()(BatchNormalization()(x))
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, name="logits")(layers.Dropout(0.2)(features))
    return keras.Model(inputs, [logits, features], name="judge")


def train_judge(
    images,
    labels,
    num_classes,
    dataset="folder",
    width=1.0,
    steps=None,
    progress=lambda parts: parts,
):
    """Trains a judge on labelled images.

    Args:
        images: uint8 `[N, H, W, C]`.
        labels: Integers `[N]`.
        num_classes: K.
        dataset: One of `config.DATASETS`: sets the flips and the number of steps.
        width: See `build_judge`.
        steps: Of training, in place of the data set's own.
        progress: Wraps the iterable of tenths of the training.

    Returns:
        The Keras model of `build_judge`.
    """
    size = min(BATCH, max(2, len(images) // 4))
    steps = steps or EPOCHS.get(dataset, 20) * steps_per_epoch(len(images), size)
    keras.utils.set_random_seed(SEED)
    judge = build_judge(images.shape[1:], num_classes, width)
    classifier = keras.Model(judge.input, judge.output[0])
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(3e-3, steps), weight_decay=1e-2
    )
    classifier.compile(
        optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    data = batches(
        [images, np.asarray(labels, np.int32)],
        size,
        SEED,
        flip=dataset in FLIPPED,
        shift=max(1, images.shape[1] // 8),
    )
    tenths = iter(progress(range(10)))
    shown = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: next(tenths, None))
    classifier.fit(
        data,
        steps_per_epoch=-(-steps // 10),
        epochs=10,
        verbose=0,
        shuffle=False,
        callbacks=[shown],
    )
    return judge


def judged(judge, images, batch_size=500, progress=lambda blocks: blocks):
    """Runs a judge on uint8 images.

    Returns:
        `(logits float32 [N, K], features float32 [N, D])`; neither depends on the batch size.
    """
    function = tf.function(lambda x: judge(x, training=False), reduce_retracing=True)
    parts = [
        function(tf.constant(as_float(images[i : i + batch_size])))
        for i in progress(range(0, len(images), batch_size))
    ]
    return tuple(np.concatenate([part[i].numpy() for part in parts]) for i in range(2))


def accuracy(logits, labels):
    """Share of rows whose largest logit is the label's."""
    return float(np.mean(np.argmax(logits, -1) == labels))
