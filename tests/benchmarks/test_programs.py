"""The benchmarks, as their docstrings say to run them: each prints its table."""

import importlib.util
import sys

import pytest
from processes import ROOT, refused, run

pytestmark = pytest.mark.slow
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is in the extra bench alone"
)


@pytest.fixture
def benchmark(monkeypatch):
    """Runs a benchmark; returns its table's rows, each `{heading: cell}`."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # this package, wherever another is installed

    def rows(name, *arguments):
        out, _ = run(_program(name), arguments)
        head, rule, *lines = [
            [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
            for line in out.splitlines()
        ]
        assert set(rule) == {"---"}
        return [dict(zip(head, line, strict=True)) for line in lines]

    return rows


def _program(name):
    return [sys.executable, str(ROOT / "benchmarks" / f"{name}.py")]


def test_stages(benchmark):
    (row,) = benchmark("stages", "--presets", "digits", "--steps", "1")
    assert row.pop("preset") == "`digits`" and row.pop("precision") in ("float32", "bfloat16")
    assert all(len(cell.split(" / ")) == 4 for cell in row.values())  # E, two levels, joint


@needs_torch
def test_training(benchmark):
    both = ["--precisions", "float32,bfloat16", "--nocompile"]
    rows = benchmark(
        "training", "--presets", "digits", "--alternations", "1", "--steps", "1", *both
    )
    assert [row["precision"] for row in rows] == ["float32", "bfloat16"]
    for row in rows:
        median, _, least, _, _ = row["here over PyTorch"].replace("(", "( ").split()
        assert float(median) == float(least) > 0  # of a single alternation
        assert row["compiled"] == "–"


@pytest.mark.parametrize("pytorch", [False, pytest.param(True, marks=needs_torch)])
def test_sampling(benchmark, finished, pytorch):
    flags = ["--precisions", "float32", "--nocompile" if pytorch else "--nopytorch"]
    rows = benchmark(
        "sampling", "--run_dir", finished[0], "--alternations", "1", "--batches", "3,20", *flags
    )
    assert len(rows) == 4 + pytorch
    for row in rows:
        assert all(float(row[f"batch {n}, images/s"].replace(",", "")) > 0 for n in (3, 20))
    assert ("over PyTorch's best, batch 3" in rows[0]) == pytorch


def test_yardstick(benchmark):
    rows = benchmark("yardstick", "--dataset", "digits", "--images", "60")
    distances = {row["images"]: float(row["Fréchet distance"]) for row in rows}
    assert len(distances) == 6
    assert distances["test images, blurred"] > 2 * distances["test images"]


def test_scaling(benchmark):
    variations = ["--batches", "10,50", "--sizes", "8", "--levels", "1,2"]
    rows = benchmark("scaling", "--preset", "digits", "--steps", "1", *variations)
    found = [(row["levels"], row["image"], row["batch"]) for row in rows]
    assert found == [("2", "8 x 8", "10"), ("2", "8 x 8", "50"), ("1", "8 x 8", "50")]
    ten, fifty, alone = (float(row["GFLOP"]) for row in rows)
    assert fifty == pytest.approx(5 * ten, rel=0.05)
    assert rows[2]["all levels jointly, a step"] == "–" and alone > 0


def test_devices(benchmark):
    (row,) = benchmark("devices", "--preset", "digits", "--alternations", "2", "--steps", "1")
    assert float(row["throughput, two over one"].split()[0]) > 0


def test_startup(benchmark):
    rows = benchmark("startup", "--preset", "digits", "--alternations", "1")
    assert len(rows) == 6 and all(row["time"].endswith("s") for row in rows)


def test_memory(benchmark):
    rows = benchmark("memory", "--preset", "digits", "--samples", "200", "--noevaluate")
    peaks = [int(row["peak, MiB"].replace(",", "")) for row in rows]
    assert len(peaks) == 5 and peaks[0] == min(peaks) > 100  # TensorFlow alone


def test_demo(benchmark):
    (row,) = benchmark("demo", "--epochs", "1")
    stages = ["encoder", "level0", "level1", "joint"]
    assert list(row) == ["the whole process", *(f"{stage}, 1 epochs" for stage in stages)]


def test_bulk(benchmark):
    rows = benchmark("bulk", "--count", "150", "--alternations", "1")
    ways = ["`stack.sample`", *(f"`--format {name}`" for name in ("png", "npz", "tfrecord"))]
    assert [row["way"] for row in rows] == ways and {row["model"] for row in rows} == {"`digits`"}
    assert rows[0]["of `stack.sample`"] == "1.00 (1.00 to 1.00)"
    assert all(float(row["CPU seconds for 1,000 images"]) > 0 for row in rows)


def test_serving(benchmark):
    model = ["--model", ROOT / "tests" / "fixtures" / "v0.1.0" / "export"]
    rows = benchmark("serving", *model, "--seconds", "0.3", "--rounds", "1")
    ways = [(str(count), way) for count in (1, 8, 64) for way in ("sgan-serve", "in process")]
    assert [tuple(row.values())[:2] for row in rows] == ways
    assert all(float(list(row.values())[2].replace(",", "")) > 0 for row in rows)
    rows = benchmark("serving", *model, "--requests", "200")
    requests, _, memory, *_ = rows[-1].values()
    assert requests == "200" and float(memory) > 0


@pytest.mark.parametrize(
    ("name", "flags", "message"),
    [
        ("stages", ["--presets", "x"], "--presets: unknown preset 'x'"),
        ("sampling", ["--batches", "1,0"], "--batches: '0' is not an integer above 0"),
        ("devices", ["--preset", "x"], "flag --preset=x"),
        ("scaling", ["--levels", "7"], "--levels: 7 is none of 1, 2, 3"),
        ("precision", [], "--model: one of --model and --run_dir"),
        ("precision", ["--model", "x"], "--model: x is none of cifar10, digits"),
        ("report", ["--parts", "x"], "--parts: x is none of training"),
    ],
)
def test_what_cannot_be_is_one_line(name, flags, message):
    assert message in refused(_program(name), flags)


@needs_torch
def test_torch_compile_without_a_compiler_is_one_line(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    message = "--compile: torch.compile needs no-such-compiler; install it, or --nocompile"
    assert message in refused(_program("training"), [])
