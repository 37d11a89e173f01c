"""A model elsewhere: the same answers through a server before it, and its refusals."""

import socket

import numpy as np
import pytest
from served import error, post, served

from sgan_tf.server.model import Model
from sgan_tf.server.remote import open_remote
from sgan_tf.server.servable import SourceError


def test_a_server_before_another_answers_as_it_does(server):
    model = Model(open_remote(server.url, "sgan"), "before")
    model.refresh()
    signatures = model.current.signatures
    assert signatures["decode"].inputs["z0"].shape.as_list() == [None, 8]
    image = np.random.default_rng(0).random((1, 8, 8, 1)).round(3).tolist()
    asks = (
        {"signature_name": "sample_seeded", "inputs": {"labels": [7, 2], "seeds": [1, -5]}},
        {"signature_name": "sample_png", "instances": [{"labels": 7, "seeds": 1}]},
        {"signature_name": "lookup", "inputs": {"names": ["3", {"b64": "Nw=="}]}},
        {"signature_name": "encode", "inputs": image},
    )
    with served(model, page=True, grpc_port=None) as before:
        path = "/v1/models/before:predict"
        for ask in asks:
            assert post(before, ask, path).json() == post(server, ask).json()
        wrong = {"signature_name": "serving_default", "inputs": [10]}
        assert "labels must lie in [0, 10)" in error(post(before, wrong, path), 400)


def test_a_server_that_goes_is_unavailable(old):
    with served(old, grpc_port=None) as server:
        model = Model(open_remote(server.url, "sgan"))
        model.refresh()
    with served(model, grpc_port=None) as before:
        answer = post(before, {"signature_name": "lookup", "inputs": ["3"]})
        assert "cannot reach" in error(answer, 503) and answer.headers["Retry-After"]


def test_what_cannot_be_passed_on(server):
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = f"http://127.0.0.1:{free.getsockname()[1]}"
    rows = (
        (gone, "sgan", "`backend`: cannot reach"),
        ("ftp://x", "sgan", "`backend`: 'ftp://x' is not a server's URL"),
        (server.url, "other", "`name`: Could not find any versions of model other"),
        (f"{server.url}/healthz?", "sgan", "`backend`: .* is no model of TF Serving's"),
    )
    for url, name, reason in rows:
        with pytest.raises(SourceError, match=reason):
            open_remote(url, name)
