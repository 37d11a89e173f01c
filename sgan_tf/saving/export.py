"""Exports a trained run as a versioned artifact, whole or not at all."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from sgan_tf.config.schema import Config
from sgan_tf.config.validation import PRECISIONS
from sgan_tf.errors import UserError
from sgan_tf.runs.resume import read_config
from sgan_tf.runs.run import Run
from sgan_tf.saving.signatures import IMAGES, LABELS, SAMPLE_SEEDED, SEEDS
from sgan_tf.utils.files import PARTIAL, InUse, sole_writer
from sgan_tf.utils.images import MOST_CLASSES, class_rows, image_grid, png

GRID_COLUMNS = 10  # columns of samples.png
FORMATS = ("savedmodel", "onnx", "litert")
WARM_UP_FILE = "tf_serving_warmup_requests"  # the name that TF Serving expects
MODEL_FILES = {"onnx": "model.onnx", "litert": "model.tflite"}

# Tries the written SavedModel in plain TensorFlow, without Keras and this package.
_SAMPLE = f"""
import json, sys
sys.modules["keras"] = sys.modules["sgan_tf"] = None
import numpy as np, tensorflow as tf
model, rows, out = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
labels, seeds = (tf.constant(numbers, tf.int64) for numbers in rows)
sample = tf.saved_model.load(model).signatures["{SAMPLE_SEEDED}"]
images = sample({LABELS}=labels, {SEEDS}=seeds)["{IMAGES}"].numpy()
assert ((images >= 0) & (images <= 1)).all(), "an image lies outside [0, 1]"
np.save(out, images)
"""


class ExportError(UserError):
    """Raised if an export cannot be made. The message says why."""


@dataclasses.dataclass(frozen=True)
class ExportRequest:
    """Describes what is exported, and where it is written.

    Attributes:
        run_dir: String or path. A finished run folder, or with `as_is` any run folder.
        export_dir: String or path. The folder that holds all exports. Defaults to `"exports"`.
        name: String or None. Name of the model. All formats except `savedmodel` append `-` and
            their own name to it. Defaults to the name of the run folder.
        version: Integer above 0, or None. Defaults to one more than the highest existing version.
        max_batch: Integer. Largest number of rows in one request. Defaults to 1024.
        format: String. One of `FORMATS`. All except `savedmodel` hold only `decode`, without its
            checks. Defaults to `"savedmodel"`.
        as_is: Boolean. Whether stages that are not finished are exported from their last
            checkpoints; the model card names them. Defaults to False.
        precision: String. One of `PRECISIONS`, in which convolutions and large matrix products are
            computed. The weights are always float32. Formats other than `savedmodel` support only
            float32. Defaults to `"float32"`.
    """

    run_dir: str | os.PathLike
    export_dir: str | os.PathLike = "exports"
    name: str | None = None
    version: int | None = None
    max_batch: int = 1024
    format: str = "savedmodel"
    as_is: bool = False
    precision: str = "float32"

    @property
    def model(self) -> str:
        """String. The model's name."""
        return self.name or pathlib.Path(self.run_dir).resolve().name

    @property
    def target(self) -> pathlib.Path:
        """`pathlib.Path`. The folder that holds the versions."""
        suffix = "" if self.format == "savedmodel" else f"-{self.format}"
        return pathlib.Path(self.export_dir) / f"{self.model}{suffix}"

    def check(self) -> Config:
        """Checks the request without importing TensorFlow.

        Returns:
            The run's `Config`.

        Raises:
            RunError: If the run folder is not a run, or is damaged.
            ExportError: If the run is not finished, or an attribute is not valid.
        """
        config = read_config(self.run_dir)
        unfinished = Run(self.run_dir).unfinished(config)
        if unfinished and not self.as_is:
            raise ExportError(
                f"`run_dir`: {self.run_dir} is not finished: {', '.join(unfinished)}; run train.py "
                "again to resume it, or export it `as_is`"
            )
        if not re.fullmatch(r"\w[\w.-]*", self.model):
            raise ExportError(
                f"`name`: '{self.model}' is not a name of letters, digits, '.', '_' and '-'"
            )
        if self.max_batch < 1:
            raise ExportError(f"`max_batch`: {self.max_batch} is not above 0")
        for name, choices in (("format", FORMATS), ("precision", PRECISIONS)):
            if getattr(self, name) not in choices:
                raise ExportError(
                    f"`{name}`: '{getattr(self, name)}' is not one of {', '.join(choices)}"
                )
        if self.precision != "float32" and self.format != "savedmodel":
            raise ExportError(
                f"`precision`: {self.format} has no {self.precision} convolutions; choose float32, "
                "or `format` savedmodel"
            )
        if self.version is not None and self.version < 1:
            raise ExportError(f"`version`: {self.version} is not above 0")
        if self.version is not None and (self.target / str(self.version)).exists():
            raise ExportError(
                f"`version`: {self.target / str(self.version)} exists already; choose another "
                "number, or leave `version` out for the next"
            )
        return config

    def found(self) -> tuple[pathlib.Path, dict] | None:
        """Finds an existing export that already fulfills the request, without importing TensorFlow.

        Returns:
            `(path, metadata)` of the newest version if it holds the run's weights in the requested
            form and `version` is None; otherwise None. Older versions do not count: servers load
            the newest, so going back to an older one needs a new version.

        Raises:
            RunError: See `check`.
            ExportError: See `check`.
        """
        config = self.check()
        if self.version is not None or not self.target.is_dir():
            return None
        path = self.target / str(_next_version(self.target) - 1)
        folder = path / "assets" if self.format == "savedmodel" else path
        wanted = {"weights": Run(self.run_dir).weights(config), **self.form()}
        try:
            facts = json.loads((folder / "metadata.json").read_text())
            known = {"precision": "float32", **facts}  # version 0.1.0 did not write it
            same = all(known.get(key) == value for key, value in wanted.items())
        except (OSError, ValueError, TypeError):
            return None  # there is no version, or it is incomplete
        return (path, facts) if same else None

    def form(self) -> dict:
        """Returns the part of the metadata in which exports of the same weights differ, a dict."""
        limits = {"max_batch": self.max_batch} if self.format == "savedmodel" else {}
        return {"format": self.format, "precision": self.precision, **limits}


