"""What is served: runs that requests share, bounds of what is under way, versions."""

import gc
import http.client
import json
import shutil
import threading
import weakref

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from processes import ROOT
from served import error, post, served, until
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from sgan_tf.server.model import Model
from sgan_tf.server.servable import Servable, Source, Version, open_source
from sgan_tf.server.server import Options, ServeError, Server

OLD = ROOT / "tests" / "fixtures" / "v0.1.0"


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
    """Their requests wait together, and each is run by its own."""

    def times(factor):
        function = tf.function(lambda *, x: {"y": factor * x})
        return function.get_concrete_function(x=tf.TensorSpec([None], tf.float32, "x"))

    functions = {"times2": times(2.0), "times3": times(3.0)}
    load = lambda: Servable(functions, rows_apart=True)  # noqa: E731
    model = Model(Source("times", lambda: {1: Version(None, load)}))
    model.refresh()
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
    model.refresh()
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
    with served(model, timeout=1) as server:
        answer = post(server, {"inputs": [1.0]}, "/v1/models/slow:predict")
        assert "within 1 s" in error(answer, 504)
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


# Versions


def test_a_newer_version_is_picked_up_and_the_old_one_let_go(tmp_path):
    exports = tmp_path / "mine"
    shutil.copytree(OLD / "export", exports / "1")
    model = Model(open_source(exports))
    model.refresh()
    old = model.current
    with served(model, poll=0.1, grpc_port=None) as server, model.use("mine") as held:
        url = f"{server.url}/v1/models/mine"
        (exports / "3").mkdir()
        (exports / "3" / "saved_model.pb").write_bytes(b"half")
        until(lambda: 3 in model.failed)
        states = requests.get(url, timeout=60).json()["model_version_status"]
        assert [(s["version"], s["state"]) for s in states] == [("1", "AVAILABLE"), ("3", "END")]
        # Where the models lie is for the log alone.
        assert states[1]["status"]["error_message"] == "it is not a SavedModel"
        (failed,) = (line for line in server.lines() if line.get("event") == "failed")
        assert str(exports / "3") in failed["reason"]
        assert post(server, {"inputs": [1]}, "/v1/models/mine:predict").ok
        shutil.rmtree(exports / "3")
        shutil.copytree(OLD / "export", tmp_path / "2")
        (tmp_path / "2").rename(exports / "2")
        until(lambda: model.current.number == 2 and not model.failed)
        assert post(server, {"inputs": [1]}, "/v1/models/mine/versions/2:predict").ok
        error(post(server, {"inputs": [1]}, "/v1/models/mine/versions/1:predict"), 404)
        # A request that is still at work on the old one ends well.
        assert held is old and old.signatures["lookup"]({"names": np.array([b"3"])})
    assert not old.signatures  # and then it is gone
    assert [line.get("version") for line in server.lines() if line.get("event") == "version"] == [2]


def test_collections_pass_over_what_is_served_and_free_what_is_not():
    class Owner:
        def __init__(self):
            self.circle = self

    owners = []

    def version():
        def load():
            owner = Owner()
            owners.append(weakref.ref(owner))
            return Servable({}, owner=owner)

        return Version(None, load)

    versions = {1: version()}
    model = Model(Source("circles", lambda: versions))
    gc.unfreeze()
    try:
        assert model.refresh()
        # A full collection would stop all requests, as long as it goes through all of TensorFlow.
        assert len(gc.get_objects()) < gc.get_freeze_count() / 10
        with model.use("circles"):
            held = owners[0]()
            versions[2] = version()
            assert model.refresh()
        assert not model.refresh()
        del held  # by a request that was not quite over when the old version was let go
        assert not model.refresh() and not owners[0]() and owners[1]()
        held = owners[1]()
        versions[3] = version()
        assert model.refresh()
        del held
        assert not model.refresh() and not owners[1]() and owners[2]()
        assert len(gc.get_objects()) < gc.get_freeze_count() / 10
    finally:
        gc.unfreeze()


def test_a_version_that_fails_in_whatever_way_is_loaded_once():
    loads = []

    def load():
        loads.append(1)
        raise RuntimeError("of the inside")

    model = Model(Source("broken", lambda: {1: Version(None, load)}))
    with pytest.raises(RuntimeError):
        model.refresh()
    assert not model.refresh() and len(loads) == 1
    assert model.states("broken") == [(1, "END", "the server's log says why")]


def test_a_run_folder_is_served_as_it_is(signatures):
    """The run that the export of version 0.1.0 was made from."""
    model = Model(open_source(OLD / "run"), "mine")
    model.refresh()
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


def test_a_port_in_use_is_named(old, server):
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(ServeError, match=rf"`port`: cannot listen on 127.0.0.1:{port} "):
        Server(old, Options(port=port))
    port = int(server.grpc_address.rpartition(":")[2])
    with pytest.raises(ServeError, match=rf"`grpc_port`: cannot listen on 127.0.0.1:{port}"):
        Server(old, Options(port=0, grpc_port=port)).run()
    for host in ("no.invalid", "no..invalid"):
        with pytest.raises(ServeError, match=rf"`port`: cannot listen on {host}"):
            Server(old, Options(host=host, port=0))
