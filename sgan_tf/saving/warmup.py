"""Warm-up requests, which a server runs before it answers the first client."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from sgan_tf.saving.signatures import CLASS_NAMES

if TYPE_CHECKING:
    from sgan_tf.saving.serving_module import ServingModule


def warmup_inputs(module: "ServingModule") -> dict[str, dict[str, tf.Tensor]]:
    """Makes one warm-up request of one row for every signature.

    Args:
        module: `ServingModule`. The signatures.

    Returns:
        Dict `{signature: {input: tensor}}`, with tensors `[1, ...]`.
    """

    def value(name, spec):
        if name == CLASS_NAMES:
            return tf.constant(module.class_names[:1])
        return tf.zeros([1, *spec.shape[1:]], spec.dtype)

    return {
        signature: {
            name: value(name, spec) for name, spec in function.structured_input_signature[1].items()
        }
        for signature, function in module.functions.items()
    }


def write_warmup(module: "ServingModule", model_name: str, path: pathlib.Path) -> None:
    """Writes the warm-up requests as TFRecords of `PredictionLog`, which TF Serving reads.

    Args:
        module: `ServingModule`. The signatures.
        model_name: String. The name under which the model is served.
        path: `pathlib.Path`. The file `tf_serving_warmup_requests`; its folder is created.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in warmup_inputs(module).items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = model_name, signature
            for name, tensor in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(tensor))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def read_warmup(path: pathlib.Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Reads the requests that `write_warmup` wrote.

    Args:
        path: `pathlib.Path`. The file.

    Returns:
        List of pairs `(signature, {input: np.ndarray})`; empty if the file does not exist.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator() if path.is_file() else ()
    logs = map(prediction_log_pb2.PredictionLog.FromString, records)
    requests = [log.predict_log.request for log in logs]
    return [
        (
            request.model_spec.signature_name,
            {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()},
        )
        for request in requests
    ]
