"""The embedded server, as clients meet it: TF Serving's answers, limits, versions, its end."""

import base64
import http.client
import io
import json
import shutil
import threading
import time

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from PIL import Image
from processes import ROOT
from served import served
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from sgan_tf.serving.server.model import Model
from sgan_tf.serving.server.run import Options, ServeError, Server
from sgan_tf.serving.server.servable import Servable, Source, SourceError, Version, open_source

OLD = ROOT / "tests" / "data" / "v0.1.0" / "export"


@pytest.fixture(scope="module")
def server(old):
    with served(old, max_body=2**20) as running:
        yield running


@pytest.fixture(scope="module")
def signatures():
    model = tf.saved_model.load(str(OLD))
    yield model.signatures


def post(server, body, path="/v1/models/sgan:predict", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return requests.post(server.url + path, data, headers=headers, timeout=60)


def error(answer, status):
    """The reason that a refused request is given, which is all that it is given."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["error"] and "Traceback" not in body["error"]
    return body["error"]


# Predictions


def test_rows_and_columns_give_the_models_images(server, signatures):
    labels, seeds = [7, 2], [1, -5]
    images = signatures["sample_seeded"](
        labels=tf.constant(labels, tf.int64), seeds=tf.constant(seeds, tf.int64)
    )["images"]
    ask = {"signature_name": "sample_seeded"}
    columns = post(server, {**ask, "inputs": {"labels": labels, "seeds": seeds}}).json()
    rows = [{"labels": n, "seeds": s} for n, s in zip(labels, seeds)]
    by_rows = post(server, {**ask, "instances": rows}).json()
    assert list(columns) == ["outputs"] and list(by_rows) == ["predictions"]
    np.testing.assert_allclose(columns["outputs"], images, atol=1e-6)
    np.testing.assert_array_equal(by_rows["predictions"], columns["outputs"])


def test_one_input_may_go_without_its_name(server):
    for inputs in ({"labels": [3, 4]}, [3, 4]):
        assert np.shape(post(server, {"inputs": inputs}).json()["outputs"]) == (2, 8, 8, 1)
    for instances in ([{"labels": 3}, {"labels": 4}], [3, 4]):
        answer = post(server, {"instances": instances}).json()["predictions"]
        assert np.shape(answer) == (2, 8, 8, 1)


def test_several_outputs_have_names(server):
    images = np.random.default_rng(0).random((2, 8, 8, 1)).round(4).tolist()
    columns = post(server, {"signature_name": "encode", "inputs": images}).json()["outputs"]
    assert set(columns) == {"features", "probabilities", "z0", "z1"}
    np.testing.assert_allclose(np.sum(columns["probabilities"], -1), 1, atol=1e-5)
    rows = post(server, {"signature_name": "encode", "instances": images}).json()["predictions"]
    for name, column in columns.items():
        np.testing.assert_allclose([row[name] for row in rows], column, atol=1e-6)


def test_bytes_are_base64_and_text_is_text(server):
    ask = {"signature_name": "sample_png", "instances": [{"labels": 7, "seeds": 1}]}
    (row,) = post(server, ask).json()["predictions"]
    assert list(row) == ["b64"]
    assert Image.open(io.BytesIO(base64.b64decode(row["b64"]))).size == (8, 8)
    seven = {"b64": base64.b64encode(b"7").decode()}
    ask = {"signature_name": "lookup", "inputs": {"names": ["3", seven]}}
    assert post(server, ask).json() == {"outputs": [3, 7]}


def test_no_rows_are_no_error(server):
    assert post(server, {"inputs": []}).json() == {"outputs": []}
    assert post(server, {"instances": []}).json() == {"predictions": []}


def test_a_bad_request_does_not_fail_those_beside_it(server, signatures):
    """Requests that run together: the bad one is told why, each good one gets its own images."""
    labels = tf.range(10, dtype=tf.int64)
    images = signatures["sample_seeded"](labels=labels, seeds=labels)["images"].numpy()
    faults = []

    def ask(label):
        body = {"signature_name": "sample_seeded", "inputs": {"labels": [label], "seeds": [label]}}
        for _ in range(20):
            answer = post(server, body)
            if label == 10:
                good = "[labels must lie in [0, 10); got] [10]" in error(answer, 400)
            else:
                image = answer.json().get("outputs")
                good = image and np.abs(image - images[label]).max() < 1e-6
            if not good:
                faults.append((label, answer.text[:200]))

    threads = [threading.Thread(target=ask, args=[label]) for label in range(11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_signatures_of_equal_inputs_do_not_share_runs():
    """TensorFlow names queues after scopes; of two functions in one, each would run the other's."""

    def times(factor):
        function = tf.function(lambda *, x: {"y": factor * x})
        return function.get_concrete_function(x=tf.TensorSpec([None], tf.float32, "x"))

    functions = {"times2": times(2.0), "times3": times(3.0)}
    load = lambda: Servable(functions, rows_apart=True)  # noqa: E731
    model = Model(Source("times", lambda: {1: Version(None, load)}))
    model.load()
    with served(model, grpc_port=None) as server, requests.Session() as session:
        wrong = []

        def ask(name, factor):
            for i in range(40):
                body = {"signature_name": name, "inputs": [float(i)]}
                url = f"{server.url}/v1/models/times:predict"
                if session.post(url, json=body, timeout=60).json()["outputs"] != [factor * i]:
                    wrong.append((name, i))

        asked = [("times2", 2.0), ("times3", 3.0)] * 4
        threads = [threading.Thread(target=ask, args=pair) for pair in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


# What a model is


def test_status_and_metadata_are_tf_servings(server):
    available = {"version": "1", "state": "AVAILABLE"}
    available["status"] = {"error_code": "OK", "error_message": ""}
    for path in ("/v1/models/sgan", "/v1/models/sgan/versions/1"):
        answer = requests.get(server.url + path, timeout=60).json()
        assert answer == {"model_version_status": [available]}
    answer = requests.get(server.url + "/v1/models/sgan/metadata", timeout=60).json()
    assert answer["model_spec"] == {"name": "sgan", "signature_name": "", "version": "1"}
    decode = answer["metadata"]["signature_def"]["signature_def"]["decode"]
    assert decode["method_name"] == "tensorflow/serving/predict"
    assert decode["inputs"]["z0"]["dtype"] == "DT_FLOAT"
    sides = [side["size"] for side in decode["inputs"]["z0"]["tensor_shape"]["dim"]]
    assert sides == ["-1", "8"] and set(decode["outputs"]) == {"images"}


def test_what_is_not_served_is_404(server):
    for path in ("other:predict", "sgan/versions/2:predict"):
        assert "Servable not found" in error(post(server, {}, f"/v1/models/{path}"), 404)
    for path in ("other", "other/metadata", "sgan/versions/2"):
        error(requests.get(f"{server.url}/v1/models/{path}", timeout=60), 404)
    error(requests.get(f"{server.url}/favicon.ico", timeout=60), 404)
    for path in ("/v1/models/a/b", "/v1/nothing", "/v1/models/sgan:predict"):
        assert "Malformed request: GET" in error(requests.get(server.url + path, timeout=60), 400)
    assert "use predict" in error(post(server, {}, "/v1/models/sgan:classify"), 400)
    assert "to numeric" in error(
        post(server, {}, f"/v1/models/sgan/versions/{10**30}:predict"), 400
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
        (negative, code.INVALID_ARGUMENT, "whole shape"),
        (short, code.INVALID_ARGUMENT, "as many values"),
    )
    for change, expected, text in rows:
        got, details = refused(change)
        assert got == expected and text in details, details


# Limits


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "JSON Parse error"),
        (b"\xff\xfe", "JSON Parse error"),
        (b'{"inputs": [NaN]}', "JSON Parse error"),
        (b'{"inputs": [Infinity]}', "JSON Parse error"),
        (b'{"inputs": [1e999]}', "JSON Parse error"),
        (b"[" * 100_000, "JSON Parse error"),
        (b'{"inputs": ' + b"[" * 500 + b"]" * 500 + b"}", "labels: lists are nested too deeply"),
        (b"[]", "no JSON object"),
        (b"{}", "one of 'instances' and 'inputs'"),
        (b'{"inputs": [1], "instances": [1]}', "one of 'instances' and 'inputs'"),
        (b'{"inputs": [1.0]}', "labels must be of type int64; got a number with a fraction"),
        (b'{"inputs": [1, true]}', "got a boolean"),
        (b'{"inputs": ["1"]}', "got a string"),
        (b'{"inputs": [null]}', "got null"),
        (b'{"inputs": [9223372036854775808]}', "a value is no int64"),
        (b'{"inputs": [123456789012345678901234567890]}', "labels must be of type int64"),
        (b'{"inputs": [[1]]}', "labels must have the shape [N]; got [1, 1]"),
        (b'{"inputs": 1}', "labels must have the shape [N]; got []"),
        (b'{"inputs": [1, [2]]}', "the same lengths"),
        (b'{"inputs": {"label": [1]}}', "Sent extra: {label}. Missing but required: {labels}."),
        (b'{"instances": {"labels": 1}}', "must be a list"),
        (b'{"instances": [{"labels": 1}, 2]}', "the same names"),
        (b'{"signature_name": 1, "inputs": [1]}', "must be a string"),
        (b'{"signature_name": "x", "inputs": [1]}', 'name: "x" not found in signature def'),
        (b'{"signature_name": "decode", "inputs": [1]}', "object of labels, z0, z1"),
        (b'{"signature_name": "decode", "instances": [1]}', "object of labels, z0, z1"),
        (b'{"signature_name": "lookup", "inputs": ["dog"]}', "[unknown class] [dog]"),
        (b'{"signature_name": "lookup", "inputs": [{"b64": "?"}]}', "no string"),
        (b'{"signature_name": "encode", "inputs": [[[[1e39]]]]}', "a value is no float32"),
        (
            b'{"signature_name": "encode", "inputs": [[0]]}',
            "images must have the shape [N, 8, 8, 1",
        ),
    ],
)
def test_what_cannot_be_is_one_clear_400(server, body, reason):
    assert reason in error(post(server, body), 400)


