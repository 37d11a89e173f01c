"""The REST interface: TF Serving's answers, one clear 400 for what cannot be, sizes, pages."""

import base64
import io

import numpy as np
import pytest
import requests
import tensorflow as tf
from PIL import Image
from served import error, post, served

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
        assert post(open_server, body, Host="friend.example").ok  # a proxy of that name
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
