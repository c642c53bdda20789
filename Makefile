# `make demo` and `make test` do all of the set-up themselves; `make build` is the set-up alone.

PYTHON ?= python3
# What `make up` runs, and from where on its ports count instead of the usual ones.
STACK ?= target/stack
FIRST_PORT ?=
# A C++ gRPC server to measure against, where its source lies beside the checkout.
FLOOR ?= $(wildcard ../shared/native_floor)

.PHONY: build demo up down test check format bench soak reconfigure wheel clean

build: .venv/installed
	scripts/build

.venv/installed: pyproject.toml constraints.txt scripts/install scripts/requirements.py
	PYTHON="$(PYTHON)" scripts/install
	touch $@

demo: build
	.venv/bin/python examples/demo.py

up: build
	.venv/bin/python examples/up.py $(STACK) $(FIRST_PORT)

down:
	@if [ -e $(STACK)/slipway.toml ] && [ -x .venv/bin/slipway ]; then \
	.venv/bin/slipway down --config=$(STACK)/slipway.toml; \
	else echo "there is no stack of make up"; fi

test: build
	scripts/test

check: build
	scripts/check

format: build
	scripts/format

bench: build
	.venv/bin/python benchmarks/trivial.py $(if $(FLOOR),--floor $(FLOOR))
	.venv/bin/python benchmarks/client.py
	.venv/bin/python benchmarks/startup.py
	.venv/bin/python benchmarks/json_body.py
	.venv/bin/python benchmarks/gateway.py

soak: build
	.venv/bin/python benchmarks/soak.py --seconds=180

reconfigure: build
	.venv/bin/python benchmarks/reconfigure.py

wheel: .venv/installed
	.venv/bin/maturin build --release --locked --out target/wheels

clean: down
	rm -rf .venv target src/slipway/_native.*.so
