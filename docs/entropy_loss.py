"""A plain Keras conditional GAN on scikit-learn's digits, without and with the entropy loss.

    python docs/entropy_loss.py

Prints how widely the images of one class spread, in units of the real spread, and draws ten of each
class into the file that the argument names, by default docs/entropy_loss.png.
"""

import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from sgan_tf import EntropyLoss, load_dataset
from sgan_tf.evaluation.figures import panels
from sgan_tf.evaluation.spread import class_spread
from sgan_tf.utils.images import image_grid

Z_DIM, CLASSES, SIDE, BATCH, STEPS = 8, 10, 8, 64, 2500


class ConditionalGAN(keras.Model):
    """G, D and a classifier's loss: the paper's L_adv + L_cond; `lambda_ent` adds L_ent."""

    def __init__(self, classifier, lambda_ent):
        super().__init__()
        self.classifier, self.lambda_ent = classifier, lambda_ent
        self.generator = keras.Sequential(
            [
                keras.Input((Z_DIM + CLASSES,)),
                layers.Dense(128, "relu"),
                layers.Dense(128, "relu"),
                layers.Dense(SIDE * SIDE, "sigmoid"),
                layers.Reshape((SIDE, SIDE, 1)),
            ]
        )
        self.features = keras.Sequential(
            [
                keras.Input((SIDE, SIDE, 1)),
                layers.Conv2D(32, 3, strides=2, padding="same"),
                layers.LeakyReLU(0.2),
                layers.Flatten(),
                layers.Dense(128),
                layers.LeakyReLU(0.2),
            ]
        )
        self.realness = layers.Dense(1)
        self.realness.build((None, 128))
        self.entropy_loss = EntropyLoss(Z_DIM)  # 1. the layer
        self.entropy_loss.build((None, 128))
        self.built = True

    def compile(self):
        super().compile()
        self.g_optimizer, self.d_optimizer = (
            keras.optimizers.Adam(1e-3, 0.5),
            keras.optimizers.Adam(1e-3, 0.5),
        )

    def generate(self, z, labels):
        return self.generator(tf.concat([z, tf.one_hot(labels, CLASSES)], -1))

    def train_step(self, data):
        images, labels = data
        z = tf.random.uniform([tf.shape(labels)[0], Z_DIM])
        with tf.GradientTape() as tape:
            fake = self.features(self.generate(z, labels))
            loss = tf.reduce_mean(
                tf.nn.softplus(-self.realness(self.features(images)))
                + tf.nn.softplus(self.realness(fake))
            )
            loss += self.lambda_ent * self.entropy_loss(
                fake, z
            )  # 2. in the discriminator's objective, with its variables
        variables = [
            *self.features.trainable_variables,
            *self.realness.trainable_variables,
            *self.entropy_loss.trainable_variables,
        ]
        self._apply(self.d_optimizer, tape, loss, variables)
        with tf.GradientTape() as tape:
            images = self.generate(z, labels)
            fake = self.features(images)
            loss = tf.reduce_mean(tf.nn.softplus(-self.realness(fake)))
            loss += tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(
                    labels, self.classifier(images), from_logits=True
                )
            )
            entropy = self.entropy_loss(fake, z)
            loss += self.lambda_ent * entropy  # 3. in the generator's objective
        self._apply(self.g_optimizer, tape, loss, self.generator.trainable_variables)
        return {"g_loss": loss, "ent": entropy}

    @staticmethod
    def _apply(optimizer, tape, loss, variables):
        gradients = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(
            [tf.zeros_like(v.value) if g is None else g for g, v in zip(gradients, variables)],
            variables,
        )


def train_classifier(dataset):
    classifier = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    classifier.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    classifier.fit(dataset.train_images / 255, dataset.train_labels, epochs=20, verbose=0)
    classifier.trainable = False
    return classifier


def main():
    keras.utils.set_random_seed(0)
    dataset = load_dataset("digits")
    classifier = train_classifier(dataset)
    real = dataset.train_images.astype("float32") / 255
    data = (
        tf.data.Dataset.from_tensor_slices((real, dataset.train_labels))
        .shuffle(len(real))
        .repeat()
        .batch(BATCH)
    )
    labels = np.arange(CLASSES).repeat(100)
    pictures = {}
    for lambda_ent in (0.0, 10.0):
        keras.utils.set_random_seed(1)
        gan = ConditionalGAN(classifier, lambda_ent)
        gan.compile()
        gan.fit(data, steps_per_epoch=STEPS, verbose=0, shuffle=False)
        images = gan.generate(tf.random.uniform([len(labels), Z_DIM]), labels).numpy()
        spread = class_spread(images, labels) / class_spread(real, dataset.train_labels)
        right = np.mean(np.argmax(classifier(images), -1) == labels)
        print(
            f"lambda_ent {lambda_ent:g}: spread in a class {spread:.3f} of the real one, "
            f"{100 * right:.1f} % of the right class"
        )
        pictures[f"lambda_ent {lambda_ent:g}"] = image_grid(
            images.reshape(CLASSES, 100, SIDE, SIDE, 1)[:, :10].reshape(-1, SIDE, SIDE, 1), 10
        )
    panels(pictures).save(sys.argv[1] if len(sys.argv) > 1 else "docs/entropy_loss.png")


if __name__ == "__main__":
    main()
