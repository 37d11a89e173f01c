"""A ResNet classifier of CIFAR-10 in plain Keras, which nothing here prepares for being inverted.

    python docs/examples/resnet_cifar10.py --epochs 10 --out classifier.keras

Images enter as floats in [0, 1] and leave as class logits. A stack is cut where no skip crosses: at
stage1 (16 x 16 maps), stage2 (8 x 8), stage3 (4 x 4) or pool (a vector), bottom up.
"""

import argparse
import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # faster on CPUs, before TensorFlow is there

import keras
import tensorflow as tf
import tensorflow_datasets as tfds
from keras import layers

MEAN, VARIANCE = (0.491, 0.482, 0.447), (0.061, 0.059, 0.068)  # of the training images' pixels


def convolution(x, channels, side=3, strides=1):
    x = layers.Conv2D(channels, side, strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)


def block(x, channels, name):
    """Half the side: two convolutions, and a skip around them (He et al., 2016)."""
    skip = convolution(x, channels, side=1, strides=2)
    x = layers.ReLU()(convolution(x, channels, strides=2))
    return layers.ReLU(name=name)(layers.Add()([convolution(x, channels), skip]))


def resnet(width=16):
    """Returns a model of images float32 `[N, 32, 32, 3]` in [0, 1] that gives logits `[N, 10]`."""
    images = keras.Input((32, 32, 3))
    x = layers.Normalization(mean=MEAN, variance=VARIANCE)(images)
    x = layers.ReLU()(convolution(x, width))
    for i in (1, 2, 3):
        x = block(x, 2**i * width, name=f"stage{i}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(images, layers.Dense(10, name="logits")(x))


def load(split, data_dir):
    """Images in [0, 1] with their labels, one by one."""
    data = tfds.load("cifar10", split=split, as_supervised=True, data_dir=data_dir)
    return data.cache().map(lambda image, label: (tf.cast(image, tf.float32) / 255, label))


def shifted_and_mirrored(image, label):
    padded = tf.pad(tf.image.random_flip_left_right(image), [[2, 2], [2, 2], [0, 0]])
    return tf.image.random_crop(padded, image.shape), label


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=390, help="of an epoch, 128 images each")
    parser.add_argument("--width", type=int, default=16, help="channels of the first convolution")
    parser.add_argument("--data_dir", help="where TensorFlow Datasets keeps or puts CIFAR-10")
    parser.add_argument("--out", default="classifier.keras")
    flags = parser.parse_args()
    train, test = (load(split, flags.data_dir) for split in ("train", "test"))
    train = train.shuffle(10_000).repeat().map(shifted_and_mirrored).batch(128).prefetch(2)
    classifier = resnet(flags.width)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, flags.epochs * flags.steps)
    classifier.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    classifier.fit(
        train, epochs=flags.epochs, steps_per_epoch=flags.steps, shuffle=False, verbose=2
    )
    accuracy = classifier.evaluate(test.batch(500), return_dict=True, verbose=2)["accuracy"]
    classifier.save(flags.out)
    print(f"{flags.out}: test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