def export(
    run_dir: str | os.PathLike,
    export_dir: str | os.PathLike = "exports",
    *more: Any,
    **settings: Any,
) -> tuple[pathlib.Path, dict]:
    """Writes a trained run to `<export_dir>/<name>/<version>/`.

    If the newest existing version already holds the run's weights in the requested form, it is
    kept and no new version is written, unless `version` asks for one.

    The artifact is written to a temporary folder and then renamed, so that a server that watches
    the target folder never sees an incomplete version, however this process ends. A SavedModel is
    tried in a separate process before that.

    Args:
        run_dir: String or path. See `ExportRequest`.
        export_dir: String or path. See `ExportRequest`. Defaults to `"exports"`.
        *more: Further attributes of an `ExportRequest`, in their order.
        **settings: Further attributes of an `ExportRequest`, by name.

    Returns:
        `(path, facts)`: the `pathlib.Path` of the version that holds the run, and its metadata, a
        dict.

    Raises:
        RunError: If the run folder is not a run, or is damaged.
        ExportError: If the run is not finished, the version exists, the folder cannot be written,
            or the written SavedModel does not work.
        ConversionError: If the model cannot be converted to `format`.
    """
    from sgan_tf.saving.card import metadata

    request = ExportRequest(run_dir, export_dir, *more, **settings)
    config, target = request.check(), request.target
    with _sole_writer(target), _aside(target) as partial:
        if existing := request.found():
            return existing
        final = target / str(request.version or _next_version(target))
        module = _serving_module(request)
        facts = metadata(run_dir, config, target.name, int(final.name), request.format, module)
        facts |= request.form()
        if request.format == "savedmodel":
            _write_saved_model(module, facts, partial, target)
        else:
            _write_converted(module, facts, partial, target)
        with _writing_to(target):
            os.rename(partial, final)
    return final, facts