def test_sizes_are_bounded(server, old):
    big = b" " * (2**20 + 1)
    assert "at most 1 MiB" in error(post(server, big), 413)
    answer = requests.post(f"{server.url}/v1/models/sgan:predict", iter([big]), timeout=60)
    assert "at most 1 MiB" in error(answer, 413)
    assert "compressed" in error(post(server, b"{}", **{"Content-Encoding": "gzip"}), 415)
    assert "at most 1024 rows" in error(post(server, {"inputs": [1] * 1025}), 400)
    assert f"at most {old.rows.most} rows" in error(
        post(server, {"inputs": [1] * (old.rows.most + 1)}), 400
    )
    assert old.rows.count == 0  # and nothing is held any more


@pytest.fixture
def gate():
    """A model whose runs wait for an event: `(model, event)`."""
    event = threading.Event()

    class Slow:
        structured_input_signature = ((), {"x": tf.TensorSpec([None], tf.float32)})
        structured_outputs = {"y": tf.TensorSpec([None], tf.float32)}

        def __call__(self, x):
            event.wait(60)
            return {"y": x}

    load = lambda: Servable({"serving_default": Slow()})  # noqa: E731
    model = Model(Source("slow", lambda: {1: Version(None, load)}), rows=8)
    model.load()
    yield model, event
    event.set()


