"""Plays a newcomer who does everything wrong, and prints what was answered.

    python tests/newcomer.py                         # exit code 1 if an answer is bad
    python tests/newcomer.py --out docs/newcomer.md

An answer is good when it is one line that names what was wrong, with exit code 2 and no traceback,
and when not a byte of what had been there is changed or gone. Programs run as a user runs them, in
processes of their own; calls of the library must raise an error of one line.
"""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np
from newcomer_cases import OLD_RUN, broken_runs, wrong_flags, wrong_images, wrong_uses
from processes import ROOT

TIMEOUT = 300  # seconds


class Answer(NamedTuple):
    title: str
    what: str  # the command, or the call
    said: str
    good: bool


def fingerprint(path):
    """A checksum of every file under a path, if any; the log and lock of a run may change."""
    path, total = pathlib.Path(path), hashlib.sha256()
    files = sorted(p for p in [path, *path.rglob("*")] if p.is_file())
    for file in files:
        if file.name in ("log.txt", "lock", "lock.holder"):
            continue
        total.update(str(file.relative_to(path.parent)).encode() + file.read_bytes())
    return total.hexdigest()


# Trying it


def command(program, arguments):
    scripts = {"train": "train.py", "export": "export.py", "evaluate": "evaluate.py"}
    if program in scripts:
        return [sys.executable, scripts[program], *map(str, arguments)]
    return [sys.executable, "-m", f"sgan_tf.cli.{program}", *map(str, arguments)]


def attempt(case, place):
    """Runs a case's program and judges its answer."""
    before = [fingerprint(folder) for folder in case.keeps]
    environment = {**os.environ, "SGAN_TF_CACHE": str(place / "cache"), **(case.environment or {})}
    words = command(case.program, case.arguments)
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )
    after = [fingerprint(folder) for folder in case.keeps]
    lines = done.stderr.strip().splitlines()
    said = " / ".join(lines) or "(nothing)"
    faults = [
        *(["a traceback"] if "Traceback" in done.stdout + done.stderr else []),
        *([f"exit code {done.returncode}"] if done.returncode != case.code else []),
        *([f"{len(lines)} lines"] if len(lines) != 1 else []),
        *(["does not name it"] if not re.search(case.names, said, re.S) else []),
        *(["something was lost"] if before != after else []),
    ]
    shown = " ".join([case.program, *map(str, case.arguments)])
    return Answer(case.title, shown, said + _faults(faults), not faults)


def interrupted(place):
    """Ctrl-C a little into each program: one line, and nothing half-written."""
    run = place / "stopped"
    shutil.copytree(OLD_RUN, run)
    rows = (
        ("export", ["--run_dir", run, "--export_dir", place / "half"], (0.3, 3)),
        ("evaluate", ["--run_dir", run, "--samples", "5000"], (0.3, 3, 8)),
        ("train", ["--run_dir", place / "begun", "--epochs", "500"], (0.3, 3)),
    )
    for program, arguments, moments in rows:
        for seconds in moments:
            before = fingerprint(run / "checkpoints")
            process = subprocess.Popen(
                command(program, arguments),
                cwd=ROOT,
                env={**os.environ, "SGAN_TF_CACHE": str(place / "cache")},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIMEOUT)
            lines = err.strip().splitlines()
            faults = [
                *(["a traceback"] if "Traceback" in out + err else []),
                *([f"exit code {process.returncode}"] if process.returncode != 130 else []),
                *([f"{len(lines)} lines"] if len(lines) > 1 else []),
                *(["something was lost"] if before != fingerprint(run / "checkpoints") else []),
            ]
            said = " / ".join(lines or out.strip().splitlines()[-1:])
            title = f"Ctrl-C after {seconds} s: {program}"
            yield Answer(title, program, said + _faults(faults), not faults)


