# `make compare` runs the main job, `make test` passes the tests; each sets up .venv by itself if need be.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTANCE ?= instances/paper-40.json
REPORT ?= reports/$(basename $(notdir $(INSTANCE)))

export OMP_NUM_THREADS ?= 1

.PHONY: help compare test bench format schemas clean

help:
	@echo "make compare   plan, run and compare $(INSTANCE); the report goes to $(REPORT)"
	@echo "make test      ruff, mypy and pytest"
	@echo "make bench     benchmarks (ratios to peers, growth, memory)"
	@echo "make format    format the sources"
	@echo "make schemas   write the JSON Schemas of instances and plans anew"
	@echo "make clean     remove .venv, reports and caches"

compare: $(READY)
	$(BIN)/hfedfm compare $(INSTANCE) --duplex both -o $(REPORT)

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: $(READY)
	@for script in benchmarks/*.py benchmarks/*/__main__.py; do echo "== $$script"; \
		module=$$(echo $${script%.py} | tr / .); $(BIN)/python -m $${module%.__main__} || exit 1; done

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

schemas: $(READY)
	$(BIN)/python -c "from hfedfm_opt.system.schema import write_schema; write_schema('instances/instance.schema.json')"
	$(BIN)/python -c "from pathlib import Path; from hfedfm_opt.planning.plan_file import plan_schema_text; Path('instances/plan.schema.json').write_text(plan_schema_text())"

clean:
	rm -rf $(VENV) reports .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
