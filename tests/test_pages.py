"""Every command and every line of Python in README.md, the tutorials and the recipes works.

A page's blocks are run in order, as a reader would, in one folder for all pages. Long trainings are
shortened as `SHORTER` says. A block that cannot be run has a comment before it that says why; its
syntax and its flags are checked all the same.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from forked import stand_ins
from keras import layers
from pages import PAGES, blocks
from PIL import Image
from processes import ROOT

TRAIN, INVERT = "docs/tutorials/train.md", "docs/tutorials/invert.md"
# Pages whose results others use. All recipes use the run of the first tutorial.
NEEDS = {TRAIN: [], "docs/install.md": [], INVERT: [], "README.md": [INVERT]}
# What pages say, and what is run instead.
SHORTER = {
    r"pip install \. && ": "",
    r"train\.py --dataset (mnist|svhn|cifar10)( --download| --data_dir \S+)": "train.py --dry_run",
    r"train\.py": "train.py --epochs 1 --set joint.epochs=0 --sample_every 0",
    r"--run_dir runs/(flat|dcgan|three|begun|plain)": "--dry_run",
    r"--run_dir runs/long": "--run_dir runs/digits",
    r"--data_dir photos/": "--data_dir photos/ --set batch_size=4 --dry_run",
    r"evaluate\.py": "evaluate.py --samples 500",
    r"epochs=20": "epochs=2",
    r'run_dir="runs/': (
        'hyperparameters=sgan_tf.Hyperparameters(epochs=1, overrides=["joint.epochs=0"]), '
        'run_dir="runs/'
    ),
    r"--count 1000000": "--count 80",
}
SLOW = {
    *(TRAIN, INVERT, "README.md", "docs/tutorials/serve.md", "docs/tutorials/evaluate.md"),
    *("docs/howto/own_networks.md", "docs/howto/ablations.md"),
}


class Desk:
    """A folder in which pages are tried, each once."""

    def __init__(self, folder):
        self.folder, self.tried = folder, set()
        self.port = _free_port()
        self.forks = stand_ins(folder / "bin")
        inherited = {n: v for n, v in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
        path = [folder / "bin", pathlib.Path(sys.executable).parent, os.environ["PATH"]]
        self.environment = {
            **inherited,
            "PATH": ":".join(map(str, path)),
            "PYTHONPATH": str(ROOT),
            "SGAN_TF_CACHE": str(folder / "cache"),
        }

    def try_page(self, page):
        """Runs the pages that a page needs, and the page."""
        for needed in NEEDS.get(page, [TRAIN]):
            self.try_page(needed)
        if page in self.tried:
            return
        self.tried.add(page)
        names = {"__name__": "page"}
        with contextlib.ExitStack() as servers, contextlib.chdir(self.folder):
            for block in blocks(page):
                text = self.shortened(block.text)
                where = f"{page}:{block.line}"
                if block.mark.startswith("not run"):
                    self.check(block.language, block.text, where)
                elif block.mark:
                    servers.enter_context(self.served(text, where))
                elif block.language == "python":
                    source = "\n" * (block.line - 1) + text  # for the numbers of a traceback
                    exec(compile(source, page, "exec"), names)
                elif block.language == "bash":
                    self.shell(["-euo", "pipefail", "-c", text], where)

    def shortened(self, text):
        for pattern, replacement in SHORTER.items():
            text = re.sub(pattern, replacement, text)
        return text.replace("8501", str(self.port))

    def shell(self, arguments, where):
        """Runs bash; returns what it printed."""
        words = ["bash", *arguments]
        done = subprocess.run(
            words,
            env=self.environment,
            pass_fds=self.forks,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{where}\n{arguments[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def check(self, language, text, where):
        """Reads a block that is not run: its syntax, and that its flags are there."""
        if language == "python":
            compile(text, where, "exec")
            return
        self.shell(["-n", "-c", text], where)
        called = re.findall(r"(python \w+\.py|sgan-\w+)((?: (?![#|>&]).*)?)", text)
        for program, rest in called:
            known = self.shell(["-c", f"{program} --help"], where)
            for flag in re.findall(r"--(\w+)", rest.split(" #")[0]):
                assert re.search(rf"--(\[no\])?{flag}\b", known), f"{where}: {program} --{flag}"

    @contextlib.contextmanager
    def served(self, text, where):
        """Runs a block in the background, once it answers on the port, for as long as it takes."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            env=self.environment,
            pass_fds=self.forks,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 120
            while socket.socket().connect_ex(("localhost", self.port)):
                assert process.poll() is None and time.monotonic() < deadline, where
                time.sleep(0.2)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _free_port():
    with socket.create_server(("localhost", 0)) as listener:
        return listener.getsockname()[1]


def _what_a_reader_has(folder):
    """Photos in two classes, pictures of digits, and a classifier of photos."""
    rng = np.random.default_rng(0)

    def write(path, shape):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)

    for number in range(20):
        write(folder / "photos" / ("cats", "dogs")[number % 2] / f"{number}.png", (40, 50, 3))
    for path in ("seven.png", "pictures/three.png", "pictures/four.png"):
        write(folder / path, (20, 20))
    keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(4, 3, 2, activation="relu", name="block2_out"),
            layers.Flatten(),
            layers.Dense(8, "relu", name="dense1"),
            layers.Dense(2),
        ]
    ).save(folder / "mine.keras")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    (folder / "bin").mkdir()
    for name in ("train.py", "evaluate.py", "export.py", "benchmarks", "deploy"):
        (folder / name).symlink_to(ROOT / name)
    _what_a_reader_has(folder)
    return Desk(folder)


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=[pytest.mark.slow] if p in SLOW else []) for p in PAGES]
)
def test_what_a_page_says_works(page, desk):
    desk.try_page(page)


@pytest.mark.parametrize("page", PAGES)
def test_blocks_say_what_they_are(page):
    for block in blocks(page):
        assert block.language in ("bash", "python", "text"), f"{page}:{block.line}"


def test_blocks_that_are_not_run_say_why():
    marks = [block.mark for page in PAGES for block in blocks(page) if block.mark]
    comments = sum((ROOT / page).read_text().count("<!-- ") for page in PAGES)
    assert len(marks) == comments  # none is misspelt, and so without effect
