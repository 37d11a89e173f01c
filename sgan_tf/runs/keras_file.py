"""Converts models to and from the bytes of `.keras` files."""

import contextlib
import importlib
import io
import json
import os
import pathlib
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from sgan_tf.config.validation import ConfigError
from sgan_tf.models.encoder.classifier_graph import REFUSALS, ClassifierError, brief

# What Keras raises for files that are damaged, of other versions, or of classes it does not know.
UNREADABLE = (*REFUSALS, KeyError, IndexError, OSError, zipfile.BadZipFile)


def import_objects(names: Iterable[str]) -> dict[str, Any]:
    """Imports layers from installed modules or modules of the working directory.

    Args:
        names: Iterable of strings `"module:name"`.

    Returns:
        Dictionary `{name: object}`, the `custom_objects` of `read_model`.

    Raises:
        ConfigError: If an object cannot be imported.
    """
    return dict(_import_object(name) for name in names)


def read_model(
    path: str | os.PathLike, content: bytes, custom_objects: Mapping[str, Any] | None = None
) -> keras.Model:
    """Returns the model in the bytes of a `.keras` file. Code in the file is not run.

    Args:
        path: String or path. The file, for messages.
        content: Bytes. The content of the file.
        custom_objects: Dictionary `{name: object}`. Layers that Keras does not know. Defaults to
            None.

    Returns:
        A `keras.Model`, which is not compiled.

    Raises:
        ConfigError: If the file is not a `.keras` file, cannot be read, or would run code.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            version = json.loads(archive.read("metadata.json")).get("keras_version", "unknown")
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ConfigError(
            f"`encoder`: {path} is no .keras file; write one with model.save('name.keras')"
        ) from error
    try:
        with keras.saving.custom_object_scope(custom_objects or {}), _as_file(content) as file:
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


def model_bytes(model: keras.Model) -> bytes:
    """Returns the bytes of a model's `.keras` file, without the time of saving.

    So workers or commands that build the same model write the same file.

    Args:
        model: `keras.Model`.

    Returns:
        Bytes.

    Raises:
        ClassifierError: If Keras cannot save the model.
    """
    with _as_file() as path:
        try:
            model.save(path)
        except REFUSALS as error:
            raise ClassifierError(f"the classifier cannot be saved ({brief(error)})") from error
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    facts = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps({**facts, "date_saved": ""}).encode()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return whole.getvalue()


def _import_object(name):
    """Returns `(name, object)` of `module:name`; the working directory is searched last."""
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


@contextlib.contextmanager
def _as_file(content=b""):
    """Yields the path of a temporary file with this content."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        path.write_bytes(content)
        yield path
