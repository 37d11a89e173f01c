"""Whatever a client sends, a server answers: never 500, never a traceback, and it lives.

SGAN_FUZZ=10000 pytest tests/server/test_fuzz.py
"""

import http.client
import json
import os
import urllib.parse

import grpc
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import served
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2
from tensorflow_serving.apis import predict_pb2

from sgan_tf.data.datasets import load_dataset
from sgan_tf.server.turing.examiner import Examiner
from sgan_tf.server.turing.trials import Rate

COUNT = int(os.environ.get("SGAN_FUZZ", 300))
ANSWERS = {200, 307, 400, 403, 404, 405, 413, 415, 421, 503}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),  # NaN and infinity too, as Python writes them
    st.text(max_size=20),
    st.fixed_dictionaries({"b64": st.text("AB+/=?", max_size=8)}),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["labels", "seeds", "z0", "z1", "names", "images", "b64"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)
names = st.sampled_from(
    ["serving_default", "sample_seeded", "sample_png", "decode", "encode", "variations", "lookup"]
)
labels = st.lists(st.integers(-1, 10), max_size=3)
requests_of_sense = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": names | scalars,
        "inputs": st.fixed_dictionaries({}, optional={"labels": labels | values, "seeds": labels})
        | values,
        "instances": st.lists(
            st.fixed_dictionaries({"labels": st.integers(-1, 10)}, optional={"seeds": scalars}),
            max_size=3,
        )
        | values,
    },
)
answers_of_sense = st.fixed_dictionaries(
    {},
    optional={
        "session": st.just("A" * 22) | scalars,
        "generated": st.lists(st.integers(-1, 9), max_size=9) | values,
    },
)
bodies = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"), values),
    st.builds(lambda value: json.dumps(value).encode(), requests_of_sense | answers_of_sense),
    st.builds(
        lambda c, n: c * n, st.sampled_from([b"[", b'{"a":', b'"', b"9"]), st.integers(0, 5000)
    ),
)
paths = st.one_of(
    st.sampled_from(
        [
            *("/v1/models/sgan:predict",) * 6,
            *("/", "/healthz", "/readyz", "/metrics", "/v1/models/sgan", "/v1/models"),
            *("/v1/models/sgan/metadata", "/v1/models/sgan/versions/1:predict"),
            *(
                "/turing",
                "/turing/state",
                "/turing/trials",
                "/turing/trials",
                "/turing/trials/x/votes",
            ),
            *("/v1/models/sgan:classify", "/v1/models/..%2f..%2fetc:predict", "//", "/v1/"),
        ]
    ),
    st.binary(max_size=30).map(lambda path: "/" + urllib.parse.quote_from_bytes(path, "/:?")),
    st.binary(max_size=9).map(lambda p: f"/v1/models/{urllib.parse.quote_from_bytes(p)}:predict"),
    st.integers(0, 10**25).map(lambda n: f"/v1/models/sgan/versions/{n}:predict"),
)
methods = st.sampled_from(
    ["POST"] * 5 + ["GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Origin": st.sampled_from(["null", "http://[", "https://evil.example"]),
        "Content-Encoding": st.sampled_from(["gzip", "identity", "x"]),
        "Content-Type": st.sampled_from(["application/json", "text/plain", "multipart/form-data"]),
        "Expect": st.just("100-continue"),
    },
)


@pytest.fixture(scope="module")
def server(old, tmp_path_factory):
    kept = tmp_path_factory.mktemp("votes") / "votes.sqlite"
    examiner = Examiner(old, load_dataset("digits"), kept)
    examiner.open()
    examiner.rate = Rate(per_minute=60_000, burst=60_000)
    with served(old, examiner=examiner, max_body=4096) as server:
        yield server
        assert requests.get(f"{server.url}/readyz", timeout=60).ok
        assert old.rows.count == 0


def fuzzed(count):
    return settings(
        max_examples=count,
        deadline=None,
        derandomize="SGAN_FUZZ" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@fuzzed(COUNT)
@given(methods, paths, bodies, headers)
def test_every_request_is_answered(server, method, path, body, headers):
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status in ANSWERS, (answer.status, content)
    assert b"Traceback" not in content and b'File "' not in content
    if answer.status >= 400 and method != "HEAD":
        assert list(json.loads(content)) == ["error"], content


@fuzzed(COUNT // 6)
@given(bodies | st.builds(lambda value: json.dumps(value).encode(), answers_of_sense))
def test_every_answer_to_a_trial_is_kept_or_refused(server, body):
    trial = requests.post(f"{server.url}/turing/trials", b"{}", timeout=60).json()["trial"]
    answer = requests.post(f"{server.url}/turing/trials/{trial}/votes", body, timeout=60)
    assert answer.status_code in ANSWERS, (answer.status_code, answer.content)
    assert ("truth" in answer.json()) == answer.ok and b"Traceback" not in answer.content


tensors = st.builds(
    tensor_pb2.TensorProto,
    dtype=st.sampled_from([1, 7, 9, 9, 9, 20, 21, 101]),
    tensor_shape=st.builds(
        lambda sides, unknown: tensor_shape_pb2.TensorShapeProto(
            dim=[{"size": side} for side in sides], unknown_rank=unknown
        ),
        st.lists(st.integers(0, 3) | st.integers(-(2**63), 2**63 - 1), max_size=4),
        st.sampled_from([False] * 9 + [True]),
    ),
    tensor_content=st.just(b"") | st.binary(max_size=40),
    int64_val=st.lists(st.integers(-1, 10), max_size=3),
    float_val=st.lists(st.floats(width=32), max_size=3),
    string_val=st.lists(st.binary(max_size=5), max_size=3),
)
calls = st.builds(
    lambda signature, inputs, outputs: predict_pb2.PredictRequest(
        model_spec={"name": "sgan", "signature_name": signature},
        inputs=inputs,
        output_filter=outputs,
    ).SerializeToString(),
    names | st.just(""),
    st.dictionaries(st.sampled_from(["labels", "labels", "seeds", "names"]), tensors, max_size=3),
    st.lists(st.sampled_from(["images", "labels", "x"]), max_size=2),
)


@fuzzed(COUNT // 3)
@given(st.sampled_from(["Predict", "Predict", "GetModelMetadata"]), st.binary(max_size=60) | calls)
def test_every_call_is_answered(server, method, content):
    code = grpc.StatusCode
    with grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
        try:
            call(content, timeout=60)
        except grpc.RpcError as error:
            good = (code.INVALID_ARGUMENT, code.NOT_FOUND, code.FAILED_PRECONDITION)
            assert error.code() in good, (error.code(), error.details())
            assert "Traceback" not in error.details()
