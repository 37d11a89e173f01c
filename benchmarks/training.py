"""Compare a training step with PyTorch's: level 0 of a preset, one D and one G update.

    python benchmarks/training.py --presets svhn,cifar10-release --precisions float32,bfloat16

The same networks are written in plain PyTorch (torch_networks.py, torch_training.py), channels
last, and run both eager and through torch.compile. Each contestant has a separate process, and the
processes alternate in one run. A ratio divides the seconds of this package by those of PyTorch:
below 1, this package is faster. It is the median of the ratios of all alternations, with the least
and the most. This needs `pip install .[bench]`.
"""

import contextlib

from absl import flags

from sgan_tf.cli import app, startup

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
    startup.import_tensorflow()
    from measure import table
    from workload import IN_TORCH

    check_presets(FLAGS.presets, IN_TORCH)
    head = ["level 0", "precision", "parameters of G / D", "here", "PyTorch", "compiled"]
    head += ["here over PyTorch", "here over PyTorch's best precision"]
    rows = [row for preset in FLAGS.presets for row in _rows(preset, precisions(FLAGS.precisions))]
    print(table(head, rows))


def _rows(preset, precisions):
    """Measures a preset; returns one row per precision."""
    from contestants import Contestant
    from measure import alternate, fastest, ratio, seconds_text

    contestants, sizes = {}, {}
    with contextlib.ExitStack() as stack:
        for precision in precisions:
            more, sizes[precision] = _contestants(preset, precision, stack)
            contestants |= more
        for contestant in contestants.values():  # traces and compiles, and warms up
            contestant.timed(2)
        seconds = alternate(contestants, FLAGS.alternations, FLAGS.steps, Contestant.timed)
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


def _contestants(preset, precision, stack):
    """Returns `{(who, precision): Contestant}`, and the sizes of their networks as text."""
    from contestants import Contestant
    from workload import CLASSES, configuration

    updates = ["levels.0.optimizer.adaptive_steps=false", "levels.0.optimizer.generator_steps=1"]
    config = configuration(preset, precision, overrides=updates)
    here = stack.enter_context(Contestant(f"here in {precision}", _here, config))
    sizes, batch = here.facts
    contestants = {("here", precision): here}
    for who in ("PyTorch", "compiled") if FLAGS.compile else ("PyTorch",):
        settings = (config, *batch, len(CLASSES), precision, who == "compiled")
        theirs = stack.enter_context(Contestant(f"{who} in {precision}", _pytorch, *settings))
        assert theirs.facts == sizes, f"trainable weights: {sizes} here, {theirs.facts} in PyTorch"
        contestants[who, precision] = theirs
    return contestants, " / ".join(f"{count:,}" for count in sizes.values())


def _here(config):
    """Returns a training step of this package, and `(sizes of its networks, its batch)`."""
    startup.import_tensorflow()
    from workload import one_batch, parameters, stage_named, step_of, untrained

    with untrained(config) as pipeline:
        stage = stage_named(pipeline, "level0")
        level, step = step_of(stage)
        batch = one_batch(stage)
    return step, ({"G": parameters(level.generator), "D": parameters(level.discriminator)}, batch)


def _pytorch(*settings):
    """Returns a training step in PyTorch, and the sizes of its networks."""
    from torch_training import Level0
    from torch_weights import parameters

    level = Level0(*settings)
    return level.step, {name: parameters(level.networks[name]) for name in "GD"}


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
