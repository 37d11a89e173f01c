"""Show what scores on ImageNet features measure: a table with one row per set of images.

    python benchmarks/yardstick.py --dataset cifar10 --images 3000
    python benchmarks/yardstick.py --dataset svhn --images 3000 --noanchors

Each row has as many images as there are training images to compare them with. The anchors are real
images, changed or not: test images, other training images, and test images that are blurred
(standard deviation 1.5 pixels), noisy (25 gray levels) or without the first four classes. The stack
is --model, or by default the packaged stack with the name of the data set.
"""

import numpy as np
from absl import flags

from sgan_tf.cli import app, logs, startup
from sgan_tf.data.datasets import DATASETS

FLAGS = flags.FLAGS
BLUR, NOISE = 1.5, 25.0  # standard deviations, in pixels and in gray levels of 255
DROPPED = 4  # number of classes left out
HEAD = ["images", "Fréchet distance", "precision", "recall", "classifier score"]


def define_flags():
    flags.DEFINE_enum("dataset", "cifar10", list(DATASETS), "of the real images")
    flags.DEFINE_string("data_dir", None, "where TFDS keeps its data sets")
    flags.DEFINE_string("model", None, "a stack, as sgan_tf.load takes it; by default --dataset")
    flags.DEFINE_integer("images", 3000, "images of each row", lower_bound=40)
    flags.DEFINE_bool("anchors", True, "measure changed real images too")
    flags.DEFINE_integer("seed", 0, "of the choice of images, of the noise and of the samples")


def bench():
    startup.import_tensorflow()
    from measure import table

    from sgan_tf import load, load_dataset
    from sgan_tf.evaluation.evaluate import draw_samples
    from sgan_tf.evaluation.imagenet.features import BATCH, imagenet_network
    from sgan_tf.evaluation.judge import judged
    from sgan_tf.evaluation.metrics.imagenet import imagenet_scores
    from sgan_tf.evaluation.protocol import silent
    from sgan_tf.evaluation.view import NetworkOutputs

    dataset = load_dataset(FLAGS.dataset, data_dir=FLAGS.data_dir)
    network = imagenet_network(dataset.image_shape)
    order = np.random.default_rng(FLAGS.seed).permutation(len(dataset.train_images))
    train = dataset.train_images[order[: FLAGS.images]]
    _, train_features = judged(network, train, BATCH)
    stack = load(FLAGS.model or FLAGS.dataset)
    samples, _ = draw_samples(stack, dataset.train_labels, FLAGS.images, FLAGS.seed)
    sets = {"samples": samples, **_real(dataset, order)}
    rows = []
    for name, images in sets.items():
        if len(images) < FLAGS.images:
            raise app.UsageError(f"--images: there are {len(images)} {name}")
        outputs = judged(network, images[: FLAGS.images], BATCH, logs.progress(name))
        scores = imagenet_scores(NetworkOutputs(*outputs, train_features), silent)
        rows.append([name, *(f"{score.value:.3g}" for score in scores)])
    print(table(HEAD, rows))


def _real(dataset, order):
    """Returns `{description: uint8 images}` of test images and of other training images."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(FLAGS.seed)
    shuffled = rng.permutation(len(dataset.test_images))
    test, labels = dataset.test_images[shuffled], dataset.test_labels[shuffled]
    sets = {"test images": test}
    if FLAGS.anchors:
        count = FLAGS.images
        noise = rng.normal(0, NOISE, test[:count].shape)
        sets |= {
            "other training images": dataset.train_images[order[count : 2 * count]],
            "test images, blurred": gaussian_filter(test[:count], (0, BLUR, BLUR, 0)),
            "test images, noisy": np.clip(test[:count] + noise, 0, 255).round().astype(np.uint8),
            f"test images without {DROPPED} classes": test[labels >= DROPPED],
        }
    return sets


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
