"""The description of an artifact: metadata for programs, and a model card for people."""

import dataclasses
import os
import pathlib
import shutil
import subprocess

import numpy as np

from sgan_tf.config.schema import Config
from sgan_tf.data import datasets
from sgan_tf.evaluation.metrics import read
from sgan_tf.models.noise import NOISE
from sgan_tf.runs.run import Run
from sgan_tf.saving import signatures
from sgan_tf.saving.load import training_facts
from sgan_tf.saving.serving_module import ServingModule
from sgan_tf.utils.images import MOST_CLASSES, rows_caption

USE = """\
## Intended use and limits

For research, teaching and tests that need synthetic images of these classes. It knows nothing
outside its data set, repeats that data set's biases, may reproduce details of training images, and
must not be passed off as real data. Images of a class that is rare in the data are worse.
"""
# What each format does with inputs outside the allowed range.
OTHERS = {
    "savedmodel": "Other labels, and noise that is not finite, are refused.",
    "onnx": "Higher labels are an error of the runtime, and negative ones count from the last "
    "class; noise is not checked.",
    "litert": "Other labels are an error of the runtime; noise is not checked.",
}


def metadata(
    run_dir: str | os.PathLike,
    config: Config,
    name: str,
    version: int,
    format: str,
    module: ServingModule,
) -> dict:
    """Returns the content of an export's `metadata.json`.

    Args:
        run_dir: String or path. The run that is exported.
        config: `Config`. The run's configuration.
        name: String. Name of the export.
        version: Integer. Version of the export.
        format: String. Format of the export; see `ExportRequest`.
        module: `ServingModule`. The run's signatures.

    Returns:
        Dict of plain values: the configuration, data set, metrics, versions, stages that are not
        finished, signatures, and the allowed inputs.

    Raises:
        RunError: If a file of the run is missing or damaged.
    """
    shapes = {
        name: {
            "inputs": _shapes(function.structured_input_signature[1]),
            "outputs": _shapes(function.structured_outputs),
        }
        for name, function in module.functions.items()
    }
    offered = shapes if format == "savedmodel" else [signatures.DECODE]
    return {
        "name": name,
        "version": version,
        "format": format,
        **training_facts(Run(run_dir), config),
        "commit": _commit(),
        "signatures": {name: shapes[name] for name in offered},
        "inputs": {
            "labels": f"integers in [0, {len(module.class_names)}), in the order of the classes",
            "noise": _noise(config),
        },
        "config": dataclasses.asdict(config),
    }


def _noise(config):
    """Describes the noise of each level, or of all levels at once if it is the same."""
    texts = [NOISE[level.noise].text for level in config.levels]
    named = [f"z{i} {text}" for i, text in enumerate(texts)]
    return texts[0] if len(set(texts)) == 1 else ", ".join(named)


def _shapes(tensors):
    return {name: f"{t.dtype.name} [{_sides(t.shape)}]" for name, t in sorted(tensors.items())}


def _sides(shape):
    return ", ".join("N" if side is None else str(side) for side in shape)


def _commit():
    """Returns the commit of this package if it runs from its git checkout, otherwise None."""
    root = pathlib.Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or not shutil.which("git"):
        return None
    done = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True
    )
    return done.stdout.strip() or None


def limits(facts: dict) -> str:
    """Describes the allowed inputs of an export, and what happens to others, in one paragraph.

    Args:
        facts: Dict. The metadata that `metadata` returned.

    Returns:
        String. The paragraph; empty for an export of version 0.1.0, which does not say.
    """
    if "inputs" not in facts:  # written by version 0.1.0
        return ""
    labels, noise = facts["inputs"]["labels"], facts["inputs"]["noise"]
    return f"Labels are {labels}; noise (z0, z1, …) is {noise}. {OTHERS[facts['format']]}"


def model_card(facts: dict) -> str:
    """Returns the model card (Mitchell et al., 2019) of an export as Markdown.

    Args:
        facts: Dict. The metadata that `metadata` returned.
    """
    data = facts["data"]
    commit = f" (commit {facts['commit'][:12]})" if facts["commit"] else ""
    offered = [
        (f"`{name}`", _listed(s["inputs"]), _listed(s["outputs"]))
        for name, s in facts["signatures"].items()
    ]
    written_by = f"sgan_tf {facts['versions']['sgan_tf']}{commit}"
    return f"""# {facts["name"]}, version {facts["version"]}

{_about(data["image_shape"], data["class_names"], written_by)}

{_unfinished(facts)}{_picture(facts)}{_data(facts["config"], data)}

{_training(facts["config"], facts)}
## Signatures

{_computed(facts)}{_table(("signature", "inputs", "outputs"), offered)}

{limits(facts)}

{USE}"""


