"""The sampler's `decode` for other runtimes: ONNX and LiteRT. The converters come with extras of those names."""

import tensorflow as tf

from sgan_tf.serving.export import ExportError

TOLERANCE = 1e-4  # most that an image's value may differ from TensorFlow's
ROWS = 16  # of the comparison


def write(sampler, form, path):
    """Writes `decode` as `model.onnx` or `model.tflite` and compares it with TensorFlow's.

    Args:
        sampler: A `Sampler`.
        form: `onnx` or `litert`.
        path: `pathlib.Path` of the folder.

    Returns:
        The largest difference of a value of an image in [0, 1].

    Raises:
        ExportError: when the converter is not installed or its result differs by more than `TOLERANCE`.
    """
    specs = dict(
        sorted(sampler.functions["decode"].structured_input_signature[1].items())
    )  # labels, z0, z1, …

    @tf.function(autograph=False, input_signature=list(specs.values()))
    def decode(labels, *noise):
        return sampler.decode(labels, **dict(zip(list(specs)[1:], noise)))

    labels = tf.range(ROWS, dtype=tf.int64) % len(sampler.class_names)
    inputs = {
        "labels": labels,
        **{
            name: tf.random.stateless_uniform([ROWS, *spec.shape[1:]], [0, i])
            for i, (name, spec) in enumerate(specs.items())
            if name != "labels"
        },
    }
    expected = sampler.functions["decode"](**inputs)["images"].numpy()
    run = {"onnx": _onnx, "litert": _litert}[form]
    try:
        images = run(sampler, decode, {name: x.numpy() for name, x in inputs.items()}, path)
    except ImportError as error:
        raise ExportError(
            f"--format {form}: needs {error.name}; pip install sgan-tf[{form}]"
        ) from error
    difference = float(abs(images - expected).max())
    if not difference <= TOLERANCE:
        raise ExportError(
            f"--format {form}: the converted model differs from TensorFlow's by {difference:.2g}, so it was not kept"
        )
    return difference


def _onnx(sampler, decode, inputs, path):
    import onnxruntime
    import tf2onnx

    tf2onnx.convert.from_function(
        decode,
        input_signature=decode.input_signature,
        opset=17,
        output_path=str(path / "model.onnx"),
    )
    session = onnxruntime.InferenceSession(
        str(path / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    return session.run(["images"], inputs)[0]


def _litert(sampler, decode, inputs, path):
    from ai_edge_litert.interpreter import Interpreter

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [decode.get_concrete_function()], sampler
    )
    (path / "model.tflite").write_bytes(converter.convert())
    runner = Interpreter(str(path / "model.tflite")).get_signature_runner()
    return runner(**inputs)["images"]
