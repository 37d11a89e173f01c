"""The gRPC interface: the same answers in messages, and gRPC's codes."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)


def test_grpc_answers_the_same(server, signatures):
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest(output_filter=["z1"])
        request.model_spec.name, request.model_spec.signature_name = "sgan", "encode"
        images = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
        request.inputs["images"].CopyFrom(tf.make_tensor_proto(images))
        answer = stub.Predict(request, timeout=60)
        assert answer.model_spec.version.value == 1 and list(answer.outputs) == ["z1"]
        expected = signatures["encode"](images=images)["z1"]
        np.testing.assert_allclose(tf.make_ndarray(answer.outputs["z1"]), expected, atol=1e-5)

        about = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        about.model_spec.name = "sgan"
        known = get_model_metadata_pb2.SignatureDefMap()
        stub.GetModelMetadata(about, timeout=60).metadata["signature_def"].Unpack(known)
        assert set(known.signature_def) == set(signatures)
        status = get_model_status_pb2.GetModelStatusRequest()
        status.model_spec.name = "sgan"
        answer = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, timeout=60)
        assert [(s.version, s.state) for s in answer.model_version_status] == [(1, 30)]


def test_grpc_refuses_what_cannot_be(server):
    code = grpc.StatusCode

    def refused(change):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "sgan"
        request.inputs["labels"].CopyFrom(tf.make_tensor_proto([1, 2], tf.int64))
        change(request)
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Predict(request, timeout=60)
        assert "Traceback" not in caught.value.details()
        return caught.value.code(), caught.value.details()

    def huge(request):  # eight bytes that stand for 80 GB
        del request.inputs["labels"].tensor_shape.dim[:]
        request.inputs["labels"].tensor_shape.dim.add(size=10**10)

    def many_sided(request):  # a product of a million bits, one step at a time
        sides = request.inputs["labels"].tensor_shape.dim
        sides.extend([sides[0]] * 10**5)

    def negative(request):
        request.inputs["labels"].tensor_shape.dim[0].size = -1

    def short(request):
        request.inputs["labels"].tensor_content = b"\0" * 9

    def set_model(name, value):
        return lambda request: setattr(request.model_spec, name, value)

    rows = (
        (set_model("name", "other"), code.NOT_FOUND, "Servable not found"),
        (set_model("signature_name", "x"), code.FAILED_PRECONDITION, '"x" not found'),
        (set_model("version_label", "x"), code.INVALID_ARGUMENT, "label: x"),
        (lambda r: r.inputs["x"].CopyFrom(r.inputs["labels"]), code.INVALID_ARGUMENT, "{x}"),
        (lambda r: r.output_filter.append("x"), code.INVALID_ARGUMENT, "output_filter"),
        (lambda r: setattr(r.inputs["labels"], "dtype", 1), code.INVALID_ARGUMENT, "int64"),
        (huge, code.INVALID_ARGUMENT, "elements"),
        (many_sided, code.INVALID_ARGUMENT, "dimensions"),
        (negative, code.INVALID_ARGUMENT, "whole shape"),
        (short, code.INVALID_ARGUMENT, "as many values"),
    )
    for change, expected, text in rows:
        got, details = refused(change)
        assert got == expected and text in details, details
