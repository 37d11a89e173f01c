"""Train a stacked GAN: the encoder, each level, then all levels jointly. The same command resumes.

    python train.py                                      # scikit-learn's embedded digits
    python train.py --dataset svhn --data_dir ~/tensorflow_datasets
    python train.py --dataset folder --data_dir photos/  # one sub-directory per class
    python train.py --labels none --dataset folder --data_dir photos/  # images alone
    python train.py --dry_run > mine.json                # all settings, to be edited and read again
    python train.py --config mine.json
    python train.py --encoder classifier.keras --cuts block2_out,dense1 --dataset svhn

On several machines, run it on each with TF_CONFIG set and a --run_dir that they share.
"""

import dataclasses
import pathlib

from absl import flags

from sgan_tf.cli import (
    app,
    classifier_flags,
    devices,
    image_flags,
    interrupts,
    judge_flags,
    logs,
    preset_table,
    startup,
)
from sgan_tf.config.overrides import with_overrides
from sgan_tf.config.presets import PRESETS, make_config
from sgan_tf.config.schema import Config, EncoderConfig
from sgan_tf.config.validation import PRECISIONS, ConfigError
from sgan_tf.data.batches import steps_per_epoch
from sgan_tf.data.datasets import DATASETS
from sgan_tf.runs.environment import best_precision
from sgan_tf.training import transfer
from sgan_tf.utils.arithmetic import arithmetic, set_arithmetic
from sgan_tf.utils.images import rows_caption

FLAGS = flags.FLAGS
# Flags whose settings --config holds.
SAID_BY_CONFIG = ("dataset", "preset", "cuts", "image_size", "labels", "seed")

GROUPS = {  # of --help
    "images": image_flags.NAMES,
    "networks and settings": (
        *("preset", "list_presets", "config", "set", "labels", "cuts", "encoder_from", "epochs"),
        *("seed", "dry_run"),
    ),
    "a classifier of one's own": classifier_flags.NAMES,
    "run": (
        *("run_dir", "stages", "checkpoint_minutes", "sample_every", "score_every", "cache_dir"),
        "overwrite",
    ),
    "machine": ("devices", "precision", "deterministic", "tf32", "jit"),
}


def define_flags() -> None:
    image_flags.define_flags("digits")
    flags.adopt_module_key_flags(image_flags)
    classifier_flags.define_flags()
    flags.adopt_module_key_flags(classifier_flags)
    flags.DEFINE_string(
        "preset",
        None,
        f"networks and settings: {', '.join(PRESETS)}; by default the data set's own",
    )
    flags.DEFINE_bool("list_presets", False, "print a table of the presets, then stop")
    flags.DEFINE_string("config", None, "a file of all settings, as --dry_run prints them")
    flags.DEFINE_string(
        "run_dir",
        None,
        "the run folder; by default runs/<preset>, runs/folder, or runs/<name of --encoder>",
    )
    flags.DEFINE_string(
        "encoder_from",
        None,
        "a run folder whose trained encoder is taken over, with its settings, in place of training "
        "one on the same images; cuts may differ",
    )
    flags.DEFINE_string(
        "labels",
        "given",
        "given: those of the images; none: the encoder is trained without, and samples are of no "
        "class; clusters:K: K clusters of such an encoder's features stand for classes",
    )
    flags.DEFINE_list("stages", None, "train these stages alone, as encoder,level0; by default all")
    flags.DEFINE_string(
        "cuts",
        None,
        "layers where the encoder is cut, bottom up, as pool2,fc3, or those of --encoder; none for "
        "one level; by default fc3",
    )
    flags.DEFINE_integer(
        "epochs",
        None,
        "epochs of every stage that has any, in place of the preset's; a finished run may be "
        "trained on",
        lower_bound=1,
    )
    flags.DEFINE_integer("seed", 0, "of weights, noise and the order of images")
    flags.DEFINE_enum(
        "precision",
        "auto",
        ["auto", *PRECISIONS],
        "what convolutions and large matrices compute in; auto: bfloat16 where the hardware does, "
        "or what the run was begun in",
    )
    flags.DEFINE_string("devices", "all", "number of GPUs, all, or cpu")
    flags.DEFINE_bool(
        "deterministic",
        True,
        "the same command gives the same weights, bit for bit, whether it was stopped or not; "
        "without it some kernels of GPUs are faster",
    )
    flags.DEFINE_bool("tf32", True, "compute float32 products in TF32 on GPUs that have it")
    flags.DEFINE_bool("jit", False, "compile the training step with XLA, on GPUs")
    flags.DEFINE_integer("sample_every", 5, "epochs between two sample grids", lower_bound=0)
    flags.DEFINE_integer(
        "score_every",
        0,
        "epochs between two measurements of 5,000 samples by the data set's judge, which is "
        "trained first: Fréchet distance, precision and recall, in metrics.jsonl; 0 for none",
        lower_bound=0,
    )
    judge_flags.define_flags()
    flags.adopt_module_key_flags(judge_flags)
    flags.DEFINE_float(
        "checkpoint_minutes", 5, "the most work that a killed process loses", lower_bound=0
    )
    flags.DEFINE_bool("overwrite", False, "start anew in a run folder that holds a run")
    flags.DEFINE_bool(
        "dry_run", False, "print the settings, the networks and the planned steps, then stop"
    )
    flags.DEFINE_multi_string(
        "set",
        [],
        "name=value, any setting that --dry_run lists, as levels.0.loss.lambda_ent=0; repeatable",
    )


