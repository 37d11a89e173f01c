"""sgan-serve as a user runs it: it serves, moves on when it is told to, and ends well."""

import http.client
import json
import signal
import socket
import sys

import pytest
from processes import ROOT, module, refused, start

from sgan_tf.client.client import GrpcClient, RestClient, look_up, sample

pytestmark = pytest.mark.slow
OLD = ROOT / "tests" / "fixtures" / "v0.1.0" / "export"
SERVE = module("serve")


@pytest.fixture
def process():
    arguments = ["--model", OLD, "--name", "sgan", "--port", "0", "--grpc_port", "0"]
    with start(SERVE, arguments) as process:
        yield process
        process.kill()


def test_it_serves_and_answers_what_is_under_way_before_it_ends(process, tmp_path):
    serving = json.loads(process.stdout.readline())
    assert serving["event"] == "serving" and serving["version"] == 1
    for client in (RestClient(serving["rest"]), GrpcClient(serving["grpc"])):
        assert look_up(client, ["7"]) == [7]
        assert len(sample(client, [7, 7], [1, 2])) == 2
    host = serving["rest"].removeprefix("http://")
    port = int(host.rpartition(":")[2])

    turing = ["--turing", "--dataset", "digits", "--votes", tmp_path / "votes.sqlite"]
    error = refused(SERVE, ["--model", OLD, "--port", port, *turing])
    assert error.startswith(f"error: --port: cannot listen on 127.0.0.1:{port} ")
    assert not list(tmp_path.iterdir())

    body = b'{"signature_name": "lookup", "inputs": ["3"]}'
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.putrequest("POST", "/v1/models/sgan:predict")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:5])
    while json.loads(process.stdout.readline()).get("path") != "/healthz":  # it has begun to read
        health = http.client.HTTPConnection(host, timeout=60)
        health.request("GET", "/healthz")
        assert health.getresponse().status == 200
    process.send_signal(signal.SIGTERM)
    while True:  # until nobody new is let in
        try:
            socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            break
    connection.send(body[5:])
    answer = connection.getresponse()
    assert json.loads(answer.read()) == {"outputs": [3]}
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and err == "", err
    assert json.loads(out.splitlines()[-1])["event"] == "stopped"


def test_no_such_model_is_one_line_before_tensorflow_is_imported():
    text = (
        "import sys; sys.modules['tensorflow'] = None; from sgan_tf.cli.serve import main; main()"
    )
    error = refused([sys.executable, "-c", text], ["--model", "nowhere"])
    assert "--model: nowhere does not exist" in error
