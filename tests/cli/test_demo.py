"""sgan-demo as a user runs it: the page is opened in the browser, and Ctrl-C ends it."""

import re
import signal
import sys

import pytest
import requests
from processes import ROOT, module, refused, start

OLD = ROOT / "tests" / "fixtures" / "v0.1.0" / "export"
NO_TENSORFLOW = (
    "import sys; sys.modules['tensorflow'] = None; from sgan_tf.cli.demo import main; main()"
)


@pytest.mark.slow
def test_it_opens_the_page_in_the_browser(tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    arguments = ["--model", OLD, "--name", "sgan", "--port", "0"]
    with start(module("demo"), arguments, {"BROWSER": f"{browser} %s"}) as process:
        line = process.stdout.readline()
        assert line == "sgan is open in the browser. Ctrl-C ends it.\n"
        url = (tmp_path / "opened").read_text().strip()
        page = requests.get(f"{url}/", timeout=60)
        assert page.ok and "explore.js" in page.text

        arguments = ["--backend", url, "--name", "sgan", "--port", "0", "--no_browser"]
        with start(module("demo"), arguments) as before:
            there = re.search(r"http://127.0.0.1:\d+", before.stdout.readline())[0]
            assert there != url
            body = {"signature_name": "lookup", "inputs": ["3"]}
            answer = requests.post(f"{there}/v1/models/sgan:predict", json=body, timeout=60)
            assert answer.json() == {"outputs": [3]}
            before.send_signal(signal.SIGTERM)
            assert before.communicate(timeout=60)[1] == "" and before.returncode == 0
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[1] == "" and process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--model", "nowhere"], "--model: nowhere does not exist"),
        (["--backend", "http://localhost:1"], "--name: give the name"),
        (["--backend", "localhost:1", "--name", "x"], "--backend: cannot reach http://localhost:1"),
        (["--backend", "localhost:1", "--model", "digits"], "leave --model or --backend out"),
    ],
)
def test_what_cannot_be_shown_is_one_line_before_tensorflow_is_imported(arguments, reason):
    assert reason in refused([sys.executable, "-c", NO_TENSORFLOW], arguments)
