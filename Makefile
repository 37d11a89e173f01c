# make demo, make test, make lint, make bench: each makes .venv and installs when needed.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench clean

demo: .venv/installed
	$(BIN)/python train.py --dataset digits --run_dir runs/demo --sample_every 0

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .

bench: .venv/installed
	$(BIN)/python -m sgan_tf.programs.bench

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .[dev]
	touch $@

clean:
	rm -rf .venv runs