def test_a_busy_server_says_when_to_come_back(gate):
    model, event = gate
    with served(model) as server:
        path = "/v1/models/slow:predict"
        answers = []
        asked = lambda: answers.append(post(server, {"inputs": [0.5] * 8}, path))  # noqa: E731
        first = threading.Thread(target=asked)
        first.start()
        until(lambda: model.rows.count == 8)
        answer = post(server, {"inputs": [0.5]}, path)
        assert "busy" in error(answer, 503) and answer.headers["Retry-After"] == "1"
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "slow"
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Predict(request, timeout=60)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert requests.get(f"{server.url}/healthz", timeout=60).ok
        event.set()
        first.join()
        assert answers[0].json() == {"outputs": [0.5] * 8}
        assert post(server, {"inputs": [0.5]}, path).ok


def test_time_is_bounded(gate):
    model, event = gate
    with served(model, timeout=0.3) as server:
        answer = post(server, {"inputs": [1.0]}, "/v1/models/slow:predict")
        assert "within 0.3 s" in error(answer, 504)
        assert model.rows.count == 1  # it still runs
        event.set()
        until(lambda: model.rows.count == 0)
        host = server.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.putrequest("POST", "/v1/models/slow:predict")
        connection.putheader("Content-Length", "10")
        connection.endheaders(b"{")  # and nothing more
        answer = connection.getresponse()
        assert answer.status == 408 and "did not come" in json.loads(answer.read())["error"]