def train() -> int | None:
    if FLAGS.list_presets:
        preset_table.list_presets()
        return None
    classifier_flags.check_flags()
    config = _config_of_images() if FLAGS.encoder and FLAGS.config is None else _config(_cuts())
    if FLAGS.encoder_from:
        config = transfer.with_encoder(config, FLAGS.encoder_from, FLAGS.set)
    if not FLAGS.encoder:
        _check_stages(config)
    image_flags.check_flags(config.dataset)
    # Checks without TensorFlow come first, so that errors show at once.
    if DATASETS[config.dataset].tfds or devices.several_machines():
        startup.import_tensorflow(config.image_size)
    strategy = devices.several_machines() and devices.strategy(FLAGS.devices)
    if not FLAGS.dry_run:  # its output is the settings alone
        logs.start_log()
    dataset = image_flags.load(config, _run_dir(config) / image_flags.CACHE)
    if FLAGS.encoder_from:
        transfer.check_images(FLAGS.encoder_from, dataset)
    tf = startup.import_tensorflow(config.image_size)
    from sgan_tf.models.build import check_config

    if FLAGS.jit and (FLAGS.devices == "cpu" or not tf.config.list_physical_devices("GPU")):
        raise app.UsageError("--jit: XLA is for GPUs, and none is used; CPUs are slower with it")
    set_arithmetic(FLAGS.deterministic, FLAGS.tf32, FLAGS.jit)
    classifier = encoder = None
    if FLAGS.encoder:
        dataset = dataset if FLAGS.class_names is None else dataset.named(FLAGS.class_names)
        kept = None if FLAGS.overwrite else _run_dir(config)
        classifier = classifier_flags.open_classifier(dataset, kept)
        if FLAGS.cuts is None and FLAGS.config is None:  # only with --dry_run; see check_flags
            classifier_flags.print_cuts(classifier, dataset, _config)
            return None
        encoder, config = _adapted(classifier, dataset, config)
        _check_stages(config)
    check_config(config)
    steps = steps_per_epoch(len(dataset.train_images), config.batch_size)
    config = dataclasses.replace(config, precision=_precision(config))
    if strategy:
        devices.check_batch(strategy, config.batch_size)
    strategy = strategy or devices.strategy(FLAGS.devices, config.batch_size)
    if FLAGS.dry_run:
        return _dry_run(config, dataset, encoder, steps)
    return _train(config, dataset, strategy, classifier, encoder)


def _adapted(classifier, dataset, config):
    """Returns a classifier as an `Encoder`, and the configuration that has it as the encoder."""
    if FLAGS.config is None:
        encoder, cuts, described = classifier.adapted(_cuts(), dataset)
        return encoder, _config(cuts, described)
    encoder, _, described = classifier.adapted(config.cuts, dataset)
    differences = config.differences(dataclasses.replace(config, classifier=described))
    if differences:
        raise app.UsageError(
            f"--encoder: {FLAGS.encoder} is not the classifier of {FLAGS.config} "
            f"({'; '.join(differences)})"
        )
    return encoder, config


def _check_stages(config):
    unknown = [name for name in FLAGS.stages or [] if name not in config.stages()]
    if unknown:
        raise app.UsageError(
            f"--stages: unknown stage '{unknown[0]}'; choose from {', '.join(config.stages())}"
        )


def _precision(config):
    """Returns the precision to train in. A run keeps its precision on every machine."""
    if FLAGS.precision != "auto":
        return FLAGS.precision
    from sgan_tf.runs.resume import read_config

    if FLAGS.config is not None and not FLAGS["precision"].present:
        return config.precision
    if (_run_dir(config) / "config.json").exists() and not FLAGS.overwrite:
        return read_config(_run_dir(config)).precision
    return best_precision()


def _cuts():
    if FLAGS.cuts in (None, "none"):
        return None if FLAGS.cuts is None else []
    return FLAGS.cuts.split(",")


def _config_of_images():
    """Returns a configuration of the images alone, for use before the classifier is open."""
    if FLAGS.dataset not in DATASETS:
        raise app.UsageError(
            f"--dataset: unknown data set '{FLAGS.dataset}'; choose from {', '.join(DATASETS)}"
        )
    side = FLAGS.image_size or DATASETS[FLAGS.dataset].side
    encoder = EncoderConfig(flip=bool(FLAGS.flip), epochs=0)
    return Config(dataset=FLAGS.dataset, image_size=side, encoder=encoder)


