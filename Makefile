# SPDX-License-Identifier: Apache-2.0
# A thin face over Meson: `make help` lists what there is. Packages come from tools/deps.
BUILD      ?= build
ASAN_BUILD ?= build-asan
FUZZ_BUILD ?= build-fuzz
PREFIX     ?= /usr/local
DESTDIR    ?=
SECONDS    ?= 60
DECISIONS  ?= 1000000

# Debian's own Python has the test packages; another one may be first in PATH.
PYTHON := /usr/bin/python3
# bpftool and ip live where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.DEFAULT_GOAL := build
.PHONY: help deps build demo check bench fuzz install uninstall format tidy lint check-kernels \
	soak mutants conformance clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

deps: ## install the Debian packages for building, testing and measuring (root)
	@tools/deps build test bench

$(BUILD)/build.ninja:
	@tools/deps build
	meson setup --buildtype=release --prefix=$(PREFIX) $(BUILD)

build: $(BUILD)/build.ninja ## build weftd, weft and weft-cni under build/
	ninja -C $(BUILD)

demo: build ## show what weft does, in a minute, on scratch paths (root)
	@tools/demo --build $(BUILD)

check: ## every test; closes with one line of counts (root)
	@tools/deps build test
	@$(PYTHON) tools/check --build $(BUILD) --asan-build $(ASAN_BUILD)

bench: build ## measure against peers; results under bench/out (root)
	@tools/deps bench
	@bench/run --build $(BUILD)

fuzz: ## run every fuzz target for SECONDS=60 each
	@tools/deps build test
	@$(PYTHON) tools/fuzz --build $(FUZZ_BUILD) --seconds $(SECONDS)

install: build ## install under PREFIX (and DESTDIR)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

uninstall: ## remove what install put there
	ninja -C $(BUILD) uninstall

format: ## apply clang-format to the tree
	@$(PYTHON) tools/lint --fix format

lint: ## layers, style, format, documents written from tables
	@$(PYTHON) tools/lint layers style format tables

tidy: build ## clang-tidy over the tree, deeper than make check; unchanged files are left out
	@$(PYTHON) tools/lint --build $(BUILD) --deep tidy

check-kernels: build ## boot Debian's 6.1 and 6.12 kernels in qemu and test there (root)
	@tools/deps kernels
	@$(PYTHON) tests/kernels/run --build $(BUILD)

soak: build ## churn, kills, traffic for SECONDS=60 and more; DECISIONS=1000000 on random policies (root)
	@tools/deps build test
	$(BUILD)/tests/unit/policy/test_policy_against_oracle $(DECISIONS)0 $$(date +%s)
	WEFT_DECISIONS=$(DECISIONS) $(BUILD)/tests/bpf/test_bpf_policy_random $$(date +%s)
	@WEFT_BUILD=$(abspath $(BUILD)) WEFT_SOAK_SECONDS=$(SECONDS) \
		$(PYTHON) -m pytest -p no:cacheprovider tests/e2e/test_soak.py
	@WEFT_BUILD=$(abspath $(BUILD)) WEFT_ROUNDS=200 WEFT_SEED=$$(date +%s) \
		$(PYTHON) -m pytest -p no:cacheprovider tests/e2e/test_policy_random.py

mutants: ## break a copy of the tree in one place after another: does a test see it? (root)
	@tools/deps build test
	@$(PYTHON) tools/mutants

conformance: build ## the CNI specification's rules against weft-cni (root)
	@tools/deps build test
	@WEFT_BUILD=$(abspath $(BUILD)) \
		$(PYTHON) -m pytest -p no:cacheprovider tests/e2e/test_cni_spec.py tests/e2e/test_cni_refusals.py \
		tests/e2e/test_cni_reference.py

clean: ## remove build directories
	rm -rf $(BUILD) $(ASAN_BUILD) $(FUZZ_BUILD)
