"""Classifiers of one's own as encoders: where they come from, and their copy in a run folder."""

import contextlib
import dataclasses
import difflib
import functools
import hashlib
import importlib
import inspect
import io
import json
import os
import pathlib
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence

import keras
import numpy as np

from sgan_tf.config.schema import ClassifierConfig
from sgan_tf.config.validation import INPUT_RANGES, ConfigError
from sgan_tf.models.build import build
from sgan_tf.models.encoder.adapters import ExpectedImages, candidates
from sgan_tf.models.encoder.classifier_graph import REFUSALS, ClassifierError, Cut, brief
from sgan_tf.models.encoder.encoder import Encoder
from sgan_tf.runs.run import Run, RunError

FILE = "classifier.keras"  # in a run folder
ADAPT_IMAGES = 5000  # on which features are measured, at the most
ASKED = 8  # images that tell whether two models of the same weights are one
# What Keras raises for files that are damaged, of other versions, or of classes it does not know.
UNREADABLE = (*REFUSALS, KeyError, IndexError, OSError, zipfile.BadZipFile)


@dataclasses.dataclass
class Classifier:
    """A Keras classifier that is to be inverted.

    Attributes:
        model: It, built.
        source: What it is called in messages.
        content: The bytes of its `.keras` file.
        input_range: What it expects of images; see `Encoder.from_keras`.
        custom_objects: `module:name` of layers of its own.
    """

    model: keras.Model
    source: str
    content: bytes
    input_range: str = "0..1"
    custom_objects: Sequence[str] = ()

    @classmethod
    def of_file(cls, path: str | os.PathLike, input_range="0..1", custom_objects=()):
        """Reads a `.keras` file; code that lies in it is not run.

        Raises:
            ConfigError: when it is none, cannot be read, or would run code.
        """
        objects = dict(_imported(name) for name in custom_objects)
        try:
            content = pathlib.Path(path).read_bytes()
        except OSError as error:
            raise ConfigError(f"`encoder`: {path} cannot be read ({error.strerror})") from error
        model = _read(path, content, objects)
        return cls(model, str(path), content, input_range, list(custom_objects))

    @classmethod
    def of_model(cls, model, input_range: str | Callable = "0..1", image_shape=None):
        """Takes a copy of a model of this program; it stays as it is, trainable or not.

        Args:
            model: A Keras model, whose custom layers have to be registered with Keras.
            input_range: As in `Encoder.from_keras`; a function becomes part of the copy.
            image_shape: `(H, W, C)` of the images that such a function takes; by default the
                model's.
        """
        content = _written(model)
        model = _read("the model", content, {})
        if callable(input_range):
            encoder = Encoder.from_keras(model, (), input_range, image_shape)
            model, input_range = encoder.stages[0], "0..1"
            content = _written(model)
        return cls(model, "the model", content, input_range)

    @classmethod
    def of_name(cls, name: str, weights: str, image_shape, num_classes: int, input_range=None):
        """Makes a model of `keras.applications`.

        Args:
            name: As `mobilenet_v2`.
            weights: Path of a file of its weights, for images of `image_shape` and `num_classes`
                classes; or `imagenet`, which Keras downloads.
            image_shape, num_classes: Of the images.
            input_range: By default the model's own.

        Raises:
            ConfigError: when there is no such model, or its weights cannot be had.
        """
        make, own_range = _application(name)
        height, width, _ = image_shape
        settings = {"input_shape": (max(height, 32), max(width, 32), 3), "classes": num_classes}
        settings = {} if weights == "imagenet" else settings
        if settings and not pathlib.Path(weights).is_file():
            raise ConfigError(f"`encoder_weights`: {weights} is no file, nor imagenet")
        try:
            with warnings.catch_warnings(action="ignore"):  # a line for every layer that misfits
                model = make(weights=weights, **settings)
        except Exception as error:  # whatever the network stack and HDF5 raise
            raise ConfigError(
                f"`encoder_weights`: {name} cannot have the weights {weights} ({brief(error)})"
            ) from error
        return cls(model, name, _written(model), input_range or own_range)

    def candidates(self, image_shape) -> list[Cut]:
        """Returns where it can be cut, bottom up."""
        with self._named():
            return candidates(self.model, self.input_range, image_shape)

    def encoder(self, cuts, image_shape, activations=None) -> Encoder:
        """Returns it as an `Encoder`."""
        with self._named():
            return Encoder.from_keras(
                self.model, cuts, self.input_range, image_shape, activations, name="encoder"
            )

    def adapted(self, cuts: Sequence[str], dataset) -> tuple[Encoder, list[str], ClassifierConfig]:
        """Fits it to a data set.

        Args:
            cuts: Names of its layers, in any order.
            dataset: An `ImageDataset`.

        Returns:
            The encoder, its features measured; the cuts, bottom up; what a `Config` holds of it.

        Raises:
            ConfigError: as `Encoder.from_keras` and `Encoder.adapt` do, and where its classes are
                not as many as the data set's.
        """
        encoder = self.encoder(cuts, dataset.image_shape)
        if encoder.num_classes != dataset.num_classes:
            raise ConfigError(
                f"`encoder`: {self.source} has {encoder.num_classes} classes, and the images have "
                f"{dataset.num_classes}"
            )
        images = dataset.train_images
        with self._named():
            encoder.adapt(images[:: -(-len(images) // ADAPT_IMAGES)])
        described = ClassifierConfig(
            sha256=hashlib.sha256(self.content).hexdigest(),
            input_range=self.input_range,
            custom_objects=list(self.custom_objects),
            shapes=[list(shape) for shape in encoder.shapes[:-1]],
            activations=encoder.activations,
        )
        return encoder, encoder.cuts, described

    def as_kept(self, run_dir: str | os.PathLike, dataset) -> "Classifier":
        """Returns it with the bytes of a run's copy, where that has its weights and its answers.

        A model that is made twice makes two files, as Keras numbers its names anew.

        Args:
            run_dir: The run folder, which need not exist.
            dataset: An `ImageDataset`, some of whose images both are asked about.
        """
        path = pathlib.Path(run_dir) / FILE
        if not path.exists():
            return self
        content = path.read_bytes()
        kept = dataclasses.replace(self, model=_read(path, content, {}), content=content)
        theirs, own = kept.model.get_weights(), self.model.get_weights()
        if len(theirs) != len(own) or not all(map(np.array_equal, theirs, own)):
            return self
        images = dataset.train_images[:ASKED]
        answers = [c.encoder((), dataset.image_shape)(images) for c in (kept, self)]
        return kept if np.allclose(*answers, rtol=1e-4, atol=1e-4) else self

    def place(self, run: Run, encoder: Encoder):
        """Leaves it in a run folder: its file, and the encoder as a finished stage.

        Args:
            run: The opened `Run`, of a configuration with this classifier.
            encoder: What `adapted` returned.
        """
        checkpoint, path = run.checkpoint("encoder"), run.path / FILE
        if run.writes and not (path.exists() and path.read_bytes() == self.content):
            run.write(FILE, self.content)
        if run.writes and not checkpoint.path.exists():
            checkpoint.save(encoder.networks(), 0, done=True, config=run.config.to_json())

    @contextlib.contextmanager
    def _named(self):
        try:
            yield
        except ClassifierError as error:
            raise ConfigError(f"`encoder`: {self.source}: {error}") from error


def builder(run: Run) -> Callable:
    """Returns what makes the networks of a run: `build`, around its classifier where it has one."""

    @functools.wraps(build)
    def networks(config, image_shape, class_names, mean=None, joint=False):
        encoder, given = None, config.classifier
        if given is not None:
            path = run.path / FILE
            classifier = Classifier.of_file(path, given.input_range, given.custom_objects)
            if hashlib.sha256(classifier.content).hexdigest() != given.sha256:
                raise RunError(
                    f"`run_dir`: {path} is not the file that the run was begun with (its SHA-256 "
                    "is another); put that back"
                )
            encoder = classifier.encoder(config.cuts, image_shape, given.activations)
        return build(config, image_shape, class_names, mean, joint, encoder)

    return networks


def _read(path, content, custom_objects):
    """Returns the model of the bytes of a `.keras` file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            version = json.loads(archive.read("metadata.json")).get("keras_version", "unknown")
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ConfigError(
            f"`encoder`: {path} is no .keras file; write one with model.save('name.keras')"
        ) from error
    try:
        with keras.saving.custom_object_scope(custom_objects), _as_file(content) as file:
            return keras.saving.load_model(file, compile=False, safe_mode=True)
    except UNREADABLE as error:
        text = str(error)
        if "safe_mode" in text or "unsafe" in text.lower():
            raise ConfigError(
                f"`encoder`: {path} holds code, as of a Lambda layer, which is not run; write a "
                "layer in its place, and name it by `custom_objects`"
            ) from error
        if "Could not locate" in text:
            raise ConfigError(
                f"`encoder`: {path} has layers that Keras does not know; name them by "
                f"`custom_objects`, as module:name ({brief(error)})"
            ) from error
        raise ConfigError(
            f"`encoder`: {path} cannot be read; it was written by Keras {version}, here is "
            f"{keras.__version__} ({brief(error)})"
        ) from error


@contextlib.contextmanager
def _as_file(content=b""):
    """The path of a file of this content, which lasts as long as the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / FILE
        path.write_bytes(content)
        yield path


def _written(model):
    """Returns the bytes of the `.keras` file of a model, without the time at which it is saved.

    So two workers, or two commands, that make the same model make the same file.
    """
    with _as_file() as path:
        try:
            model.save(path)
        except REFUSALS as error:
            raise ClassifierError(f"the classifier cannot be saved ({brief(error)})") from error
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    facts = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps({**facts, "date_saved": ""})
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return whole.getvalue()


def _imported(name):
    """Returns `(name, object)` of `module:name`, modules of the working directory among them."""
    module, colon, attribute = name.partition(":")
    sys.path.append(os.getcwd())
    try:
        if not colon:
            raise ImportError("it is not module:name")
        return attribute, getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"`custom_objects`: {name} cannot be imported ({brief(error)})"
        ) from error
    finally:
        sys.path.pop()


def _application(name):
    """Returns a function of `keras.applications`, and the name of what it expects of images."""
    catalogue = vars(keras.applications)
    makers = {n.lower(): n for n, thing in catalogue.items() if inspect.isfunction(thing)}
    maker = makers.get(name.replace("_", "").lower())
    if maker is None:
        near = difflib.get_close_matches(name.replace("_", "").lower(), makers, 3, 0.5)
        hint = f"; did you mean {' or '.join(makers[n] for n in near)}?" if near else ""
        raise ConfigError(
            f"`encoder`: {name} is neither a file nor a model of keras.applications{hint}"
        )
    modules = [m for m in catalogue.values() if inspect.ismodule(m) and hasattr(m, maker)]
    prepare = next(m.preprocess_input for m in modules if hasattr(m, "preprocess_input"))
    probe = np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 2, 2, 3)
    for input_range in INPUT_RANGES:
        expected = np.asarray(ExpectedImages(probe.shape[1:], input_range)(probe))
        if np.allclose(prepare(255 * probe), expected, atol=1e-3):
            return catalogue[maker], input_range
    raise ConfigError(f"`encoder_input`: say what {name} expects: {', '.join(INPUT_RANGES)}")
