"""Converts a stack's `decode` to ONNX and LiteRT. The converters are extras."""

import tensorflow as tf

from sgan_tf.errors import UserError
from sgan_tf.saving.serving_module import ServingModule
from sgan_tf.saving.signatures import DECODE, IMAGES, LABELS

TOLERANCE = 1e-4  # largest allowed difference of an image's values from TensorFlow's
ROWS = 16  # number of rows that are compared
OPSET = 17  # version of the ONNX operator set


class ConversionError(UserError):
    """Raised if a model cannot be converted. The message says why."""


def convert(module: ServingModule, format: str, description: str = "") -> tuple[bytes, float]:
    """Converts `decode` and compares the images of the result with TensorFlow's.

    For a label of K or more, the runtime raises an error, as TensorFlow does.

    Args:
        module: `ServingModule`. The signatures of the stack.
        format: String. `"onnx"` or `"litert"`.
        description: String. A text that is stored in the file, as its `doc_string` (ONNX) or
            `description` (LiteRT). Defaults to an empty string.

    Returns:
        `(content, difference)`: the model file as bytes, and the largest difference of an image
        value in [0, 1] as a float.

    Raises:
        ConversionError: If the converter is not installed, or its result differs by more than
            `TOLERANCE`.
    """
    specs = module.functions[DECODE].structured_input_signature[1]
    names = sorted(specs)  # labels, z0, z1, …

    @tf.function(autograph=False, input_signature=[specs[name] for name in names])
    def decode(*inputs):
        tensors = dict(zip(names, inputs))
        # Keeps valid labels; for others a runtime would make an image of no class without an error.
        classes = tf.range(len(module.class_names), dtype=tf.int64)
        return module.decode(**{**tensors, LABELS: tf.gather(classes, tensors[LABELS])})

    inputs = {
        name: tf.random.stateless_uniform([ROWS, *specs[name].shape[1:]], [0, i])
        for i, name in enumerate(names)
        if name != LABELS
    }
    inputs[LABELS] = tf.range(ROWS, dtype=tf.int64) % len(module.class_names)
    expected = module.functions[DECODE](**inputs)[IMAGES].numpy()
    run = {"onnx": _onnx, "litert": _litert}[format]
    try:
        arrays = {name: x.numpy() for name, x in inputs.items()}
        content, images = run(module, decode, description, arrays)
    except ImportError as error:
        raise ConversionError(
            f"`format` {format}: needs {error.name}; pip install sgan-tf[{format}]"
        ) from error
    difference = float(abs(images - expected).max())
    if not difference <= TOLERANCE:
        raise ConversionError(
            f"`format` {format}: the converted model differs from TensorFlow's by "
            f"{difference:.2g}, so it was not kept"
        )
    return content, difference


def _onnx(module, decode, description, inputs):
    import onnxruntime
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(
        decode, input_signature=decode.input_signature, opset=OPSET
    )
    model.doc_string = description
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, session.run([IMAGES], inputs)[0]


def _litert(module, decode, description, inputs):
    from ai_edge_litert.interpreter import Interpreter
    from tensorflow.lite.tools import flatbuffer_utils

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [decode.get_concrete_function()], module
    )
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(converter.convert()))
    model.description = description
    content = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    runner = Interpreter(model_content=content).get_signature_runner()
    return content, runner(**inputs)[IMAGES]
