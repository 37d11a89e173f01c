"""Compare the ways to sample a trained run: latency at batch 1, and images a second.

    python benchmarks/sampling.py --run_dir runs/mnist

The ways are the exported SavedModel's `serving_default`, `StackedGAN.sample` in process, and
`keras.Model.predict` on the chained generators, as a user of plain Keras would write it. All three
draw new noise and return NumPy arrays; they take turns in one run.
"""

import tempfile
import time

from absl import flags

from sgan_tf.cli import app

FLAGS = flags.FLAGS
BATCHES = (1, 16, 100, 1000)
IMAGES = 4000  # most that a round generates at a batch size


def define_flags():
    flags.DEFINE_string("run_dir", None, "a finished run folder", required=True)
    flags.DEFINE_integer("rounds", 7, "times that each way is measured, in turn", lower_bound=1)


def bench():
    tf = app.import_tensorflow()
    import keras
    import numpy as np

    from sgan_tf.loading import load_run
    from sgan_tf.serving.export import export

    stack = load_run(FLAGS.run_dir)
    with tempfile.TemporaryDirectory() as folder:
        path, _ = export(FLAGS.run_dir, folder, "bench")
        exported = tf.saved_model.load(str(path)).signatures["serving_default"]
    classes = len(stack.class_names)
    plain = _plain_model(keras, stack)

    def predict(labels):
        noise = [
            np.random.random_sample((len(labels), level.config.z_dim)).astype("float32")
            for level in stack.levels
        ]
        return plain.predict(
            [keras.utils.to_categorical(labels, classes), *noise], batch_size=len(labels), verbose=0
        )

    def serve(labels):
        return exported(labels=tf.constant(labels, tf.int64))["images"].numpy()

    ways = {"SavedModel": serve, "model.sample": stack.sample, "keras predict": predict}
    _print_table(_measure(ways, classes), list(ways))


def _plain_model(keras, stack):
    labels = condition = keras.Input((len(stack.class_names),))
    noise = [keras.Input((level.config.z_dim,)) for level in stack.levels]
    for level in reversed(stack.levels):
        condition = level.generator([condition, noise[level.index]])
    return keras.Model([labels, *noise], condition)


def _measure(ways, classes):
    """Returns `{(way, batch): seconds of each call}`.

    The ways take turns call by call, so that all meet the same machine.
    """
    import numpy as np

    seconds = {}
    for batch in BATCHES:
        labels = np.arange(batch) % classes
        for way in ways.values():  # traces and warms up
            way(labels)
        for _ in range(FLAGS.rounds * max(2, min(30, IMAGES // batch // len(ways)))):
            for name, way in ways.items():
                started = time.perf_counter()
                way(labels)
                seconds.setdefault((name, batch), []).append(time.perf_counter() - started)
    return seconds


def _print_table(seconds, ways):
    import numpy as np

    print(f"| batch | {' | '.join(ways)} | SavedModel over the best other |")
    print(f"|---|{'---|' * len(ways)}---|")
    for batch in BATCHES:
        rates = {way: batch / float(np.median(seconds[way, batch])) for way in ways}
        best = max(rate for way, rate in rates.items() if way != "SavedModel")
        cells = [*(f"{rate:,.0f}" for rate in rates.values()), f"{rates['SavedModel'] / best:.2f}"]
        print(f"| {batch}, images a second | {' | '.join(cells)} |")
        if batch == 1:
            cells = [
                " / ".join(f"{1000 * np.percentile(seconds[way, 1], q):.1f}" for q in (50, 99))
                for way in ways
            ]
            print(f"| 1, ms p50 / p99 | {' | '.join(cells)} | |")


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