def wrong_calls():
    """Calls of the library with what cannot be: each an error of one line that names it."""
    import keras

    import sgan_tf

    stack = sgan_tf.load(OLD_RUN)
    images = np.zeros((2, 8, 8, 1), np.float32)
    z0, z1 = stack.noise(2, seed=0)
    rows = {
        'load("nowhere")': (lambda: sgan_tf.load("nowhere"), "nowhere"),
        'load_dataset("minst")': (lambda: sgan_tf.load_dataset("minst"), "minst"),
        'make_config("minst")': (lambda: sgan_tf.make_config("minst"), "minst"),
        'make_config(preset="x")': (lambda: sgan_tf.make_config(preset="x"), "preset"),
        'make_config(cuts=["fc9"])': (lambda: sgan_tf.make_config(cuts=["fc9"]), "cuts"),
        "sample([10])": (lambda: stack.sample([10]), "labels"),
        "sample([-1])": (lambda: stack.sample([-1]), "labels"),
        "sample([0.5])": (lambda: stack.sample([0.5]), "labels"),
        "sample([[1]])": (lambda: stack.sample([[1]]), "labels"),
        'sample(["seven"])': (lambda: stack.sample(["seven"]), "labels"),
        "decode of one row of noise for two": (
            lambda: stack.decode([1, 2], [z0[:1], z1[:1]]),
            "noise",
        ),
        "decode without z_1": (lambda: stack.decode([1, 2], [z0]), "noise"),
        "decode of noise too short": (lambda: stack.decode([1, 2], [z0[:, :3], z1]), "noise"),
        "decode of NaN": (lambda: stack.decode([1, 2], [z0 * np.nan, z1]), "noise"),
        "decode of features too short": (
            lambda: stack.decode(np.zeros((2, 3)), [z0], top=0),
            "condition",
        ),
        "infer_noise of one image": (lambda: stack.infer_noise(images[0]), "images"),
        "infer_noise of another size": (
            lambda: stack.infer_noise(np.zeros((2, 9, 9, 1))),
            "images",
        ),
        "infer_noise of int64": (
            lambda: stack.infer_noise((images + 7).astype(np.int64)),
            "images",
        ),
        "infer_noise of 0 … 255 floats": (lambda: stack.infer_noise(images + 255), "images"),
        "reconstruct of NaN": (lambda: stack.reconstruct(images * np.nan), "images"),
        "variations of a picture in colour": (
            lambda: stack.variations(np.zeros((1, 8, 8, 3)), 2),
            "images",
        ),
        "Encoder of stages that do not fit": (
            lambda: sgan_tf.Encoder(
                [
                    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
                    keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]),
                ]
            ),
            "stages",
        ),
        "StackedGAN of one level": (
            lambda: sgan_tf.StackedGAN(stack.encoder, stack.levels[:1]),
            "levels",
        ),
        "StackedGAN of two names": (
            lambda: sgan_tf.StackedGAN(stack.encoder, stack.levels, class_names=["a", "b"]),
            "class_names",
        ),
        "Config.from_json of a list": (lambda: sgan_tf.Config.from_json("[]"), "configuration"),
    }
    for title, (call, names) in rows.items():
        try:
            call()
            said, faults = "(nothing)", ["no error"]
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            faults = [
                *([f"{len(said.splitlines())} lines"] if len(said.splitlines()) != 1 else []),
                *(["does not name it"] if not re.search(names, said) else []),
            ]
        yield Answer(title, title, said + _faults(faults), not faults)


def _faults(faults):
    return f" **[{', '.join(faults)}]**" if faults else ""


def table(answers, place):
    """Returns a Markdown table of the answers."""

    def cell(text):
        text = text.replace(str(place), "…").replace(str(ROOT), ".").replace("|", "\\|")
        return re.sub(r"\s+", " ", text)

    lines = ["| tried | answered |", "|---|---|"]
    lines += [f"| {cell(a.title)} | {cell(a.said)} |" for a in answers]
    bad = [answer for answer in answers if not answer.good]
    return "\n".join([*lines, "", f"{len(answers)} tried, {len(bad)} answered badly."])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, help="file for the table, beside stdout")
    out = parser.parse_args().out
    # Started in the background, it ignores Ctrl-C, and so would the programs that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        cases = []
        for make in (wrong_flags, wrong_images, broken_runs, wrong_uses):
            (place / make.__name__).mkdir()
            cases += make(place / make.__name__)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            answers = list(pool.map(lambda case: attempt(case, place), cases))
        answers += [*wrong_calls(), *interrupted(place)]
        text = table(answers, place)
    print(text)
    if out:
        title = "# What a newcomer can do wrong, and what is answered\n\n"
        how = "Written by `python tests/newcomer.py --out docs/newcomer.md`.\n\n"
        out.write_text(title + how + text + "\n")
    sys.exit(any(not answer.good for answer in answers))


if __name__ == "__main__":
    main()
