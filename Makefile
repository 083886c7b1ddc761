.PHONY: help build install demo demo-stop test lint bench reference accuracy prior gate
help:            ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/:/'
build install:   ## Build the extension for the PostgreSQL of pg_config and install it
	scripts/install.sh
demo:            ## From nothing to a forecast on real sales
	scripts/demo.sh
demo-stop:       ## Stop the demo's server and remove its data
	bash -c '. scripts/common.sh; cluster_stop demo'
test:            ## All tests, against a private server
	scripts/test.sh
lint:            ## Formatting and clippy
	bash -c '. scripts/common.sh; cd "$$ROOT"; cargo fmt --check && cargo clippy --release --all-targets -- -D warnings && PGRX_PG_CONFIG_PATH=$$(command -v $$PG_CONFIG) cargo clippy --release --features pg$$(major) -- -D warnings'
bench:           ## Speed and memory beside peers from PyPI, on a quiet machine; FAST=1 takes minutes
	benches/run.sh
reference:       ## What SQL answers against numpy and torch
	tests/reference/run.sh
accuracy:        ## The benchmark sets in DATA through SQL with untouched defaults, beside naive and published figures
	benches/accuracy/run.sh
prior:           ## The networks of src/engine/prior anew, from drawn series alone: hours
	benches/prior/run.sh
gate:            ## Before a release: all tests, the references, other versions of PostgreSQL, the build with CUDA
	$(MAKE) lint test reference
	scripts/versions.sh
	scripts/cuda/build.sh