def until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_pages_of_other_origins_learn_nothing(server, old):
    body = {"inputs": [1]}
    assert "other origins" in error(post(server, body, Origin="https://evil.example"), 403)
    assert "localhost alone" in error(post(server, body, Host="evil.example"), 421)
    answer = post(server, body, Origin=server.url)  # its own page
    assert answer.ok and "Access-Control-Allow-Origin" not in answer.headers
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert name in answer.headers
    friend = "https://friend.example"
    with served(old, origins=(friend,), grpc_port=None) as open_server:
        allowed = "Access-Control-Allow-Origin"
        assert post(open_server, body, Origin=friend).headers[allowed] == friend
        error(post(open_server, body, Origin="https://evil.example"), 403)
        headers = {"Origin": friend, "Access-Control-Request-Method": "POST"}
        url = f"{open_server.url}/v1/models/sgan:predict"
        assert requests.options(url, headers=headers, timeout=60).headers[allowed] == friend


# What it tells of itself


def test_each_request_is_a_line_of_json_and_counted(old):
    with served(old) as server:
        post(server, {"inputs": [1, 2, 3]})
        post(server, b"{")
        assert requests.get(f"{server.url}/", timeout=60).json()["model"] == "sgan"
        assert requests.get(f"{server.url}/healthz", timeout=60).ok
        assert requests.get(f"{server.url}/readyz", timeout=60).json()["version"] == 1
        metrics = requests.get(f"{server.url}/metrics", timeout=60).text
    first, *lines, last = server.lines()
    assert (first["event"], first["model"], last["event"]) == ("serving", "sgan", "stopped")
    assert [line["status"] for line in lines] == [200, 400, 200, 200, 200, 200]
    assert (lines[0]["method"], lines[0]["path"]) == ("POST", "/v1/models/sgan:predict")
    assert (lines[0]["rows"], lines[1]["rows"]) == (3, 0) and lines[0]["ms"] > 0
    assert 'sgan_requests_total{interface="rest",status="200"} 4.0' in metrics
    assert "sgan_rows_total 3.0" in metrics and "sgan_model_version 1.0" in metrics


# Versions


def test_a_newer_version_is_picked_up_and_the_old_one_let_go(tmp_path):
    exports = tmp_path / "mine"
    shutil.copytree(OLD, exports / "1")
    model = Model(open_source(exports))
    model.load()
    old = model.current
    with served(model, poll=0.1, grpc_port=None) as server, model.use("mine") as held:
        url = f"{server.url}/v1/models/mine"
        (exports / "3").mkdir()
        (exports / "3" / "saved_model.pb").write_bytes(b"half")
        until(lambda: 3 in model.failed)
        states = requests.get(url, timeout=60).json()["model_version_status"]
        assert [(s["version"], s["state"]) for s in states] == [("1", "AVAILABLE"), ("3", "END")]
        assert "is not a SavedModel" in states[1]["status"]["error_message"]
        assert post(server, {"inputs": [1]}, "/v1/models/mine:predict").ok
        shutil.rmtree(exports / "3")
        shutil.copytree(OLD, tmp_path / "2")
        (tmp_path / "2").rename(exports / "2")
        until(lambda: model.current.number == 2)
        assert post(server, {"inputs": [1]}, "/v1/models/mine/versions/2:predict").ok
        error(post(server, {"inputs": [1]}, "/v1/models/mine/versions/1:predict"), 404)
        # A request that is still at work on the old one ends well.
        assert held is old and old.signatures["lookup"]({"names": np.array([b"3"])})
    assert not old.signatures  # and then it is gone
    assert [line.get("version") for line in server.lines() if line.get("event") == "version"] == [2]


