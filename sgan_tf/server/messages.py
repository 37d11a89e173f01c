"""TF Serving's messages about a model, which both interfaces return."""

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from sgan_tf.server.model import Model

METHOD = "tensorflow/serving/predict"


def status(
    model: Model, name: str, version: int | None
) -> get_model_status_pb2.GetModelStatusResponse:
    """Returns the status of a model, or of one of its versions.

    Args:
        model: `Model`. The served model.
        name: String. The requested name.
        version: Integer or None. The requested version; None for all versions.

    Returns:
        `GetModelStatusResponse`. The states of the versions.

    Raises:
        Refused: If the model or version is unknown.
    """
    answer = get_model_status_pb2.GetModelStatusResponse()
    for number, state, error in model.states(name, version):
        known = answer.model_version_status.add(version=number)
        known.state = get_model_status_pb2.ModelVersionStatus.State.Value(state)
        known.status.error_code = tf.errors.UNKNOWN if error else tf.errors.OK
        known.status.error_message = error
    return answer


def metadata(
    model: Model, name: str, version: int | None
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Returns the metadata of a version.

    Args:
        model: `Model`. The served model.
        name: String. The requested name.
        version: Integer or None. The requested version; None for the served version.

    Returns:
        `GetModelMetadataResponse`. The signatures of the version.

    Raises:
        Refused: If the model or version is not served.
    """
    answer = get_model_metadata_pb2.GetModelMetadataResponse()
    with model.use(name, version) as loaded:
        answer.model_spec.name, answer.model_spec.version.value = name, loaded.number
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for signature in loaded.signatures.values():
            described = signatures.signature_def[signature.name]
            described.method_name = METHOD
            _describe(described.inputs, signature.inputs, f"{signature.name}_")
            _describe(described.outputs, signature.outputs, "")
    answer.metadata["signature_def"].Pack(signatures)
    return answer


def _describe(infos, specs, prefix):
    for name, spec in specs.items():
        infos[name].CopyFrom(
            meta_graph_pb2.TensorInfo(
                name=f"{prefix}{name}:0",
                dtype=spec.dtype.as_datatype_enum,
                tensor_shape=spec.shape.as_proto(),
            )
        )