def _config(cuts, classifier=None):
    """Returns the configuration that the flags describe."""
    overrides = [*image_flags.overrides(), *FLAGS.set]
    if FLAGS.config is None:
        return make_config(
            FLAGS.dataset,
            FLAGS.preset,
            cuts,
            FLAGS.image_size,
            FLAGS.epochs,
            FLAGS.seed,
            overrides,
            classifier=classifier,
            labels=FLAGS.labels,
        )
    repeated = [name for name in SAID_BY_CONFIG if FLAGS[name].present]
    if repeated:
        raise app.UsageError(f"--{repeated[0]}: --config says it already; change it in the file")
    try:
        config = Config.from_json(pathlib.Path(FLAGS.config).read_text())
    except (ConfigError, UnicodeDecodeError) as error:
        raise app.UsageError(f"--config: {FLAGS.config} is {error}") from error
    if config.dataset not in DATASETS:
        raise app.UsageError(
            f"--config: unknown data set '{config.dataset}'; choose from {', '.join(DATASETS)}"
        )
    if config.classifier is not None and not FLAGS.encoder:
        raise app.UsageError(f"--config: {FLAGS.config} is of a classifier; name it with --encoder")
    return with_overrides(config, overrides, FLAGS.epochs)


def _run_dir(config):
    name = "folder" if config.dataset == "folder" else config.preset
    name = pathlib.Path(FLAGS.encoder).stem if FLAGS.encoder else name
    return pathlib.Path(FLAGS.run_dir or f"runs/{name}")


def _dry_run(config, dataset, encoder, steps):
    """Prints the configuration, and comments that --config skips."""
    from sgan_tf.models.build import build

    encoder, stack = build(config, dataset.image_shape, dataset.class_names, encoder=encoder)
    print(config.to_json(), end="")
    print(
        f"# {len(dataset.train_images)} training and {len(dataset.test_images)} test images, "
        f"{dataset.image_shape}, {dataset.num_classes} classes"
    )
    print(f"# E: {encoder.count_params():,} parameters; h_0 … h_N: {encoder.shapes}")
    for level in stack.levels:
        print(
            f"# level {level.index}: G {level.generator.count_params():,}, "
            f"D and Q {level.discriminator.count_params():,} parameters"
        )
    for name, epochs in config.stages().items():
        print(f"# {name}: {epochs} epochs of {steps} steps = {epochs * steps:,} steps")


def _train(config, dataset, strategy, classifier, encoder):
    from sgan_tf.runs.classifier_copy import write_copy
    from sgan_tf.runs.run import Run
    from sgan_tf.training.options import TrainingOptions
    from sgan_tf.training.pipeline import Pipeline
    from sgan_tf.training.workers import Workers

    path = _run_dir(config)
    keep_epochs = FLAGS.epochs is not None
    if FLAGS.encoder_from and pathlib.Path(FLAGS.encoder_from).resolve() == path.resolve():
        raise app.UsageError(f"--encoder_from: {path} is --run_dir itself; give another run")

    def open_run(writes):
        run = Run.open(path, config, FLAGS.overwrite, keep_epochs, writes)
        run.record_facts(dataset)
        if FLAGS.encoder_from:
            transfer.take_encoder(run, FLAGS.encoder_from, dataset)
        if classifier is not None:
            write_copy(run, classifier, encoder)
        return run

    workers = Workers(strategy)
    run = workers.open_run(open_run)
    log = logs.start_log(run.path / "log.txt" if workers.is_chief else None)
    if FLAGS.encoder_from:
        log.info("encoder: taken over from %s", FLAGS.encoder_from)
    if classifier is not None:
        log.info("encoder: %s, cut at %s", FLAGS.encoder, ", ".join(run.config.cuts) or "no layer")
    how = ", ".join(f"{name} {on}" for name, on in arithmetic().items())
    log.info("convolutions and large matrices are computed in %s; %s", run.config.precision, how)
    if workers.is_chief:
        dataset.keep(run.path / image_flags.CACHE)
    scoring = _scoring(run.config, dataset) if workers.is_chief else None
    signals = interrupts.stop_signals()  # before this there is nothing to save
    options = TrainingOptions(
        strategy,
        FLAGS.sample_every,
        FLAGS.checkpoint_minutes,
        stop=lambda: bool(signals),
        scoring=scoring,
    )
    pipeline = Pipeline(run.config, run, dataset, options=options)
    code = app.train_guarded(log, signals, lambda: pipeline.train(FLAGS.stages))
    if code:
        return code
    grids = sorted(run.path.glob("fakes_*_[0-9]*.png"), key=lambda path: path.stat().st_mtime)
    kind = ", ".join(filter(None, ["samples", rows_caption(dataset.num_classes)]))
    log.info("done: %s%s", run.path, f"; {kind}: {grids[-1]}" if grids else "")
    return 0


def _scoring(config, dataset):
    """Returns the `Scoring` of samples during training, or None without --score_every."""
    if not FLAGS.score_every:
        return None
    from sgan_tf.training.scores import Scoring

    reference = judge_flags.reference(dataset.description(), config.encoder.flip, lambda: dataset)
    return Scoring(reference, FLAGS.score_every)


def main() -> None:
    define_flags()
    app.run(train)


if __name__ == "__main__":
    main()
