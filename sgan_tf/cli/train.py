"""Train a stacked GAN: the encoder, each level, then all levels jointly. The same command again resumes.

python train.py                                      # scikit-learn's embedded digits
python train.py --dataset svhn --data_dir ~/tensorflow_datasets
python train.py --dataset folder --data_dir photos/  # one sub-directory a class
"""

from absl import flags

from sgan_tf.batches import steps_per_epoch
from sgan_tf.cli import app
from sgan_tf.config import make_config
from sgan_tf.datasets import DATASETS, load_dataset

FLAGS = flags.FLAGS


def define_flags():
    flags.DEFINE_string("dataset", "digits", "digits, mnist, svhn, cifar10 or folder")
    flags.DEFINE_string("preset", None, "networks and settings; by default the data set's own")
    flags.DEFINE_string(
        "data_dir",
        None,
        "where TFDS keeps its data sets; for folder, a directory with one sub-directory a class",
    )
    flags.DEFINE_bool("download", False, "fetch a TFDS data set that is not prepared")
    flags.DEFINE_string("run_dir", None, "the run folder; by default runs/<preset>, or runs/folder")
    flags.DEFINE_list("stages", None, "train these stages alone, as encoder,level0; by default all")
    flags.DEFINE_string(
        "cuts",
        None,
        "layers where the encoder is cut, bottom up, as pool2,fc3; none for one level; by default fc3",
    )
    flags.DEFINE_integer(
        "epochs", None, "epochs of every stage, in place of the preset's", lower_bound=1
    )
    flags.DEFINE_integer(
        "image_size",
        None,
        "side of the images in pixels; by default the data set's own, 32 for folder",
        lower_bound=1,
    )
    flags.DEFINE_integer("seed", 0, "of weights, noise and the order of images")
    flags.DEFINE_string("devices", "all", "number of GPUs, all, or cpu")
    flags.DEFINE_integer("sample_every", 5, "epochs between two sample grids", lower_bound=0)
    flags.DEFINE_float(
        "checkpoint_minutes", 5, "the most work that a killed process loses", lower_bound=0
    )
    flags.DEFINE_bool("overwrite", False, "start anew in a run folder that holds a run")
    flags.DEFINE_bool(
        "dry_run", False, "print the configuration, the networks and the planned steps, then stop"
    )
    flags.DEFINE_multi_string(
        "set",
        [],
        "name=value, any setting that --dry_run lists, as levels.0.lambda_ent=0; repeatable",
    )


def train():
    cuts = None if FLAGS.cuts is None else [] if FLAGS.cuts == "none" else FLAGS.cuts.split(",")
    config = make_config(
        FLAGS.dataset,
        FLAGS.preset,
        cuts,
        FLAGS.image_size,
        FLAGS.epochs,
        FLAGS.seed,
        FLAGS["set"].value,
    )
    unknown = [name for name in FLAGS.stages or [] if name not in config.stages()]
    if unknown:
        raise app.UsageError(
            f"--stages: unknown stage '{unknown[0]}'; choose from {', '.join(config.stages())}"
        )

    # What needs no TensorFlow comes first, so that a mistake shows at once.
    if DATASETS[config.dataset].tfds:
        app.import_tensorflow()
    dataset = load_dataset(config.dataset, config.image_size, FLAGS.data_dir, FLAGS.download)
    steps = steps_per_epoch(len(dataset.train_images), config.batch_size)
    tf = app.import_tensorflow()
    tf.config.experimental.enable_op_determinism()  # resuming bit for bit needs kernels without races
    strategy = app.strategy(FLAGS.devices, config.batch_size)
    if FLAGS.dry_run:
        return _dry_run(config, dataset, steps)
    return _train(config, dataset, strategy)


def _dry_run(config, dataset, steps):
    from sgan_tf.training.pipeline import build

    encoder, stack = build(config, dataset.image_shape, dataset.num_classes)
    print(config.to_json(), end="")
    print(
        f"{len(dataset.train_images)} training and {len(dataset.test_images)} test images, {dataset.image_shape}, {dataset.num_classes} classes"
    )
    print(f"E: {encoder.count_params():,} parameters; h_0 … h_N: {encoder.shapes}")
    for level in stack.levels:
        print(
            f"level {level.index}: G {level.generator.count_params():,}, D and Q {level.discriminator.count_params():,} parameters"
        )
    for name, epochs in config.stages().items():
        print(f"{name}: {epochs} epochs of {steps} steps = {epochs * steps:,} steps")


def _train(config, dataset, strategy):
    from sgan_tf.run import Run
    from sgan_tf.training.pipeline import Pipeline, record_facts

    run = Run.open(
        FLAGS.run_dir or f"runs/{config.preset if config.dataset != 'folder' else 'folder'}",
        config,
        FLAGS.overwrite,
    )
    log = app.start_log(run.path / "log.txt")
    record_facts(run, dataset)
    signals = app.stop_signals()
    pipeline = Pipeline(
        config,
        run,
        dataset,
        strategy,
        FLAGS.sample_every,
        FLAGS.checkpoint_minutes,
        stop=lambda: bool(signals),
    )
    code = app.train_guarded(log, signals, lambda: pipeline.train(FLAGS.stages))
    if code:
        return code
    grids = sorted(run.path.glob("fakes_*_[0-9]*.png"), key=lambda path: path.stat().st_mtime)
    log.info("done: %s%s", run.path, f"; samples, a row a class: {grids[-1]}" if grids else "")
    return 0


def main():
    define_flags()
    app.run(train)
