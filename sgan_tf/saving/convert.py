"""A stack's `decode` for other runtimes: ONNX and LiteRT, whose converters are extras."""

import tensorflow as tf

from sgan_tf.errors import UserError
from sgan_tf.saving.serving_module import ServingModule
from sgan_tf.saving.signatures import DECODE, IMAGES, LABELS

TOLERANCE = 1e-4  # most that an image's value may differ from TensorFlow's
ROWS = 16  # of the comparison
OPSET = 17  # of ONNX


class ConversionError(UserError):
    """A model that cannot be converted; the message says why."""


def convert(module: ServingModule, format: str, description: str = "") -> tuple[bytes, float]:
    """Converts `decode` and compares the result with TensorFlow's.

    A label of K or more is an error of the runtime, as in TensorFlow.

    Args:
        module: A `ServingModule`.
        format: `onnx` or `litert`.
        description: A text to be kept in the file: its `doc_string` or `description`.

    Returns:
        `(content of the model's file, the largest difference of a value of an image in [0, 1])`.

    Raises:
        ConversionError: when the converter is not installed, or its result differs by more than
            `TOLERANCE`.
    """
    specs = module.functions[DECODE].structured_input_signature[1]
    names = sorted(specs)  # labels, z0, z1, …

    @tf.function(autograph=False, input_signature=[specs[name] for name in names])
    def decode(*inputs):
        given = dict(zip(names, inputs))
        # Labels as they are; of one that is out of range a runtime would make an image of no class.
        classes = tf.range(len(module.class_names), dtype=tf.int64)
        return module.decode(**{**given, LABELS: tf.gather(classes, given[LABELS])})

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
