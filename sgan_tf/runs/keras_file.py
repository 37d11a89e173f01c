"""Models as the bytes of `.keras` files."""

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
    """Imports layers by `module:name`, from modules of the working directory too.

    Args:
        names: Strings `"module:name"`.

    Returns:
        `{name: object}`, the `custom_objects` of `read_model`.

    Raises:
        ConfigError: when one cannot be imported.
    """
    return dict(_imported(name) for name in names)


def read_model(
    path: str | os.PathLike, content: bytes, custom_objects: Mapping[str, Any] | None = None
) -> keras.Model:
    """Returns the model of the bytes of a `.keras` file; code that is in it is not run.

    Args:
        path: Of the file, for messages.
        content: Its bytes.
        custom_objects: `{name: object}` of layers that Keras does not know. Defaults to None.

    Raises:
        ConfigError: when it is no `.keras` file, cannot be read, or would run code.
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
    """Returns the bytes of the `.keras` file of a model, without the time at which it is saved.

    So two workers, or two commands, that make the same model make the same file.

    Raises:
        ClassifierError: when Keras cannot save the model.
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


def _imported(name):
    """Returns `(name, object)` of `module:name`, the working directory searched too."""
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
    """The path of a file of this content, which lasts as long as the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.keras"
        path.write_bytes(content)
        yield path
