"""Draw a trained run: samples.png, variations.png, factors.png and curves.png in its folder.

    sgan-figures --run_dir runs/mnist

samples: one row per class. variations: one generated h_1 per row. factors: y alone, then each
level's noise alone varies. Of more than 20 classes, samples and variations show 20, evenly chosen.
"""

from absl import flags

from sgan_tf.cli import app, startup

FLAGS = flags.FLAGS


def define_flags() -> None:
    flags.DEFINE_string("run_dir", None, "a run folder whose levels are trained", required=True)
    flags.DEFINE_integer("seed", 0, "of the noise")


def figures() -> None:
    startup.import_tensorflow()

    from sgan_tf.evaluation import figures as drawing
    from sgan_tf.runs.run import Run
    from sgan_tf.saving.load import load_run

    stack, run = load_run(FLAGS.run_dir), Run(FLAGS.run_dir)
    for draw in (drawing.samples, drawing.variations, drawing.factors):
        run.save_png(f"{draw.__name__}.png", draw(stack, FLAGS.seed))
        print(run.path / f"{draw.__name__}.png")
    run.save_png("curves.png", drawing.training_curves(run.metrics.read()))
    print(run.path / "curves.png")


def main() -> None:
    define_flags()
    app.run(figures)


if __name__ == "__main__":
    main()
