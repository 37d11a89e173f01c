"""The clients, against the embedded server."""

import io
import threading

import numpy as np
import pytest
from PIL import Image
from processes import ROOT, finish, module, refused, run, start
from served import Before, served
from session import Model as Session

from sgan_tf.client import client as clients

EXPORT = ROOT / "tests" / "fixtures" / "v0.1.0" / "export"


def test_rest_and_grpc_sample_the_same_images_as_the_model(old):
    labels, seeds = [7, 7, 2], [1, 2, 1]
    inputs = {"labels": np.array(labels), "seeds": np.array(seeds)}
    expected = np.round(Session(EXPORT).predict("sample_seeded", inputs)["images"][..., 0] * 255)
    with served(old) as server:
        for client in both(server):
            assert clients.look_up(client, ["7", "0"]) == [7, 0]
            pngs = clients.sample(client, labels, seeds)
            images = np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in pngs])
            assert np.abs(images - expected).max() <= 1


def both(server, *arguments):
    """Clients of both interfaces."""
    return (
        clients.RestClient(server.url, *arguments),
        clients.GrpcClient(server.grpc_address, *arguments),
    )


def test_many_images_come_in_several_requests(old):
    before = Before()
    with served(old, before) as server:
        client = clients.RestClient(server.url)
        assert len(clients.sample(client, [1] * 600, list(range(600)))) == 600
        assert [len(body["inputs"]["labels"]) for body in before.seen] == [256, 256, 88]


def test_a_busy_server_is_asked_again(old, monkeypatch):
    monkeypatch.setattr(clients, "BACKOFF", 0.01)
    before = Before(refusals=3)
    with served(old, before) as server:
        assert clients.look_up(clients.RestClient(server.url), ["3"]) == [3]
        assert len(before.seen) == 4
    before = Before(refusals=99)
    with served(old, before) as server:
        with pytest.raises(clients.ClientError, match="answered 503: Server is busy"):
            clients.look_up(clients.RestClient(server.url), ["3"])
        assert len(before.seen) == clients.ATTEMPTS


def test_errors_say_what_the_server_said(old, monkeypatch):
    monkeypatch.setattr(clients, "BACKOFF", 0.01)
    with served(old) as server:
        for client in both(server):
            with pytest.raises(clients.ClientError, match=r"\[unknown class\] \[dog\]"):
                clients.look_up(client, ["dog"])
            with pytest.raises(clients.ClientError, match=r"labels must lie in \[0, 10\)"):
                clients.sample(client, [10], [0])
            with pytest.raises(clients.ClientError, match="`label`: name a class, .*: 0, 1, .*9$"):
                clients.only_label(client)
        for client in both(server, "other"):
            with pytest.raises(clients.ClientError, match="`model`"):
                clients.look_up(client, ["1"])
    # Nothing is there any more.
    for client in (clients.RestClient(server.url), clients.GrpcClient("localhost:1")):
        with pytest.raises(clients.ClientError, match="is the server running there"):
            clients.look_up(client, ["1"])


def test_a_silent_server_times_out(old):
    release = threading.Event()
    with served(old, Before(delay=release)) as server:
        with pytest.raises(
            clients.ClientError, match=r"`timeout`: .* did not answer within 0\.2 s"
        ):
            clients.look_up(clients.RestClient(server.url, timeout=0.2), ["1"])
        release.set()


@pytest.mark.slow
def test_the_program_writes_a_grid(old, tmp_path):
    program = module("client")
    asked = ["--label", "7", "--count", "16", "--seed", "1", "--out"]
    with served(old) as server:
        url = server.url
        out, _ = finish(start(program, ["--url", url, *asked, tmp_path / "rest.png"]))
        assert "16 images of 7" in out
        run(program, ["--grpc", server.grpc_address, *asked, tmp_path / "grpc.png"])
        pictures = [
            np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("rest.png", "grpc.png")
        ]
        assert pictures[0].shape[1] > 16 * 8 and np.abs(pictures[0] - pictures[1]).max() <= 1
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


