"""Export a trained run: a SavedModel for TensorFlow programs, or its decoder for other runtimes.

python export.py --run_dir runs/mnist                # exports/mnist/<version>/
python export.py --run_dir runs/mnist --format onnx  # exports/mnist-onnx/<version>/model.onnx
python export.py --run_dir runs/mnist --as_is        # a run that is not finished
"""

import json
import shlex
import sys
from dataclasses import fields

from absl import flags

from sgan_tf.cli import app, devices, startup
from sgan_tf.config.validation import PRECISIONS
from sgan_tf.saving import export as serving
from sgan_tf.saving.signatures import LABELS, SAMPLE_SEEDED, SEEDS

FLAGS = flags.FLAGS


def define_flags() -> None:
    flags.DEFINE_string("run_dir", None, "a finished run folder", required=True)
    flags.DEFINE_string("export_dir", "exports", "where exports are kept")
    flags.DEFINE_string("name", None, "of the model; by default the run folder's name")
    flags.DEFINE_integer(
        "version",
        None,
        "number of the version; by default the next, if the newest holds other weights",
    )
    flags.DEFINE_integer("max_batch", 1024, "most rows of a request: it bounds the server's memory")
    flags.DEFINE_enum(
        "format",
        "savedmodel",
        serving.FORMATS,
        "savedmodel, or onnx or litert for decode alone (extras of those names)",
    )
    flags.DEFINE_boolean(
        "as_is", False, "take stages that are not finished too; the model card names them"
    )
    flags.DEFINE_enum(
        "precision",
        "float32",
        ["auto", *PRECISIONS],
        "what the export computes convolutions and large matrices in; auto: bfloat16 where the "
        "hardware here does, so take it where the export will be served on such hardware",
    )
    flags.DEFINE_string(
        "devices", "all", "number of GPUs, all, or cpu: where the weights are put while exporting"
    )


def export() -> None:
    settings = {field.name: getattr(FLAGS, field.name) for field in fields(serving.ExportRequest)}
    if FLAGS.format == "savedmodel":
        settings["precision"] = devices.precision(FLAGS.precision)
    elif FLAGS.precision == "auto":
        settings["precision"] = "float32"  # the only precision of the other formats
    # Errors show before TensorFlow is imported, and an existing export does not need it.
    found = serving.ExportRequest(**settings).found()
    said = "holds these weights already, so no new version is made (--version N makes one)"
    if found:
        path, _ = found
    else:
        startup.import_tensorflow()
        with devices.strategy(FLAGS.devices).scope():
            path, facts = serving.export(**settings)
        said = f"loaded in a process of its own, whose samples are {path}/assets/samples.png"
        if FLAGS.format != "savedmodel":
            said = f"differs from TensorFlow's images by {facts['parity']:.1e} at the most"
    print(f"{path}: {said}; it computes in {settings['precision']}")
    if FLAGS.format == "savedmodel":
        print(_commands(path))


def _commands(path):
    """Returns shell commands with which the user can try the export."""
    cli = f"{shlex.quote(sys.executable)} -m tensorflow.python.tools.saved_model_cli"
    model = f"--dir {shlex.quote(str(path))} --tag_set serve --signature_def {SAMPLE_SEEDED}"
    body = {"signature_name": SAMPLE_SEEDED, "inputs": {LABELS: [0, 1], SEEDS: [7, 8]}}
    return (
        "Try it:\n\n"
        f"{cli} show {model}\n"
        f"{cli} run {model} --input_exprs '{LABELS}=[0,1];{SEEDS}=[7,8]'\n\n"
        "and, served as `sgan` (see deploy/):\n\n"
        f"curl -d '{json.dumps(body)}' http://localhost:8501/v1/models/sgan:predict"
    )


def main() -> None:
    define_flags()
    app.run(export)


if __name__ == "__main__":
    main()
