"""Writes a trained run as a versioned artefact, whole or not at all."""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from sgan_tf.errors import UserError
from sgan_tf.files import PARTIAL
from sgan_tf.images import image_grid
from sgan_tf.run import Run, read_config

GRID_COLUMNS = 10  # of samples.png
FORMATS = ("savedmodel", "onnx", "litert")

# Run on what was written: plain TensorFlow, as in a program that has neither Keras nor this package.
_SAMPLE = """
import sys
sys.modules["keras"] = sys.modules["sgan_tf"] = None
import numpy as np, tensorflow as tf
model, rows, columns, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
labels, seeds = np.divmod(np.arange(rows * columns), columns)
images = tf.saved_model.load(model).signatures["sample_seeded"](labels=tf.constant(labels), seeds=tf.constant(seeds))["images"].numpy()
assert ((images >= 0) & (images <= 1)).all(), "an image lies outside [0, 1]"
np.save(out, images)
"""


class ExportError(UserError):
    """An export that cannot be made; the message says why."""


def export(
    run_dir, export_dir="exports", name=None, version=None, max_batch=1024, form="savedmodel"
):
    """Writes a finished run to `<export_dir>/<name>/<version>/`.

    The artefact is built aside, tried in a process of its own and then renamed, so that a server that watches the
    folder never sees half of it, however this process ends.

    Args:
        run_dir: A finished run folder.
        export_dir: Where exports are kept.
        name: Of the model; by default the run folder's name. Formats but `savedmodel` add theirs to it.
        version: Integer above 0; by default one more than the highest there.
        max_batch: Most rows of a request.
        form: One of `FORMATS`; all but `savedmodel` hold `decode` alone, without its checks.

    Returns:
        `(path, facts)`: the `pathlib.Path` of the new version, and its metadata.

    Raises:
        RunError: when the run folder is none, is not finished or is damaged.
        ExportError: when the version exists, the folder cannot be written, or what was written does not work.
    """
    config, target = check(run_dir, export_dir, name, version, max_batch, form)
    try:
        with _sole_writer(target), _aside(target) as partial:
            final = target / str(version or _next_version(target))
            facts = _write(run_dir, config, target.name, int(final.name), max_batch, form, partial)
            os.rename(partial, final)
    except OSError as error:
        raise ExportError(
            f"--export_dir: cannot write to {target}: {error.strerror or error}"
        ) from error
    return final, facts


def check(
    run_dir, export_dir="exports", name=None, version=None, max_batch=1024, form="savedmodel"
):
    """Raises what `export` would, as far as that shows without TensorFlow.

    Args:
        See `export`.

    Returns:
        `(config, target)`: the run's `Config`, and the folder of the versions.
    """
    config = read_config(run_dir)
    unfinished = Run(run_dir).unfinished(config)
    if unfinished:
        raise ExportError(
            f"--run_dir: {run_dir} is not finished: {', '.join(unfinished)}; run train.py again to resume it"
        )
    name = name or pathlib.Path(run_dir).resolve().name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ExportError(f"--name: '{name}' is not a name of letters, digits, '.', '_' and '-'")
    if max_batch < 1:
        raise ExportError(f"--max_batch: {max_batch} is not above 0")
    target = pathlib.Path(export_dir) / (name if form == "savedmodel" else f"{name}-{form}")
    if version is not None and version < 1:
        raise ExportError(f"--version: {version} is not above 0")
    if version is not None and (target / str(version)).exists():
        raise ExportError(
            f"--version: {target / str(version)} exists already; choose another number, or leave --version out for the next"
        )
    return config, target


def _write(run_dir, config, name, version, max_batch, form, path):
    from sgan_tf.serving.card import metadata, model_card
    from sgan_tf.serving.sampler import Sampler
    from sgan_tf.training.pipeline import load

    stack = load(run_dir)
    sampler = Sampler(stack, stack.class_names, max_batch)
    if form == "savedmodel":
        measured = _write_saved_model(sampler, name, path)
    else:
        from sgan_tf.serving import convert

        measured = {"parity": convert.write(sampler, form, path)}
    facts = {**metadata(run_dir, config, name, version, form, sampler), **measured}
    assets = path / "assets" if form == "savedmodel" else path
    assets.mkdir(exist_ok=True)
    (assets / "class_names.txt").write_text("".join(f"{c}\n" for c in stack.class_names))
    (assets / "metadata.json").write_text(json.dumps(facts, indent=2) + "\n")
    (assets / "README.md").write_text(model_card(facts))
    return facts


def _write_saved_model(sampler, name, path):
    import tensorflow as tf

    from sgan_tf.serving.warmup import write_warmup

    tf.saved_model.save(sampler, str(path), signatures=sampler.functions)
    write_warmup(sampler, name, path / "assets.extra" / "tf_serving_warmup_requests")
    columns = min(GRID_COLUMNS, sampler.max_batch)
    rows = min(len(sampler.class_names), sampler.max_batch // columns)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "images.npy")
        child = subprocess.run(
            [sys.executable, "-c", _SAMPLE, str(path), str(rows), str(columns), out],
            capture_output=True,
            text=True,
        )
        if child.returncode:
            raise ExportError(
                f"{path} does not load in a fresh process, so it was not kept: {child.stderr.strip().splitlines()[-1]}"
            )
        image_grid(np.load(out), columns, sampler.class_names[:rows]).save(
            path / "assets" / "samples.png"
        )
    return {"max_batch": sampler.max_batch}


@contextlib.contextmanager
def _sole_writer(target):
    """Keeps other exports to the same folder out."""
    target.mkdir(parents=True, exist_ok=True)
    with open(target / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportError(
                f"--export_dir: another export writes to {target}; wait for it"
            ) from error
        for leftover in target.glob(f"{PARTIAL}*"):  # of processes that were killed
            shutil.rmtree(leftover)
        yield


@contextlib.contextmanager
def _aside(target):
    # Servers pass over names that are no numbers.
    partial = pathlib.Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target))
    partial.chmod(0o755)  # the server may be another user
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _next_version(target):
    return max((int(p.name) for p in target.iterdir() if p.name.isdecimal()), default=0) + 1
