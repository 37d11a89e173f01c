# make demo, make test, make test-slow, make lint, make docs, make newcomer, make bench: each makes .venv and
# installs when needed.
# make results DATASET=svhn: what docs/results.md shows of a data set.
# make pretrained RUN=runs/digits: puts a trained and evaluated run into the package.
# make clean removes what was built; runs/ and exports/ stay.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo demo-sample demo-run test test-slow newcomer lint docs results bench pretrained clean

demo: demo-sample demo-run
	$(BIN)/python evaluate.py --run_dir runs/demo
	$(BIN)/python export.py --run_dir runs/demo

# What is trained already, before anything is.
demo-sample: .venv/installed
	mkdir -p runs
	$(BIN)/python -m sgan_tf.cli.sample --model digits --count 100 --out runs/pretrained.png

demo-run: .venv/installed
	$(BIN)/python train.py --dataset digits --run_dir runs/demo --sample_every 0

PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The quick tests.
test: .venv/installed
	$(PYTEST) -m "not slow"

# The others: trainings, and programs as users run them.
test-slow: .venv/installed
	$(PYTEST) -m slow

# Does everything wrong, and fails when an answer is not one line or something is lost.
newcomer: .venv/installed
	$(BIN)/python tests/newcomer.py

# deptry, first: the package imports what its users install, and they install nothing it leaves unused.
# Second: the same of the whole repository and of what developers install.
lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/requirements.py .venv
	$(BIN)/deptry . --extend-exclude '\.ci|benchmarks|docs|tests' \
		--requirements-files .venv/user.txt --requirements-files-dev .venv/dev.txt
	$(BIN)/deptry . benchmarks tests tests/*/ --requirements-files .venv/user.txt,.venv/dev.txt

# The site, in build/site; a warning is an error. `python3 -m http.server -d build/site` shows it, with its search.
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo build/site/index.html

# What docs/results.md shows of a data set, from the start: make results DATASET=svhn PRESET=svhn-small
DATASET ?= mnist
PRESET ?= $(DATASET)
results: .venv/installed
	$(BIN)/python train.py --dataset $(DATASET) --preset $(PRESET) --run_dir runs/$(DATASET) --score_every 1
	$(BIN)/python evaluate.py --run_dir runs/$(DATASET)
	$(BIN)/sgan-figures --run_dir runs/$(DATASET)
	for figure in samples variations factors curves; do \
		cp runs/$(DATASET)/$$figure.png docs/$(DATASET)_$$figure.png; done

# Benchmarks into docs/performance.md.
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu TORCH=torch==2.13.0+cpu goes without CUDA.
bench: .venv/bench
	$(BIN)/python benchmarks/report.py

.venv/bench: .venv/installed
	$(BIN)/python -m pip install --quiet --editable .[bench] $(TORCH)
	touch $@

# The name of the folder is what sgan_tf.load takes; the stack that had it is replaced.
pretrained: RUN ?= runs/digits
pretrained: NAME ?= $(notdir $(RUN:/=))
pretrained: .venv/installed
	rm -rf .venv/pretrained
	$(BIN)/python -c "import sgan_tf; sgan_tf.save(sgan_tf.load('$(RUN)'), '.venv/pretrained/$(NAME)')"
	rm -rf sgan_tf/pretrained/$(NAME)
	mv .venv/pretrained/$(NAME) sgan_tf/pretrained/$(NAME)

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .[dev]
	touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
