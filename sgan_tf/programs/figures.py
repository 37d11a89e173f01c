"""Draw a trained run: samples.png, variations.png and curves.png in its folder.

    python -m sgan_tf.programs.figures --run_dir runs/mnist
"""

from absl import flags

from sgan_tf.programs import common

FLAGS = flags.FLAGS
COLUMNS = 10


def define_flags():
    flags.DEFINE_string("run_dir", None, "a run folder whose levels are trained", required=True)
    flags.DEFINE_integer("seed", 0, "of the noise")


def figures():
    common.import_tensorflow()

    import numpy as np

    from sgan_tf.figures import image_grid, training_curves
    from sgan_tf.run import Run
    from sgan_tf.stages import load

    stack, run = load(FLAGS.run_dir), Run(FLAGS.run_dir)
    classes = np.arange(len(stack.class_names))
    labels, noise = classes.repeat(COLUMNS), stack.noise(len(classes) * COLUMNS, FLAGS.seed)
    run.save_png("samples.png", image_grid(stack.decode(labels, noise), COLUMNS, stack.class_names))
    # The paper's panel (c): one h_1 a row, that is, one draw of every level's noise but the lowest's.
    fixed = [noise[0], *(z[::COLUMNS].repeat(COLUMNS, axis=0) for z in noise[1:])]
    run.save_png("variations.png", image_grid(stack.decode(labels, fixed), COLUMNS, stack.class_names))
    run.save_png("curves.png", training_curves(run.read_metrics()))
    for name in ("samples.png", "variations.png", "curves.png"):
        print(run.path / name)


def main():
    define_flags()
    common.run(figures)


if __name__ == "__main__":
    main()