def test_a_proxy_is_not_asked_for_this_machine(old, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://localhost:1")
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    with served(old) as server:
        here = [server.url, server.url.replace("127.0.0.1", "localhost")]
        for client in (*map(clients.RestClient, here), clients.GrpcClient(server.grpc_address)):
            assert clients.look_up(client, ["3"]) == [3]
        monkeypatch.setenv("http_proxy", server.url)
        with pytest.raises(clients.ClientError, match="answered 421: this server answers for"):
            clients.look_up(clients.RestClient("http://sgan.invalid"), ["3"])  # by the proxy


def test_a_url_may_lack_its_scheme(old):
    with served(old) as server:
        client = clients.RestClient(server.url.removeprefix("http://"))
        assert client.url == f"{server.url}/v1/models/sgan:predict"
        assert clients.look_up(client, ["3"]) == [3]
    for url in (
        "",
        "http://",
        "ftp://localhost",
        "localhost:port",
        "localhost:99999",
        "http://[::",
    ):
        with pytest.raises(
            clients.ClientError, match="`url`: '.*' is not a server's URL, as http:"
        ):
            clients.RestClient(url)
    with pytest.raises(clients.ClientError, match="`grpc`: 'http://localhost:8500' is a URL"):
        clients.GrpcClient("http://localhost:8500")


def test_seeds_are_int64(old):
    before = Before()
    with served(old, before) as server:
        client = clients.RestClient(server.url)
        assert len(clients.sample(client, [1, 1], [-(2**63), 2**63 - 1])) == 2
        for seed in (2**63, -(2**63) - 1):
            with pytest.raises(clients.ClientError, match=rf"`seed`: {seed} is out of range"):
                clients.sample(client, [1], [seed])
        assert len(before.seen) == 1


def test_an_answer_that_is_no_model_servers_is_an_error(old, monkeypatch):
    with served(old) as server:
        client = clients.RestClient(server.url)
        for body in ([1, 2], "text", {"other": 1}):
            monkeypatch.setattr("requests.Response.json", lambda *_, body=body: body)
            with pytest.raises(clients.ClientError, match="answered 200: OK"):
                clients.look_up(client, ["3"])


@pytest.mark.slow
def test_the_program_writes_what_the_files_name_says(old, tmp_path):
    program, before = module("client"), Before()
    with served(old, before) as server:
        url, seen = server.url.removeprefix("http://"), before.seen
        asked = ["--url", url, "--label", "7", "--count", "2", "--out"]
        for name, kind in (("x.jpg", "JPEG"), ("x.JPEG", "JPEG"), ("x.webp", "WEBP")):
            run(program, [*asked, tmp_path / name])
            assert Image.open(tmp_path / name).format == kind
        count = len(seen)
        for out, message in (
            (tmp_path / "x.mp4", "x.mp4' does not end with one of .png, .jpg, .jpeg, .webp"),
            (tmp_path / "x", "x' does not end with one of"),
            (tmp_path / "none" / "x.png", f"there is no folder {tmp_path / 'none'}"),
        ):
            assert (
                f"--out: '{out}" in (error := refused(program, [*asked, out])) and message in error
            )
        for seed in (10**20, 2**63 - 1):  # the second image of which would be beyond
            error = refused(program, [*asked, tmp_path / "x.png", f"--seed={seed}"])
            assert "--seed: " in error and "seeds lie in [-2^63, 2^63)" in error
        assert len(seen) == count  # nothing was asked for
        assert "--out: WEBP holds 16383 pixels a side" in refused(
            program, [*asked[:-2], "500", "--out", tmp_path / "wide.webp"]
        )


def test_the_extra_that_the_program_names_exists():
    import configparser
    import re

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    out, _ = run(module("client"), ["--help"])
    assert (
        set(re.findall(r"extra: (\w+)", out)) == {"client"} <= {*config["options.extras_require"]}
    )
