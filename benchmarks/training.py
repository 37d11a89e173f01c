"""Compare a training step with PyTorch's: level 0 of a preset, one D and one G update.

    python benchmarks/training.py --presets svhn,cifar10-release --precisions float32,bfloat16

The same networks are written plainly in PyTorch (torch_networks.py, torch_training.py), channels
last, as they are and through torch.compile. All take turns in one run. A ratio is of seconds, this
package's over PyTorch's: below 1 this package is faster. Each is the median of the alternations'
own ratios, with the least and the most. Needs `pip install .[bench]`.
"""

from absl import flags

from sgan_tf.cli import app

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_list("presets", ["svhn", "cifar10-release"], "presets to compare")
    flags.DEFINE_list(
        "precisions", ["auto"], "float32, bfloat16, or auto: those that the hardware computes in"
    )
    flags.DEFINE_integer("alternations", 5, "turns of each contestant", lower_bound=1)
    flags.DEFINE_integer("steps", 1, "steps in a turn", lower_bound=1)
    flags.DEFINE_bool("compile", True, "try torch.compile too")


def bench():
    from arguments import check_presets, precisions, require_torch

    require_torch(FLAGS.compile)
    app.import_tensorflow()
    from measure import table
    from torch_networks import PRESETS

    check_presets(FLAGS.presets, PRESETS)
    head = ["level 0", "precision", "parameters of G / D", "here", "PyTorch", "compiled"]
    head += ["here over PyTorch", "here over PyTorch's best precision"]
    rows = [row for preset in FLAGS.presets for row in _rows(preset, precisions(FLAGS.precisions))]
    print(table(head, rows))


def _rows(preset, precisions):
    """Measures a preset; returns a row a precision."""
    from measure import alternate, fastest, ratio, seconds_text

    contestants, sizes = {}, {}
    for precision in precisions:
        more, sizes[precision] = _contestants(preset, precision)
        contestants |= more
    for call in contestants.values():  # traces and compiles, and warms up
        call()
        call()
    seconds = alternate(contestants, FLAGS.alternations, FLAGS.steps)
    theirs = {name: values for name, values in seconds.items() if name[0] != "here"}
    best = seconds[fastest(theirs)]
    rows = []
    for precision in precisions:
        same = {name: values for name, values in theirs.items() if name[1] == precision}
        here = seconds["here", precision]
        cells = [
            seconds_text(seconds[who, precision]) if (who, precision) in seconds else "–"
            for who in ("here", "PyTorch", "compiled")
        ]
        ratios = [str(ratio(here, seconds[fastest(same)])), str(ratio(here, best))]
        rows.append([f"`{preset}`", precision, sizes[precision], *cells, *ratios])
    return rows


def _contestants(preset, precision):
    """Returns `{(who, precision): step}`, and how large their networks are."""
    from torch_training import Level0
    from torch_weights import parameters
    from workload import CLASSES, configuration, one_batch, stage_named, step_of, untrained

    updates = ["levels.0.optimizer.adaptive_steps=false", "levels.0.optimizer.generator_steps=1"]
    config = configuration(preset, precision, overrides=updates)
    with untrained(config) as pipeline:
        stage = stage_named(pipeline, "level0")
        level, step = step_of(stage)
        batch = one_batch(stage)
    contestants = {("here", precision): step}
    for who in ("PyTorch", "compiled") if FLAGS.compile else ("PyTorch",):
        theirs = Level0(config, *batch, len(CLASSES), precision, who == "compiled")
        _check_same_size(level, theirs)
        contestants[who, precision] = theirs.step
    counts = [parameters(network) for network in (level.generator, level.discriminator)]
    return contestants, " / ".join(f"{count:,}" for count in counts)


def _check_same_size(level, theirs):
    """Raises `AssertionError` unless both train as many weights, network by network."""
    from torch_weights import parameters

    ours = {"G": level.generator, "D": level.discriminator}
    for name, network in ours.items():
        count, other = parameters(network), parameters(theirs.networks[name])
        assert count == other, f"{name} has {count} trainable weights here, {other} in PyTorch"


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
