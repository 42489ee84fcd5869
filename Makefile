# make demo: try it in the browser   ·   make run: the real bot   ·   make lint   ·   make bench: measure it
# make check: before a commit   ·   make test: everything   ·   make prove: before a release   ·   make bench-quick: a few ratios
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo run check test prove bench bench-quick lint format

$(VENV)/.runtime: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

demo: $(VENV)/.runtime
ifdef RESET
	rm -rf var/demo
endif
	$(BIN)/python bot.py --demo

run: $(VENV)/.runtime
	$(BIN)/python bot.py

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadgroup

# What a change most likely breaks, on SQLite, in less than a minute
check: lint
	$(BIN)/python -m pytest -n auto -k "not postgresql" -m "not proof" $$($(BIN)/python -m tests.near)

# The long forms: hours
prove: $(VENV)/.dev
	$(BIN)/python bench/prove.py

# Nothing else should run on the machine; about an hour
bench: $(VENV)/.dev
	-$(BIN)/python bench/start.py
	$(BIN)/python bench/updates.py
	$(BIN)/python bench/updates.py --database postgresql
	$(BIN)/python bench/updates.py --round-trip 50
	$(BIN)/python bench/updates.py --newcomers /start
	$(BIN)/python bench/updates.py --newcomers /balance --people 200
	$(BIN)/python bench/orders.py
	$(BIN)/python bench/latency.py
	$(BIN)/python bench/jobs.py
	$(BIN)/python bench/endurance.py
	$(BIN)/python bench/scale.py
	$(BIN)/python bench/scale.py --database postgresql
	$(BIN)/python bench/whole.py
	$(BIN)/python bench/broadcast.py
	$(BIN)/python bench/fuzz_updates.py
	$(BIN)/python bench/failover.py
	$(BIN)/python bench/workers.py
	$(BIN)/python bench/network.py
	$(BIN)/python bench/crash.py

# Three minutes
bench-quick: $(VENV)/.dev
	$(BIN)/python bench/quick.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
