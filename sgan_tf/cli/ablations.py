"""Train and score the six rows of the paper's Table 1: SGAN, SGAN-no-joint and four DCGANs.

    sgan-ablations --preset digits --out runs/ablations --seeds 3
    sgan-ablations --dataset folder --data_dir photos/ --image_size 64

Rows share data, seed and encoder; the same command again resumes. Writes table.md, table.json and
figure5.png.
"""

import json
import pathlib

from absl import flags

from sgan_tf.cli import app, devices, image_flags, interrupts, judge_flags, logs, startup
from sgan_tf.config.presets import PRESETS
from sgan_tf.evaluation.ablations import ROWS, markdown, row_config, shared_stages, summarize
from sgan_tf.utils.arithmetic import set_arithmetic

FLAGS = flags.FLAGS


def define_flags() -> None:
    image_flags.define_flags(None)
    flags.adopt_module_key_flags(image_flags)
    flags.DEFINE_string(
        "preset",
        None,
        f"networks and settings: {', '.join(PRESETS)}; by default the data set's own, or digits",
    )
    flags.DEFINE_string("out", "runs/ablations", "folder of the runs and the table")
    flags.DEFINE_list("rows", None, f"of {', '.join(row.folder for row in ROWS)}; by default all")
    flags.DEFINE_integer("seeds", 1, "runs of each row, with seeds 0, 1, …", lower_bound=1)
    flags.DEFINE_integer(
        "epochs", None, "epochs of every stage, in place of the preset's", lower_bound=1
    )
    flags.DEFINE_multi_string(
        "set", [], "name=value, as for train.py; what a row lacks is left out there"
    )
    flags.DEFINE_integer("samples", 10_000, "samples to score", lower_bound=1)
    judge_flags.define_flags()
    flags.adopt_module_key_flags(judge_flags)
    flags.DEFINE_string("devices", "all", "number of GPUs, all, or cpu")


def ablations() -> int:
    from sgan_tf.evaluation.protocol import check_samples

    configs = {(row, seed): _config(row, seed) for seed in range(FLAGS.seeds) for row in _rows()}
    any_config = next(iter(configs.values()))  # they differ only in what makes a row
    image_flags.check_flags(any_config.dataset)
    out = pathlib.Path(FLAGS.out)
    startup.import_tensorflow(any_config.image_size)
    logs.start_log()
    dataset = image_flags.load(any_config, out / image_flags.CACHE)
    check_samples(FLAGS.samples, dataset.num_classes)
    set_arithmetic()
    strategy = devices.strategy(FLAGS.devices, any_config.batch_size)
    out.mkdir(parents=True, exist_ok=True)
    dataset.keep(out / image_flags.CACHE)
    log = logs.start_log(out / "log.txt")
    signals = interrupts.stop_signals()
    return app.train_guarded(
        log, signals, lambda: _train_and_score(configs, dataset, strategy, out, log, signals)
    )


def _config(row, seed):
    preset = FLAGS.preset or (None if FLAGS.dataset else "digits")
    if preset and preset not in PRESETS:
        raise app.UsageError(
            f"--preset: unknown preset '{preset}'; choose from {', '.join(PRESETS)}"
        )
    return row_config(
        row,
        FLAGS.dataset or str(preset).split("-")[0],
        preset,
        seed,
        [*image_flags.overrides(), *FLAGS.set],
        FLAGS.epochs,
        FLAGS.image_size,
    )


def _rows():
    folders = [row.folder for row in ROWS]
    unknown = set(FLAGS.rows or []) - set(folders)
    if unknown:
        raise app.UsageError(
            f"--rows: unknown row '{min(unknown)}'; choose from {', '.join(folders)}"
        )
    return [row for row in ROWS if FLAGS.rows is None or row.folder in FLAGS.rows]


def _train_and_score(configs, dataset, strategy, out, log, signals):
    from sgan_tf.evaluation import figures
    from sgan_tf.runs.run import Run

    any_config = next(iter(configs.values()))
    flip = any_config.encoder.flip
    reference = judge_flags.reference(dataset.description(), flip, lambda: dataset)
    log.info("judge: test accuracy %.4f", reference.judge_accuracy)
    results: dict = {}
    pictures: dict = {}
    for (row, seed), config in configs.items():
        run = Run.open(out / f"{row.folder}-seed{seed}", config)
        log.info("%s, seed %d: %s", row.name, seed, run.path)
        finished = [
            (other, Run(out / f"{before.folder}-seed{number}"))
            for (before, number), other in configs.items()
            if number == seed and ROWS.index(before) < ROWS.index(row)
        ]
        stack = _train(config, run, dataset, strategy, finished, signals)
        results.setdefault(row.name, []).append(_score(config, run, stack, reference))
        if seed == 0:
            pictures[row.name] = figures.samples(stack)
        run.close()
    _write(Run(out), any_config, results, figures.panels(pictures))


def _train(config, run, dataset, strategy, finished, signals):
    """Trains the stages that no other run has trained to the same weights; returns the stack."""
    from sgan_tf.saving.load import load_run
    from sgan_tf.training.options import TrainingOptions
    from sgan_tf.training.pipeline import Pipeline

    for other, source in finished:
        run.adopt(
            source, [stage for stage in shared_stages(config, other) if stage in config.stages()]
        )
    options = TrainingOptions(strategy, sample_every=0, stop=lambda: bool(signals))
    Pipeline(config, run, dataset, options=options).train()
    return load_run(run.path)


def _score(config, run, stack, reference):
    """Returns the facts of the run's evaluation, read from its folder if they are there."""
    from sgan_tf.evaluation.evaluate import EvaluationOptions, evaluate_run, save_facts

    path = run.path / "evaluation" / "metrics.json"
    if path.exists():
        facts = run.read_facts("evaluation/metrics.json")
        same = facts.get("weights") == run.weights(config)
        settings = {"precision": "float32", **facts["settings"]}  # version 0.1.0 wrote no precision
        if same and settings == {"samples": FLAGS.samples, "seed": 0, "precision": "float32"}:
            return facts
    options = EvaluationOptions(FLAGS.samples, progress=logs.progress)
    facts = evaluate_run(run, config, stack, reference, options)
    save_facts(run.path / "evaluation", facts)
    return facts


def _write(folder, config, results, figure5):
    """Writes and prints the table. `folder` is a `Run`, whose writes are atomic."""
    table = summarize(results)
    settings = {name: getattr(config, name) for name in ("dataset", "preset", "image_size")}
    settings |= {name: FLAGS[name].value for name in ("seeds", "epochs", "set", "samples")}
    cells = {
        name: {title: {"mean": m, "std": s} for title, (m, s) in values.items()}
        for name, values in table.items()
    }
    runs = {
        name: [{"samples": facts["samples"], "run": facts["run"]} for facts in seeds]
        for name, seeds in results.items()
    }
    facts = {"command": settings, "table": cells, "runs": runs}
    folder.write("table.json", json.dumps(facts, indent=2) + "\n")
    folder.write("table.md", markdown(table, FLAGS.seeds))
    folder.save_png("figure5.png", figure5)
    print(f"{markdown(table, FLAGS.seeds)}{folder.path}/table.md, table.json, figure5.png")


def main() -> None:
    define_flags()
    app.run(ablations)


if __name__ == "__main__":
    main()