def _serving_module(request):
    from sgan_tf.saving.load import load_run
    from sgan_tf.saving.serving_module import ServingModule

    stack = load_run(request.run_dir, request.as_is, precision=request.precision)
    return ServingModule(stack, stack.class_names, request.max_batch)


def _write_saved_model(module, facts, path, target):
    import tensorflow as tf

    from sgan_tf.saving.warmup import write_warmup

    with _writing_to(target):
        try:
            tf.saved_model.save(module, str(path), signatures=module.functions)
            write_warmup(module, facts["name"], path / "assets.extra" / WARM_UP_FILE)
        except tf.errors.OpError as error:  # TensorFlow raises this if the disk is full
            if str(path) not in error.message:
                raise
            raise OSError(error.message.rpartition("; ")[2]) from error
        (path / "assets").mkdir(exist_ok=True)
    picture = png(_samples(module, path))
    with _writing_to(target):
        (path / "assets" / "samples.png").write_bytes(picture)
        _write_facts(facts, path / "assets")


def _write_converted(module, facts, path, target):
    from sgan_tf.saving.card import limits
    from sgan_tf.saving.convert import convert

    content, facts["parity"] = convert(module, facts["format"], limits(facts))
    with _writing_to(target):
        (path / MODEL_FILES[facts["format"]]).write_bytes(content)
        _write_facts(facts, path)


def _write_facts(facts, path):
    from sgan_tf.saving.card import model_card

    names = "".join(f"{name}\n" for name in facts["data"]["class_names"])
    (path / "class_names.txt").write_text(names)
    (path / "metadata.json").write_text(json.dumps(facts, indent=2) + "\n")
    (path / "README.md").write_text(model_card(facts))


def _samples(module, path):
    """Returns a grid of images, one row per class, that a new process drew from a SavedModel."""
    columns = min(GRID_COLUMNS, module.max_batch)
    most = min(MOST_CLASSES, module.max_batch // columns)
    labels, names = class_rows(module.class_names, most=most)
    labels = np.repeat(labels, columns)[: module.max_batch // columns * columns]
    seeds = np.arange(len(labels)) % (columns if names else len(labels))
    numbers = json.dumps([labels.tolist(), seeds.tolist()])
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "images.npy")
        child = subprocess.run(
            [sys.executable, "-c", _SAMPLE, str(path), numbers, out],
            capture_output=True,
            text=True,
        )
        if child.returncode:
            raise ExportError(
                f"{path} does not load in a fresh process, so it was not kept: "
                f"{(child.stderr.strip() or f'exit code {child.returncode}').splitlines()[-1]}"
            )
        return image_grid(np.load(out), columns, names)


@contextlib.contextmanager
def _writing_to(target):
    """Turns file system errors in `target` into an `ExportError`; errors elsewhere pass through."""
    try:
        yield
    except OSError as error:
        place = os.path.abspath(target)
        file = os.path.abspath(error.filename or target)
        if os.path.commonpath([place, file]) not in (place, file):
            raise
        raise ExportError(
            f"`export_dir`: cannot write to {target}: {error.strerror or error}"
        ) from error


@contextlib.contextmanager
def _sole_writer(target):
    """Locks the folder against other exports, and removes what killed exports left there."""
    with contextlib.ExitStack() as held:
        try:
            with _writing_to(target):
                target.mkdir(parents=True, exist_ok=True)
                held.enter_context(sole_writer(target / ".lock"))
                for leftover in target.glob(f"{PARTIAL}*"):
                    shutil.rmtree(leftover)
        except InUse as holder:
            raise ExportError(
                f"`export_dir`: another export writes to {target} ({holder}); wait for it"
            ) from holder
        yield


@contextlib.contextmanager
def _aside(target):
    # Servers ignore folders whose names are not numbers.
    with _writing_to(target):
        partial = pathlib.Path(tempfile.mkdtemp(prefix=PARTIAL, dir=target))
        partial.chmod(0o755)  # the server may run as another user
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _next_version(target):
    return max((int(p.name) for p in target.iterdir() if p.name.isdecimal()), default=0) + 1
