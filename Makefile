# `make demo` and `make test` do all the set-up: they make .venv, install into it, and run.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-pixels soak lint map walk clean

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

demo: .venv/.installed ## ask the embedded model about the pictures in examples/; annotated pictures land in out/demo
	$(BIN)/visionllm demo examples --out out/demo

test: .venv/.installed-test ## lint, types, tests and coverage
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest --cov --cov-report=
	$(BIN)/coverage report
	$(BIN)/coverage report --include='src/visionllm/ops/*' --fail-under=100
	$(MAKE) --no-print-directory test-pixels

test-pixels: .venv/.installed-test ## tiles bit by bit, by the Pillow that the golden pictures are from (gradio holds it older)
	$(PIP) --upgrade --no-deps --target .venv/pillow-13 pillow==13.0.0
	EXACT_PIXELS=1 PYTHONPATH=.venv/pillow-13 $(BIN)/python -m pytest tests/parity/test_tiles.py

soak: .venv/.installed-test ## every fault with its full counts, and a report; takes half an hour
	VISIONLLM_SOAK=1 $(BIN)/python -m pytest -m faults --durations=15 tests

lint: .venv/.installed-test ## ruff and basedpyright, zero findings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

map: .venv/.installed ## write the file map of the README anew
	$(BIN)/python docs/filemap.py

walk: .venv/.installed-test ## take the walk of docs/serving.md over the page, and write its pictures anew
	VISIONLLM_WALK=1 $(BIN)/python -m pytest tests/server/page/test_walk.py

clean: ## remove .venv, caches and outputs
	rm -rf .venv .pytest_cache .ruff_cache .coverage htmlcov build dist out

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[demo]'
	@touch $@

.venv/.installed-test: .venv/.installed
	$(PIP) --editable '.[test]'
	@touch $@
