"""What another precision changes of a trained run: its images a little, and so its scores."""

import json
import shutil
import sys

import numpy as np
import pytest
from processes import EVALUATE, ROOT, run

import sgan_tf

pytestmark = pytest.mark.slow


def test_images_in_bfloat16_are_nearly_those_in_float32(finished):
    labels = np.arange(200) % 10
    one, other = (
        sgan_tf.load(finished[0], precision=precision).sample(labels, seed=1)
        for precision in ("float32", "bfloat16")
    )
    assert one.dtype == other.dtype == np.float32
    difference = np.abs(one - other).mean()
    assert 0 < difference < 0.01
    assert difference < 0.1 * np.abs(one - one[::-1]).mean()  # which are different images


def test_an_evaluation_records_its_precision_where_it_is_told_to(evaluated, cache, tmp_path):
    before = (evaluated[0] / "evaluation" / "metrics.json").read_bytes()
    arguments = ["--run_dir", evaluated[0], "--samples", "100", "--cache_dir", cache]
    out, _ = run(EVALUATE, [*arguments, "--precision", "bfloat16", "--out", tmp_path])
    assert out.startswith("samples: computed in bfloat16\n")
    facts = json.loads((tmp_path / "metrics.json").read_text())
    assert facts["settings"] == {"samples": 100, "seed": 0, "precision": "bfloat16"}
    assert "100 samples in bfloat16" in (tmp_path / "report.html").read_text()
    assert out.strip().endswith(f"{tmp_path}/report.html")
    assert (evaluated[0] / "evaluation" / "metrics.json").read_bytes() == before


def test_the_benchmark_sets_the_scores_of_the_precisions_side_by_side(
    finished, cache, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # this package, wherever another is installed
    benchmark = [sys.executable, str(ROOT / "benchmarks" / "precision.py")]
    shutil.copytree(finished[0], tmp_path / "run")
    arguments = ["--run_dir", tmp_path / "run", "--samples", "200", "--cache_dir", cache]
    out, _ = run(benchmark, arguments)
    said, _, head, _, *lines = out.splitlines()
    assert said.startswith("Images in float32 and bfloat16, 1,000 of each, values in [0, 1]: mean")
    assert head == "| score | float32 | bfloat16 | real test images |"
    table = {cells[0]: cells[1:] for cells in (line.strip("| ").split(" | ") for line in lines)}
    one, other, real = map(float, table["`sample_accuracy`"])
    assert 0.05 < one <= 1 and abs(one - other) < 0.1 and real > 0.9
    assert any(one != other for one, other, _ in table.values())
