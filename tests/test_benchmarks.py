"""The benchmarks, as their docstrings say to run them: each prints its table."""

import sys

import pytest
from processes import ROOT, refused, run

pytestmark = pytest.mark.slow


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # this package, wherever another is installed
    return lambda name: [sys.executable, str(ROOT / "benchmarks" / f"{name}.py")]


def _cells(table):
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()]


def test_stages(benchmark):
    table, _ = run(benchmark("stages"), ["--presets", "digits", "--steps", "2"])
    head, _, (name, *measured) = _cells(table)
    assert name == "`digits`" and len(measured) == len(head) - 1
    assert all(len(cell.split(" / ")) == 4 for cell in measured)  # E, two levels, joint
    assert "--presets: unknown preset 'x'" in refused(benchmark("stages"), ["--presets", "x"])


def test_sampling(benchmark, finished):
    table, _ = run(benchmark("sampling"), ["--run_dir", finished[0], "--rounds", "1"])
    (_, *ways, _), _, *rows = _cells(table)
    assert ways == ["SavedModel", "model.sample", "keras predict"]
    rates = {row[0]: row[1:4] for row in rows}
    assert len(rates) == 5
    for batch in (1, 16, 100, 1000):
        for rate in rates[f"{batch}, images a second"]:
            assert float(rate.replace(",", "")) > 0


def test_serving(benchmark):
    model = ["--model", ROOT / "tests" / "data" / "v0.1.0" / "export"]
    table, _ = run(benchmark("serving"), [*model, "--seconds", "0.3", "--rounds", "1"])
    _, _, *rows = _cells(table)
    assert [row[:2] for row in rows] == [
        [str(count), way] for count in (1, 8, 64) for way in ("sgan-serve", "in process")
    ]
    assert all(float(row[2].replace(",", "")) > 0 for row in rows)
    table, _ = run(benchmark("serving"), [*model, "--requests", "200"])
    _, _, *rows = _cells(table)
    assert rows[-1][0] == "200" and all(float(row[2]) > 0 for row in rows)