def saved_card(name: str, config: Config, metadata: dict, differences: np.ndarray) -> str:
    """Returns the model card of a saved stack as Markdown.

    Args:
        name: String. Name of the stack.
        config: `Config`. The configuration from which the stack is built.
        metadata: Dict. The metadata that `stack_folder.write` returned.
        differences: `np.ndarray` `[N, H, W, C]`. Absolute differences in [0, 1] between samples
            from the original weights and from the written weights.
    """
    training, plain = metadata["training"], dataclasses.asdict(config)
    known = f"\n\n{_training(plain, training)}" if "metrics" in training else "\n"
    written_by = f"sgan_tf {metadata['versions']['sgan_tf']}"
    measured = training.get("metrics", {}).get("evaluation")
    asked = "[0, 1]" if len(metadata["class_names"]) > 1 else "count=2"
    scored = "Scores were measured before it." if measured else "Its samples have no scores yet."
    return f"""# {name}

{_about(metadata["image_shape"], metadata["class_names"], written_by)}

```python
import sgan_tf

stack = sgan_tf.load("{name}")  # or the path of this folder, or hf://user/name
images = stack.sample({asked}, seed=1)
```

{_unfinished(training)}{_data(plain, training.get("data"))}{known}
{_commands(name, training)}

## Weights

What sampling, decoding and inferring noise read, without the discriminators' last layers, in
{metadata["weights"]["dtype"]}: {metadata["weights"]["bytes"]:,} bytes. By the rounding from float32
the pixels of {len(differences)} samples differ by {255 * differences.mean():.2g} of 255 in the mean
and by {255 * differences.max():.2g} at the most. {scored}

{USE}"""


def _commands(name, training):
    """Returns the commands that train and evaluate such a stack."""
    evaluation = training.get("metrics", {}).get("evaluation", {})
    settings = [f"--{name} {value}" for name, value in evaluation.get("settings", {}).items()]
    return f"""\
## Commands

```
python train.py --config config.json --run_dir runs/{name}
python evaluate.py {" ".join([f"--run_dir runs/{name}", *settings])}
```"""


def _about(image_shape, class_names, written_by):
    height, width, channels = image_shape
    rest = len(class_names) - MOST_CLASSES
    names = ", ".join(class_names[:MOST_CLASSES]) + (f" and {rest:,} more" if rest > 0 else "")
    kind, classes = "A label-conditioned", f" in {len(class_names)} classes:\n{names}"
    if len(class_names) == 1:
        kind, classes = "An unconditional", ", without labels"
    return f"""\
{kind} sampler of images: a stacked GAN (Huang et al., *Stacked Generative Adversarial
Networks*, CVPR 2017), written by {written_by}. It generates
{height} x {width} images with {channels} channel(s){classes}."""


def _data(config, data):
    """Describes the training images, with their number if it is known."""
    about = datasets.info(config["dataset"])
    counts = ""
    if data:
        trained, tested = f"{data['train_images']:,}", f"{data['test_images']:,}"
        counts = f";\n{trained} images were trained on, {tested} kept for testing"
    return f"""\
## Data

{about.title[0].upper() + about.title[1:]}{counts}.
Licence of the data: {about.licence}."""


def _training(config, facts):
    metrics = facts["metrics"]
    notes = f"\n{facts['notes']}\n" if facts.get("notes") else ""
    stages = [(name, line["epoch"], _values(line)) for name, line in metrics["last_epoch"].items()]
    return f"""\
## Training

Preset `{config["preset"]}`, seed {config["seed"]}, encoder cut at
{", ".join(config["cuts"]) or "no layer"}, batches of {config["batch_size"]}.
{_encoder(metrics["encoder"])} The last epoch of each stage:

{_table(("stage", "epoch", "means"), stages)}
{notes}{_scores(metrics)}"""


def _encoder(facts):
    """Describes in one sentence how the encoder was trained."""
    if "test_accuracy" in facts:
        return f"The encoder's test accuracy is {facts['test_accuracy']}."
    purity = f"; the purity of its clusters is {facts['purity']}" if "purity" in facts else ""
    return f"The encoder was trained without labels, by {facts['objective']}{purity}."


def _unfinished(facts):
    stages = facts.get("unfinished")  # version 0.1.0 did not write it
    if not stages:
        return ""
    return f"**Its training was not finished.** Stages cut short: {', '.join(stages)}.\n\n"


def _computed(facts):
    precision = facts.get("precision")  # version 0.1.0 did not write it
    if not precision:
        return ""
    return f"Convolutions and large matrices compute in {precision}; weights are float32.\n\n"


def _picture(facts):
    if facts["format"] != "savedmodel":
        return ""
    rows = rows_caption(len(facts["data"]["class_names"]))
    return f"![Samples{rows and f', {rows}'}](samples.png)\n\n"


def _scores(metrics):
    evaluation = metrics.get("evaluation", {})
    scores = read(evaluation.get("samples", {}))
    if not scores:
        return ""
    precision = evaluation.get("settings", {}).get("precision", "float32")
    rows = [
        (f"`{score.name}`", f"{score.value:.4g}")
        for score in scores
        if score.class_name is None  # scores of single classes are in the report
    ]
    table = _table(("score", "value"), rows)
    return f"\nScores of its samples in {precision}, by `evaluate.py`:\n\n{table}\n"


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _values(line):
    return ", ".join(
        f"{name} {value:.4g}"
        for name, value in line.items()
        if name not in ("stage", "epoch", "step", "seconds")
    )


def _listed(shapes):
    return ", ".join(f"`{name}` {shape}" for name, shape in shapes.items())
