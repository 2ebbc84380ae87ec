# Everything runs in .venv; nothing needs root. `make demo` and `make test` work on a fresh checkout.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
LONG = tests/host/test_kernels.py tests/host/test_tokenizer_c.py tests/host/test_bootloader_crypto.py \
	tests/unit/test_characters.py tests/emulated/test_upload_speed.py tests/emulated/test_work.py
DEMO_INPUTS = $(patsubst examples/keyword_spotting/%,%,$(sort $(wildcard examples/keyword_spotting/inputs/*.wav)))

.PHONY: demo test pytest long lint bench fuzz powercut flower golden wheel clean

# The demo installs only what the compiler needs; the tests add TensorFlow, LiteRT and the linters.
$(VENV)/.tinyc: pyproject.toml
	@$(PYTHON) -m venv $(VENV) || { echo "hint: Python needs its venv module, on Debian: apt install python3-venv"; \
		rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.tinyc
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

demo: $(VENV)/.tinyc
	cd examples/keyword_spotting && ../../$(BIN)/tinyc build --board nrf52840
	cd examples/keyword_spotting && ../../$(BIN)/tinyc run --board nrf52840 $(patsubst %,--input %,$(DEMO_INPUTS))
	cd examples/keyword_spotting && ../../$(BIN)/tinyc verify --board nrf52840 --count 5 --limit 20

# mypy runs while the test workers collect.
test: $(VENV)/.dev
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# What `make test` samples, in full: all code points, all optimization levels, many signatures, long uploads.
long: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --long $(LONG)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/cortex_m4.py

fuzz: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.smp_fuzzing
	PYTHONPATH=tests $(BIN)/python -m support.iphc_fuzzing
	PYTHONPATH=tests $(BIN)/python -m support.lpc_fuzzing
	PYTHONPATH=tests $(BIN)/python -m support.learn_fuzzing
	PYTHONPATH=tests $(BIN)/python -m support.image_fuzzing
	PYTHONPATH=tests $(BIN)/python -m support.boot_fuzzing

# The bootloader's C and the uploads' on a simulated flash, then bootloader, firmware and learner on the emulated chip.
powercut: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.boot_sweeps
	PYTHONPATH=tests $(BIN)/python -m support.upload_cuts
	PYTHONPATH=tests $(BIN)/python -m support.power_cuts --workers $(WORKERS)
	PYTHONPATH=tests $(BIN)/python -m support.learn_cuts

# Flower needs older versions of libraries than tinyc's environment has, so its tests have one of their own.
flower:
	$(PYTHON) -m venv $(VENV)-flower
	$(VENV)-flower/bin/python -m pip install --quiet --editable ".[flower]" pytest
	$(VENV)-flower/bin/python -m pytest tests/unit/test_flower.py tests/emulated/test_flower_gateways.py

golden: $(VENV)/.dev
	$(BIN)/python -m pytest -m golden --update-golden

wheel: $(VENV)/.dev
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