def test_a_run_folder_is_served_as_it_is(signatures):
    """The run that the export of version 0.1.0 was made from."""
    model = Model(open_source(ROOT / "tests" / "data" / "v0.1.0" / "run"), "mine")
    model.load()
    with served(model, grpc_port=None) as server:
        ask = {"signature_name": "decode", "inputs": {"labels": [3]}}
        noise = {"z0": [[0.5] * 8], "z1": [[0.25] * 16]}
        ask["inputs"] |= noise
        images = post(server, ask, "/v1/models/mine:predict").json()["outputs"]
        noise = {name: tf.constant(rows) for name, rows in noise.items()}
        expected = signatures["decode"](labels=tf.constant([3], tf.int64), **noise)["images"]
        np.testing.assert_allclose(images, expected, atol=1e-5)
        ask["inputs"]["labels"] = [11]
        reason = error(post(server, ask, "/v1/models/mine:predict"), 400)
        assert reason == "assertion failed: [labels must lie in [0, 10); got] [11]"


def test_sources_that_cannot_be_served(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for path in ("nowhere", "empty", "file"):
        with pytest.raises(SourceError, match=f"`model`: .*{path}"):
            open_source(tmp_path / path)
    source = open_source(OLD)
    assert source.name == "export" and list(source.versions()) == [1]
    with pytest.raises(SourceError, match="is not a SavedModel"):
        broken = tmp_path / "exports" / "1"
        broken.mkdir(parents=True)
        (broken / "saved_model.pb").write_bytes(b"\xff" * 9)
        Model(open_source(broken)).load()


def test_a_savedmodel_that_reads_files_is_not_served(tmp_path):
    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string, "path")])
        def read(self, path):
            return {"content": tf.io.read_file(path)}

    module = Reader()
    tf.saved_model.save(module, str(tmp_path / "r" / "1"), signatures={"read": module.read})
    with pytest.raises(SourceError, match=r"reads or writes files.*\(ReadFile\)"):
        Model(open_source(tmp_path / "r")).load()
    bare = tf.Module()
    bare.v = tf.Variable(1.0)
    tf.saved_model.save(bare, str(tmp_path / "b" / "1"))
    with pytest.raises(SourceError, match="no signatures"):
        Model(open_source(tmp_path / "b")).load()


def test_a_foreign_savedmodel_is_served_without_batching(tmp_path):
    class Mean(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def mean(self, x):  # whose rows depend on each other
            return {"all": x - tf.reduce_mean(x), "count": tf.size(x)}

    module = Mean()
    tf.saved_model.save(module, str(tmp_path / "m" / "1"), signatures=module.mean)
    model = Model(open_source(tmp_path / "m"))
    model.load()
    with served(model, grpc_port=None) as server:
        path = "/v1/models/m:predict"
        answer = post(server, {"inputs": [1.0, 3.0]}, path).json()["outputs"]
        assert answer == {"all": [-1.0, 1.0], "count": 2}
        assert "ask by 'inputs'" in error(post(server, {"instances": [1.0, 3.0]}, path), 400)


def test_a_port_in_use_is_named(old, server):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ServeError, match=rf"`port`: cannot listen on 127.0.0.1:{port} "):
        Server(old, Options(port=port))
    port = int(server.grpc_address.rpartition(":")[2])
    with pytest.raises(ServeError, match=rf"`grpc_port`: cannot listen on 127.0.0.1:{port}"):
        Server(old, Options(port=0, grpc_port=port)).run()
    with pytest.raises(ServeError, match=r"`port`: cannot listen on no\.invalid"):
        Server(old, Options(host="no.invalid", port=0))
