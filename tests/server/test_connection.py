"""What clients may take of a server: bytes, connections and time, in REST and in gRPC."""

import socket
import threading
import time

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from served import error, post, served, until
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from sgan_tf.server import connection, limits
from sgan_tf.server.model import Model
from sgan_tf.server.servable import Servable, Source, Version

PATH = "/v1/models/made:predict"
VALUES = 2**21  # of an answer: 8 MiB of JSON, more than the sockets below hold


def made(function):
    """A served model of one function of `x` to `y`, float32 `[N, …]`, in rows."""

    class Function:
        structured_input_signature = ((), {"x": tf.TensorSpec(None, tf.float32)})
        structured_outputs = {"y": tf.TensorSpec(None, tf.float32)}

        def __call__(self, x):
            return {"y": function(x)}

    load = lambda: Servable({"serving_default": Function()})  # noqa: E731
    model = Model(Source("made", lambda: {1: Version(None, load)}))
    model.refresh()
    return model


def connected(server, sent=b""):
    """A socket of small buffers that has sent something to a `Server`."""
    host, port = server.url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect((host, int(port)))
    client.sendall(sent)
    return client


def unread(server):
    """A client that has asked and does not read, once its answer is on the way."""
    body = b'{"inputs": [0.5]}'
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    client = connected(server, head.encode() + body)
    client.recv(1, socket.MSG_PEEK)
    return client


def test_the_body_of_an_answer_does_not_wait_for_its_headers_to_be_acknowledged(monkeypatch):
    """Without TCP_NODELAY, each answer but a connection's first takes 40 ms."""
    options, made_by_uvicorn = [], connection.Connection.connection_made

    def connection_made(this, transport):
        made_by_uvicorn(this, transport)
        accepted = transport.get_extra_info("socket")
        options.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(connection.Connection, "connection_made", connection_made)
    with served(made(lambda x: x), grpc_port=None) as server:
        assert requests.get(f"{server.url}/v1/models/made", timeout=60).content
    assert options and all(options)


def test_a_client_that_does_not_read_its_answer_is_cut_off():
    model = made(lambda x: tf.zeros([1, VALUES]))
    with served(model, timeout=3, max_answers=12 * 2**20, grpc_port=None) as server:
        with unread(server) as client:
            answer = post(server, {"inputs": [0.5]}, PATH)
            assert "too many bytes of answers" in error(answer, 503)  # there is no room for two
            until(lambda: any(line.get("event") == "cut off" for line in server.lines()))
            assert len(b"".join(iter(lambda: _received(client), b""))) < 4 * VALUES
        assert len(post(server, {"inputs": [0.5]}, PATH).json()["outputs"][0]) == VALUES
        unread(server)  # does not keep the server from ending
    with served(model, max_answers=2**20, grpc_port=None) as server:
        answer = post(server, {"inputs": [0.5]}, PATH)
        assert "at most 1048576 bytes of answers" in error(answer, 400)


def _received(client):
    try:
        return client.recv(2**16)
    except ConnectionError:
        return b""


def test_a_connection_without_a_request_is_closed(old):
    """Whether it never asks, is slow with its headers, was answered, or still sends a body."""
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    with served(old, idle=1, grpc_port=None) as server:
        started = time.monotonic()
        clients = {
            "nothing": connected(server),
            "headers": connected(server, ask),
            "answered": connected(server, ask + b"\r\n"),
            "body": connected(server, ask + b"Content-Length: 9999\r\n\r\n"),
        }
        for name in ("answered", "body"):
            assert b"200 OK" in clients[name].recv(2**12)
        closed = {}
        for client in clients.values():
            client.settimeout(0.01)
        while len(closed) < len(clients):
            for name in clients.keys() - closed:
                try:
                    if name in ("headers", "body"):
                        clients[name].send(b"x")
                    if not clients[name].recv(2**12):
                        closed[name] = time.monotonic() - started
                except TimeoutError:
                    pass
                except ConnectionError:
                    closed[name] = time.monotonic() - started
            assert time.monotonic() < started + 30, closed
        assert min(closed.values()) > 0.9
        for client in clients.values():
            client.close()


def test_headers_are_bounded(old):
    with served(old, grpc_port=None) as server, connected(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(2**12):
                client.sendall(b"X-More: " + b"x" * 2**10 + b"\r\n")
        assert requests.get(f"{server.url}/healthz", timeout=60).ok


def test_connections_are_bounded(old, monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 3)
    monkeypatch.setattr(connection, "SPARE", 2)
    with served(old, grpc_port=None, idle=2) as server, requests.Session() as session:
        assert session.get(f"{server.url}/healthz", timeout=60).ok
        idle = [connected(server), connected(server)]
        answer = requests.get(f"{server.url}/healthz", timeout=60)
        assert "too many connections" in error(answer, 503) and answer.headers["Retry-After"] == "1"
        assert session.get(f"{server.url}/healthz", timeout=60).ok  # who is in, stays in
        idle += [connected(server), connected(server)]
        assert _received(connected(server)) == b""  # one more than is told
        until(lambda: all(_received(client) == b"" for client in idle))
        assert requests.get(f"{server.url}/healthz", timeout=60).ok


# gRPC


def test_connections_of_grpc_are_bounded(old, monkeypatch):
    monkeypatch.setattr(limits, "CONNECTIONS", 2)
    with served(old) as server:
        place = server.grpc_address.rsplit(":", 1)
        idle = [socket.create_connection(place, timeout=60) for _ in range(2)]
        assert all(client.recv(9) for client in idle)  # what HTTP/2 begins with
        with socket.create_connection(place, timeout=60) as more:
            assert _received(more) == b""
        for client in idle:
            client.close()

        def again():
            with socket.create_connection(place, timeout=60) as client:
                return _received(client)

        until(again)


def asked(columns):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "made"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.zeros([1, columns], np.float32)))
    return request


def test_bytes_of_calls_are_bounded_together():
    event = threading.Event()
    model = made(lambda x: x if event.wait(60) else x)
    with served(model, max_body=4096) as server, grpc.insecure_channel(server.grpc_address) as c:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(c)
        calls = [stub.Predict.future(asked(1000), timeout=60) for _ in range(12)]
        until(lambda: sum(call.done() for call in calls) == 4)
        refused = [call.exception() for call in calls if call.done()]
        assert {e.code() for e in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert "too many bytes of requests" in refused[0].details()
        event.set()
        assert sum(call.exception() is None for call in calls) == 8
        assert stub.Predict(asked(1000), timeout=60).outputs["y"].tensor_shape.dim[1].size == 1000
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(asked(2000), timeout=60)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_call_whose_request_does_not_come_is_refused():
    model, event = made(lambda x: x), threading.Event()

    def never():
        event.wait(60)
        yield from ()

    with served(model, timeout=1) as server, grpc.insecure_channel(server.grpc_address) as channel:
        call = channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as caught:
            call(never(), timeout=60)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert "could not be read within 1 s" in caught.value.details()
        event.set()
        with pytest.raises(grpc.RpcError) as caught:
            call(never(), timeout=60)
        assert "has no request" in caught.value.details()
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert stub.Predict(asked(1), timeout=60).outputs["y"].float_val == [0.0]
