"""What travels with an artefact: metadata for programs, a model card for people."""

import dataclasses
import json
import pathlib
import subprocess

from sgan_tf.run import Run

DATA = {  # what the data set is, and its licence
    "digits": (
        "1,797 handwritten digits of 8 x 8 pixels (UCI Optical Recognition of Handwritten Digits, as in scikit-learn)",
        "CC BY 4.0",
    ),
    "mnist": (
        "70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges)",
        "CC BY-SA 3.0",
    ),
    "svhn": (
        "cropped digits of house numbers in street photographs (Netzer et al., 2011)",
        "non-commercial use only, by its authors' terms",
    ),
    "cifar10": (
        "60,000 photographs of 32 x 32 pixels in ten classes (Krizhevsky, 2009)",
        "none stated by its authors; cite the technical report",
    ),
    "folder": ("a folder of images", "as the owner of the images says"),
}


def metadata(run_dir, config, name, version, form, sampler):
    """Returns what `metadata.json` holds: configuration, data set, metrics, versions and signatures of an export."""
    run = Run(run_dir)
    last = {}
    for line in run.read_metrics():
        last[line["stage"]] = line
    metrics = {"encoder": json.loads((run.path / "encoder.json").read_text()), "last_epoch": last}
    scores = run.path / "evaluation" / "metrics.json"
    if scores.exists():
        metrics["evaluation"] = json.loads(scores.read_text())
    signatures = {
        signature: {
            "inputs": _shapes(function.structured_input_signature[1]),
            "outputs": _shapes(function.structured_outputs),
        }
        for signature, function in sampler.functions.items()
    }
    return {
        "name": name,
        "version": version,
        "format": form,
        "data": json.loads((run.path / "data.json").read_text()),
        "metrics": metrics,
        "versions": json.loads((run.path / "versions.json").read_text()),
        "commit": _commit(),
        "signatures": signatures if form == "savedmodel" else {"decode": signatures["decode"]},
        "config": dataclasses.asdict(config),
    }


def _shapes(tensors):
    return {
        name: f"{tensor.dtype.name} [{', '.join('N' if side is None else str(side) for side in tensor.shape)}]"
        for name, tensor in sorted(tensors.items())
    }


def _commit():
    """Returns the commit of this package when it is run from its git checkout, else None."""
    root = pathlib.Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    done = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True
    )
    return done.stdout.strip() or None


def model_card(facts):
    """Returns the model card (Mitchell et al., 2019) of an export as Markdown.

    Args:
        facts: What `metadata` returned.
    """
    config, data = facts["config"], facts["data"]
    about, licence = DATA[config["dataset"]]
    height, width, channels = data["image_shape"]
    stages = "\n".join(
        f"| {stage} | {line['epoch']} | {_values(line)} |"
        for stage, line in facts["metrics"]["last_epoch"].items()
    )
    signatures = "\n".join(
        f"| `{name}` | {_listed(s['inputs'])} | {_listed(s['outputs'])} |"
        for name, s in facts["signatures"].items()
    )
    scores = facts["metrics"].get("evaluation", {}).get("samples", {})
    measured = "\n".join(f"| `{name}` | {value:.4g} |" for name, value in scores.items())
    scores = (
        f"\nScores of its samples, by `evaluate.py`:\n\n| score | value |\n|---|---|\n{measured}\n"
        if measured
        else ""
    )
    picture = (
        "![Samples, a row a class](samples.png)\n\n" if facts["format"] == "savedmodel" else ""
    )
    commit = f" (commit {facts['commit'][:12]})" if facts["commit"] else ""
    return f"""# {facts["name"]}, version {facts["version"]}

A label-conditioned sampler of images: a stacked GAN (Huang et al., *Stacked Generative Adversarial Networks*, CVPR 2017), written
by sgan_tf {facts["versions"]["sgan_tf"]}{commit}. It generates {height} x {width} images with {channels} channel(s)
in {len(data["class_names"])} classes: {", ".join(data["class_names"])}.

{picture}## Data

{about[0].upper() + about[1:]}; {data["train_images"]:,} images were trained on, {data["test_images"]:,} kept for testing. Licence of the data: {licence}.

## Training

Preset `{config["preset"]}`, seed {config["seed"]}, encoder cut at {", ".join(config["cuts"]) or "no layer"}, batches of {config["batch_size"]}.
The encoder's test accuracy is {facts["metrics"]["encoder"]["test_accuracy"]}. The last epoch of each stage:

| stage | epoch | means |
|---|---|---|
{stages}
{scores}
## Signatures

| signature | inputs | outputs |
|---|---|---|
{signatures}

## Intended use and limits

For research, teaching and tests that need synthetic images of these classes. It knows nothing outside its data set, repeats that data
set's biases, may reproduce details of training images, and must not be passed off as real data. Images of a class that is rare in the
data are worse.
"""


def _values(line):
    return ", ".join(
        f"{name} {value:.4g}"
        for name, value in line.items()
        if name not in ("stage", "epoch", "step", "seconds")
    )


def _listed(shapes):
    return ", ".join(f"`{name}` {shape}" for name, shape in shapes.items())
