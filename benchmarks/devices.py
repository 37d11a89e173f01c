"""Compare two logical devices with one device of the same cores: a training step of level 0.

    python benchmarks/devices.py --preset svhn

Two logical CPU devices stand for two accelerators: they share the cores that one device has alone,
so a ratio of 1 means that dividing the batch costs nothing. Each setting has a process of its own;
they take turns. The ratio is of images a second, two devices' over one's, the median of the
alternations' own ratios with the least and the most.
"""

import multiprocessing

from absl import flags

from sgan_tf.cli import app
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
    app.import_tensorflow()
    from measure import alternate, ratio, seconds_text, table
    from workload import configuration

    config = configuration(FLAGS.preset, app.precision(FLAGS.precision))
    context = multiprocessing.get_context("spawn")
    pipes = {}
    for count in DEVICES:
        pipes[count], end = context.Pipe()
        worker = context.Process(target=_work, args=(end, count, config, FLAGS.steps), daemon=True)
        worker.start()
        end.close()

    def turn(pipe):
        pipe.send(True)
        return pipe.recv()

    turns = {count: lambda pipe=pipe: turn(pipe) for count, pipe in pipes.items()}
    for call in turns.values():  # traces and warms up
        call()
    seconds = alternate(turns, FLAGS.alternations)
    for pipe in pipes.values():
        pipe.send(False)  # the worker ends
    one, two = ([s / FLAGS.steps for s in seconds[count]] for count in DEVICES)
    head = ["level 0", "precision", "one device, a step", "two devices", "throughput, two over one"]
    row = [f"`{FLAGS.preset}`", config.precision, seconds_text(one), seconds_text(two)]
    print(table(head, [[*row, ratio(one, two)]]))


def _work(pipe, count, config, steps):
    """A process of its own: makes the steps of a turn whenever the other end asks for them."""
    tf = app.import_tensorflow()
    from workload import stage_named, step_of, untrained

    tf.config.set_visible_devices([], "GPU")
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * count
    )
    strategy = app.strategy(str(count), config.batch_size)
    with untrained(config, strategy) as pipeline:
        _, step = step_of(stage_named(pipeline, "level0"), strategy)
    while pipe.recv():
        for _ in range(steps):
            step()
        pipe.send(True)


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
