# make demo, make test, make lint, make bench, make bench-serving: each makes .venv and installs when needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench bench-serving clean

demo: .venv/installed
	$(BIN)/python train.py --dataset digits --run_dir runs/demo --sample_every 0
	$(BIN)/python export.py --run_dir runs/demo
	$(BIN)/python evaluate.py --run_dir runs/demo

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .

bench: .venv/installed
	$(BIN)/python benchmarks/stages.py

bench-serving: .venv/installed
	$(BIN)/python train.py --dataset digits --run_dir runs/demo --sample_every 0
	$(BIN)/python benchmarks/sampling.py --run_dir runs/demo

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .[dev]
	touch $@

clean:
	rm -rf .venv runs
