"""Compare the ways to sample a stack: images a second, and how long the first call takes.

    python benchmarks/sampling.py --run_dir runs/mnist
    python benchmarks/sampling.py --preset svhn --precisions float32,bfloat16

The ways are `StackedGAN.sample` in process, two signatures of the exported SavedModel,
`keras.Model.predict` on the chained generators, as a user of plain Keras would write it, and the
same generators in PyTorch, channels last, as they are and through torch.compile with frozen
weights. All draw new noise and return NumPy arrays; they take turns in one run. A ratio is of
images a second, this package's over the fastest of PyTorch's: above 1 this package is faster. Each
is the median of the alternations' own ratios, with the least and the most. Weights do not matter to
the time, so --preset samples an untrained stack. PyTorch needs `pip install .[bench]`, or
--nopytorch.
"""

import contextlib
import tempfile
from functools import partial

from absl import flags

from sgan_tf.cli import app, startup
from sgan_tf.config.presets import PRESETS

FLAGS = flags.FLAGS
LEAST_IMAGES = 100  # of a turn


def define_flags():
    flags.DEFINE_string("run_dir", None, "a finished run folder, in place of --preset")
    flags.DEFINE_enum("preset", "svhn", list(PRESETS), "sample an untrained stack of this preset")
    flags.DEFINE_list(
        "precisions", ["auto"], "float32, bfloat16, or auto: those that the hardware computes in"
    )
    flags.DEFINE_list("batches", ["1", "16", "100"], "batch sizes")
    flags.DEFINE_integer("alternations", 5, "turns of each way", lower_bound=1)
    flags.DEFINE_bool("pytorch", True, "compare with PyTorch")
    flags.DEFINE_bool("compile", True, "try torch.compile too")


def bench():
    from arguments import integers, precisions, require_torch

    batches = integers("batches", FLAGS.batches)
    if FLAGS.pytorch:
        require_torch(FLAGS.compile)
    startup.import_tensorflow()
    from measure import table
    from workload import configuration, untrained_run

    wanted = precisions(FLAGS.precisions)
    with contextlib.ExitStack() as stack:
        run_dir = FLAGS.run_dir
        if run_dir is None:
            run_dir = stack.enter_context(untrained_run(configuration(FLAGS.preset)))
        ways = _ways(run_dir, wanted, max(batches))
    first, seconds = _measure(ways, batches)
    head = ["way", "precision", "first call"]
    head += [f"batch {batch}, images/s" for batch in batches]
    if FLAGS.pytorch:
        head += [f"over PyTorch's best, batch {batch}" for batch in batches]
    print(table(head, [_row(way, batches, first, seconds) for way in ways]))


def _ways(run_dir, precisions, most):
    """Returns `{(way, precision): function of labels that returns images}`."""
    import sgan_tf
    from sgan_tf.runs.resume import read_config

    ways, stack = {}, None
    for precision in precisions:
        stack = sgan_tf.load(run_dir, precision=precision)
        ways["`stack.sample`", precision] = stack.sample
    ways |= _exported(run_dir, most)
    ways["`keras.Model.predict`", precisions[-1]] = _keras(stack)
    if FLAGS.pytorch:
        from torch_sampling import sampler

        config = read_config(run_dir)
        for precision in precisions:
            for compiled in (False, True) if FLAGS.compile else (False,):
                name = "PyTorch compiled" if compiled else "PyTorch"
                ways[name, precision] = sampler(stack, config, precision, compiled)
    return ways


def _exported(run_dir, most):
    import numpy as np
    import tensorflow as tf

    from sgan_tf.saving.export import export

    with tempfile.TemporaryDirectory() as folder:
        path, _ = export(run_dir, export_dir=folder, name="bench", max_batch=most)
        signatures = tf.saved_model.load(str(path)).signatures

    def fresh(labels):
        return signatures["serving_default"](labels=tf.constant(labels))["images"].numpy()

    def seeded(labels):
        seeds = np.random.default_rng().integers(0, 2**63, len(labels))
        inputs = {"labels": tf.constant(labels), "seeds": tf.constant(seeds)}
        return signatures["sample_seeded"](**inputs)["images"].numpy()

    return {
        ("SavedModel `serving_default`", "as exported"): fresh,
        ("SavedModel `sample_seeded`", "as exported"): seeded,
    }


def _keras(stack):
    import keras
    import numpy as np

    labels = condition = keras.Input((len(stack.class_names),))
    noise = [keras.Input((level.config.z_dim,)) for level in stack.levels]
    for level in reversed(stack.levels):
        condition = level.sampler([condition, noise[level.index]])
    model = keras.Model([labels, *noise], condition)

    def predict(labels):
        noise = [
            np.random.random_sample((len(labels), level.config.z_dim)).astype("float32")
            for level in stack.levels
        ]
        one_hot = keras.utils.to_categorical(labels, len(stack.class_names))
        return model.predict([one_hot, *noise], batch_size=len(labels), verbose=0)

    return predict


def _measure(ways, batches):
    """Returns `{way: seconds of the first call}` and `{batch: {way: seconds of each turn}}`."""
    import numpy as np
    from measure import alternate, first_call

    first, seconds = {}, {}
    for batch in batches:
        labels = np.zeros(batch, np.int64)  # of any data set; the time does not depend on them
        calls = {way: partial(sample, labels) for way, sample in ways.items()}
        for way, call in calls.items():
            first.setdefault(way, first_call(call))
            call()
        turns = max(2, LEAST_IMAGES // batch)
        seconds[batch] = alternate(calls, FLAGS.alternations, turns)
    return first, seconds


def _row(way, batches, first, seconds):
    import numpy as np
    from measure import fastest, ratio, seconds_text

    cells = [*way, seconds_text([first[way]])]
    cells += [f"{batch / np.median(seconds[batch][way]):,.0f}" for batch in batches]
    for batch in batches if FLAGS.pytorch else []:
        theirs = {w: s for w, s in seconds[batch].items() if w[0].startswith("PyTorch")}
        best = seconds[batch][fastest(theirs)]
        cells.append(str(ratio(best, seconds[batch][way])) if way not in theirs else "")
    return cells


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
