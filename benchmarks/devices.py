"""Compare two logical devices with one device of the same cores: a training step of level 0.

    python benchmarks/devices.py --preset svhn

Two logical CPU devices represent two accelerators. They share the cores that one device has alone,
so a ratio of 1 means that dividing the batch costs nothing. Each setting has a separate process,
and the processes alternate. The ratio divides the images per second of two devices by those of one.
It is the median of the ratios of all alternations, with the least and the most.
"""

import contextlib

from absl import flags

from sgan_tf.cli import app, devices, startup
from sgan_tf.config.presets import PRESETS
from sgan_tf.config.validation import PRECISIONS

FLAGS = flags.FLAGS
DEVICES = (1, 2)


def define_flags():
    flags.DEFINE_enum("preset", "svhn", list(PRESETS), "preset whose level 0 is trained")
    flags.DEFINE_enum(
        "precision", "auto", ["auto", *PRECISIONS], "what to compute in, as for train.py"
    )
    flags.DEFINE_integer("alternations", 5, "turns of each setting", lower_bound=1)
    flags.DEFINE_integer("steps", 1, "steps in a turn", lower_bound=1)


def bench():
    startup.import_tensorflow()
    from contestants import Contestant
    from measure import alternate, ratio, seconds_text, table
    from workload import configuration

    config = configuration(FLAGS.preset, devices.precision(FLAGS.precision))
    with contextlib.ExitStack() as stack:
        settings = {
            count: stack.enter_context(Contestant(f"{count} device(s)", _step, count, config))
            for count in DEVICES
        }
        for contestant in settings.values():  # traces and warms up
            contestant.timed()
        seconds = alternate(settings, FLAGS.alternations, FLAGS.steps, Contestant.timed)
    one, two = (seconds[count] for count in DEVICES)
    head = ["level 0", "precision", "one device, a step", "two devices", "throughput, two over one"]
    row = [f"`{FLAGS.preset}`", config.precision, seconds_text(one), seconds_text(two)]
    print(table(head, [[*row, ratio(one, two)]]))


def _step(count, config):
    """Returns a training step on `count` logical devices of this process, and None."""
    tf = startup.import_tensorflow()
    from workload import stage_named, step_of, untrained

    tf.config.set_visible_devices([], "GPU")
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * count
    )
    strategy = devices.strategy(str(count), config.batch_size)
    with untrained(config, strategy) as pipeline:
        _, step = step_of(stage_named(pipeline, "level0"), strategy)
    return step, None


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
