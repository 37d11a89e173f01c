"""The clients, against a double of TF Serving that runs the export itself."""

import io
import threading

import numpy as np
import pytest
from PIL import Image
from processes import module, refused, run
from serving_double import grpc_server, rest

from sgan_tf.serving import client as clients

pytestmark = pytest.mark.slow


def test_rest_and_grpc_sample_the_same_images_as_the_model(model):
    labels, seeds = [7, 7, 2], [1, 2, 1]
    inputs = {"labels": np.array(labels), "seeds": np.array(seeds)}
    expected = np.round(model.predict("sample_seeded", inputs)["images"][..., 0] * 255)
    with rest(model) as (url, _), grpc_server(model) as address:
        for client in (clients.RestClient(url), clients.GrpcClient(address)):
            assert clients.look_up(client, ["7", "0"]) == [7, 0]
            pngs = clients.sample(client, labels, seeds)
            images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in pngs])
            assert np.abs(images - expected).max() <= 1


def test_many_images_come_in_several_requests(model):
    with rest(model) as (url, seen):
        assert len(clients.sample(clients.RestClient(url), [1] * 600, list(range(600)))) == 600
        assert [len(body["inputs"]["labels"]) for body in seen] == [256, 256, 88]


def test_a_busy_server_is_asked_again(model, monkeypatch):
    monkeypatch.setattr(clients, "BACKOFF", 0.01)
    with rest(model, refusals=3) as (url, seen):
        assert clients.look_up(clients.RestClient(url), ["3"]) == [3]
        assert len(seen) == 4
    with rest(model, refusals=99) as (url, seen):
        with pytest.raises(clients.ClientError, match="answered 503: Server is busy"):
            clients.look_up(clients.RestClient(url), ["3"])
        assert len(seen) == clients.ATTEMPTS


def test_errors_say_what_the_server_said(model, monkeypatch):
    monkeypatch.setattr(clients, "BACKOFF", 0.01)
    with rest(model) as (url, _), grpc_server(model) as address:
        for client in (clients.RestClient(url), clients.GrpcClient(address)):
            with pytest.raises(clients.ClientError, match=r"\[unknown class\] \[dog\]"):
                clients.look_up(client, ["dog"])
            with pytest.raises(clients.ClientError, match=r"labels must lie in \[0, 10\)"):
                clients.sample(client, [10], [0])
        for client in (clients.RestClient(url, "other"), clients.GrpcClient(address, "other")):
            with pytest.raises(clients.ClientError, match="`model`"):
                clients.look_up(client, ["1"])
    # Nothing is there any more.
    for client in (clients.RestClient(url), clients.GrpcClient("localhost:1")):
        with pytest.raises(clients.ClientError, match="is the server running there"):
            clients.look_up(client, ["1"])


def test_a_silent_server_times_out(model):
    release = threading.Event()
    with rest(model, delay=release) as (url, _):
        with pytest.raises(
            clients.ClientError, match=r"`timeout`: .* did not answer within 0\.2 s"
        ):
            clients.look_up(clients.RestClient(url, timeout=0.2), ["1"])
        release.set()


def test_the_program_writes_a_grid(model, tmp_path):
    program = module("client")
    asked = ["--label", "7", "--count", "16", "--seed", "1", "--out"]
    with rest(model) as (url, _), grpc_server(model) as address:
        out, _ = run(program, ["--url", url, *asked, tmp_path / "rest.png"])
        assert "16 images of 7" in out
        run(program, ["--grpc", address, *asked, tmp_path / "grpc.png"])
        pictures = [
            np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("rest.png", "grpc.png")
        ]
        assert pictures[0].shape[1] > 16 * 32 and np.abs(pictures[0] - pictures[1]).max() <= 1
        assert "unknown class" in refused(
            program, ["--url", url, "--label", "zebra", "--out", tmp_path / "none.png"]
        )
        assert not (tmp_path / "none.png").exists()
        assert "none/grid.png" in refused(
            program, ["--url", url, "--label", "7", "--out", tmp_path / "none" / "grid.png"]
        )
        assert "--model: nothing is served at" in refused(
            program, ["--url", url, "--label", "7", "--model", "other"]
        )
