# What one can do here. Each target needs only cargo and a C compiler; `test` makes what else it needs.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench counts load images

PYTHON ?= python3
SCENARIO ?= steady

help: ## say what each target does
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 14

demo: ## run the demo: e-ID providers, sample e-service, and the sidecar in front of it
	cargo build --workspace --bins
	target/debug/grindvakt-demo

test: ## run every test, after installing what the tests against other software need (into target/)
	bash .ci/test

check: ## what must hold before the tests: format, lints, dependency rules, documentation
	bash .ci/check

bench: ## run the benchmarks and print one table: each function beside its floor
	cargo bench --bench verify_saml --bench verify_jwt --bench session --bench replay
	cargo bench --quiet --bench table

counts: ## count the instructions of the hot functions and compare them with benches/baseline.json
	.ci/counts

load: ## put the sidecar under load: SCENARIO=steady, ARGS="--help", see loadtest/README.md
	cargo build --release --package grindvakt --package grindvakt-loadtest --bins
	target/release/grindvakt-load $(SCENARIO) $(ARGS)

images: ## make the pictures of docs/images anew, with the browser that `make test` has installed
	GRINDVAKT_PEERS_NPM=target/peers/npm/node_modules cargo test --features peers --test it -- --ignored browser_pages::pictures browser_outage::pictures
