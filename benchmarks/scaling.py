"""Measure what batch size, image size and the number of levels cost, on variations of a preset.

    python benchmarks/scaling.py --preset svhn

A step of level 0 is one update of its D and one of its G. A joint step is one update of all Ds and
one of all Gs. Presets with adaptive steps make up to 7 updates of G. Sampling is
`StackedGAN.sample` of 100 images. FLOP are counted as in stages.py. The times are medians.
"""

from absl import flags

from sgan_tf.cli import app, devices, startup
from sgan_tf.config.presets import PRESETS
from sgan_tf.config.validation import PRECISIONS

FLAGS = flags.FLAGS
CUTS = {1: [], 2: ["fc3"], 3: ["pool2", "fc3"]}  # cuts of E by the number of levels
SAMPLED = 100


def define_flags():
    flags.DEFINE_enum("preset", "svhn", list(PRESETS), "preset that is varied")
    flags.DEFINE_list("batches", ["16", "64", "256"], "batch sizes; the others' is the preset's")
    flags.DEFINE_list("sizes", ["16", "64"], "sides of images; the others' is the preset's")
    flags.DEFINE_list("levels", ["1", "2", "3"], "numbers of levels; the others' is 2")
    flags.DEFINE_enum(
        "precision", "auto", ["auto", *PRECISIONS], "what to compute in, as for train.py"
    )
    flags.DEFINE_integer("steps", 2, "steps to time, after one that is not", lower_bound=1)


def bench():
    from arguments import integers

    batches, sizes = integers("batches", FLAGS.batches), integers("sizes", FLAGS.sizes)
    levels = integers("levels", FLAGS.levels)
    unknown = [number for number in levels if number not in CUTS]
    if unknown:
        raise app.UsageError(f"--levels: {unknown[0]} is none of {', '.join(map(str, CUTS))}")
    startup.import_tensorflow()
    from measure import table

    variations = [
        *({"overrides": [f"batch_size={batch}"]} for batch in batches),
        *({"image_size": size} for size in sizes),
        *({"cuts": CUTS[number]} for number in levels),
    ]
    head = ["levels", "image", "batch", "level 0, a step", "images/s", "GFLOP", "GFLOP/s"]
    head += ["all levels jointly, a step", "sampling, images/s"]
    print(table(head, [_row(config) for config in _configurations(variations)]))


def _configurations(variations):
    """Returns the configurations of the variations, each once."""
    from workload import configuration

    configs, precision = [], devices.precision(FLAGS.precision)
    for settings in variations:
        config = configuration(FLAGS.preset, precision, **settings)
        configs += [config] if config not in configs else []
    return configs


def _row(config):
    import numpy as np
    from flops import update_flop
    from measure import alternate, seconds_text
    from workload import one_batch, stage_named, step_of, untrained

    with untrained(config) as pipeline:
        bottom = stage_named(pipeline, "level0")
        level, step = step_of(bottom)
        flop = update_flop(level, *one_batch(bottom))
        calls = {"level": step}
        if len(config.levels) > 1:
            calls["joint"] = step_of(stage_named(pipeline, "joint"))[1]
        labels = np.arange(SAMPLED) % 10
        calls["sample"] = lambda: pipeline.stack.sample(labels)
        for call in calls.values():
            call()
        seconds = {name: float(np.median(s)) for name, s in alternate(calls, FLAGS.steps).items()}
    batch = config.batch_size
    return [
        *(len(config.levels), f"{config.image_size} x {config.image_size}", batch),
        *(seconds_text([seconds["level"]]), f"{batch / seconds['level']:,.0f}"),
        *(f"{flop / 1e9:.3g}", f"{flop / 1e9 / seconds['level']:.0f}"),
        seconds_text([seconds["joint"]]) if "joint" in seconds else "–",
        f"{SAMPLED / seconds['sample']:,.0f}",
    ]


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
