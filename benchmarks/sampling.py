"""Compare the ways to sample a stack: images per second, and how long the first call takes.

    python benchmarks/sampling.py --run_dir runs/mnist
    python benchmarks/sampling.py --preset svhn --precisions float32,bfloat16

The ways are `StackedGAN.sample` in process, two signatures of the exported SavedModel,
`keras.Model.predict` on the chained generators, as a user of plain Keras would write it, and the
same generators in PyTorch, channels last, both eager and through torch.compile with frozen weights.
All draw new noise and return NumPy arrays. Each way has a separate process, and the processes
alternate in one run. A ratio divides the images per second of this package by those of the fastest
way of PyTorch: above 1, this package is faster. It is the median of the ratios of all alternations,
with the least and the most. The time does not depend on the weights, so --preset samples an
untrained stack, and the PyTorch networks are never trained. PyTorch needs `pip install .[bench]`;
without it, use --nopytorch.
"""

import contextlib
import tempfile

from absl import flags

from sgan_tf.cli import app, startup
from sgan_tf.config.presets import PRESETS

FLAGS = flags.FLAGS
LEAST_IMAGES = 100  # least images in a turn


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
        ways = _ways(run_dir, wanted, max(batches), stack)
        first, seconds = _measure(ways, batches)
    head = ["way", "precision", "first call"]
    head += [f"batch {batch}, images/s" for batch in batches]
    if FLAGS.pytorch:
        head += [f"over PyTorch's best, batch {batch}" for batch in batches]
    print(table(head, [_row(way, batches, first, seconds) for way in ways]))


def _ways(run_dir, precisions, most, stack):
    """Returns `{(way, precision): Contestant}`. Each function maps labels to images."""
    from contestants import Contestant
    from workload import IN_TORCH

    from sgan_tf.runs.resume import read_config
    from sgan_tf.runs.run import Run
    from sgan_tf.saving.export import export

    config, data = read_config(run_dir), Run(run_dir).data()
    if FLAGS.pytorch and (config.preset not in IN_TORCH or config.cuts != ["fc3"]):
        raise app.UsageError(
            f"--pytorch: PyTorch's networks are those of {', '.join(IN_TORCH)}, cut at fc3; "
            "compare the others with --nopytorch"
        )
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    path, _ = export(run_dir, export_dir=folder, name="bench", max_batch=most)
    makers = {
        ("`stack.sample`", precision): (_stack, run_dir, precision) for precision in precisions
    }
    for signature in ("serving_default", "sample_seeded"):
        makers[f"SavedModel `{signature}`", "as exported"] = (_saved_model, str(path), signature)
    makers["`keras.Model.predict`", precisions[-1]] = (_keras, run_dir, precisions[-1])
    shape, classes = tuple(data["image_shape"]), len(data["class_names"])
    for precision in precisions if FLAGS.pytorch else []:
        for compiled in (False, True) if FLAGS.compile else (False,):
            name = "PyTorch compiled" if compiled else "PyTorch"
            makers[name, precision] = (_pytorch, config, shape, classes, precision, compiled)
    return {
        way: stack.enter_context(Contestant(", ".join(way), *maker))
        for way, maker in makers.items()
    }


def _stack(run_dir, precision):
    startup.import_tensorflow()
    import sgan_tf

    return sgan_tf.load(run_dir, precision=precision).sample, None


def _saved_model(path, signature):
    tf = startup.import_tensorflow()
    import numpy as np

    sample = tf.saved_model.load(path).signatures[signature]

    def call(labels):
        inputs = {"labels": tf.constant(labels)}
        if signature == "sample_seeded":
            seeds = np.random.default_rng().integers(0, 2**63, len(labels))
            inputs["seeds"] = tf.constant(seeds)
        return sample(**inputs)["images"].numpy()

    return call, None


def _pytorch(*settings):
    from torch_sampling import sampler

    return sampler(*settings), None


def _keras(run_dir, precision):
    startup.import_tensorflow()
    import keras
    import numpy as np

    import sgan_tf

    stack = sgan_tf.load(run_dir, precision=precision)
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

    return predict, None


def _measure(ways, batches):
    """Returns `{way: seconds of the first call}` and `{batch: {way: seconds of each turn}}`."""
    import numpy as np
    from measure import alternate

    first, seconds = {}, {}
    for batch in batches:
        labels = np.zeros(batch, np.int64)  # the time does not depend on the labels
        for way, contestant in ways.items():
            first.setdefault(way, contestant.timed(1, labels))
            contestant.timed(1, labels)
        turns = max(2, LEAST_IMAGES // batch)
        seconds[batch] = alternate(
            ways, FLAGS.alternations, turns, lambda way, calls, x=labels: way.timed(calls, x)
        )
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
