# Everything that is done with this repository; `make help` lists it.

CACHE := $(or $(KAMAJI_CLUSTER_CACHE),$(XDG_CACHE_HOME),$(HOME)/.cache)/terraform-provider-kamaji
# The program that runs the local management cluster; see tests/acceptance/cluster/README.md.
CLUSTER := $(CACHE)/cluster

# What releases are built for. On Linux one static file (musl): it runs on every distribution, starts in half the time of
# a dynamically linked one, and takes a quarter less memory.
TARGET = $(patsubst %-linux-gnu,%-linux-musl,$(shell rustc -vV | sed -n 's/^host: //p'))
PROVIDER = target/release/terraform-provider-kamaji

FUZZ_SECONDS = 600
FUZZ_TARGETS = msgpack state_json handshake
FUZZ = cargo +nightly fuzz
FUZZ_PLACES = --fuzz-dir crates/tfplugin/fuzz --target-dir target/fuzz

export KAMAJI_CLUSTER := $(CLUSTER)

.DEFAULT_GOAL := help
.PHONY: help build rust-target test conformance fuzz cluster cluster-down cluster-program demo demo-down docs bench dist

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: rust-target ## Build target/release/terraform-provider-kamaji (5 minutes the first time)
	cargo build --release --locked --target $(TARGET)
	@mkdir -p $(dir $(PROVIDER)) && ln -f target/$(TARGET)/release/$(notdir $(PROVIDER)) $(PROVIDER)

test: cluster-program ## Run all tests: format, lints, unit, protocol, docs, acceptance (an hour on two cores, up to 30 minutes more the first time)
	@tests/run

conformance: ## Play Terraform and OpenTofu against the binary: every RPC, right and broken (15 minutes; `make test` plays a sample)
	KAMAJI_CONFORMANCE=all cargo test --workspace --profile conformance --test protocol -- --nocapture conformance

fuzz: ## Fuzz what is read from outside, FUZZ_SECONDS each (600); needs a nightly Rust and `cargo install cargo-fuzz`
	@set -e; for target in $(FUZZ_TARGETS); do \
	  mkdir -p target/fuzz/corpus/$$target; \
	  $(FUZZ) run $(FUZZ_PLACES) $$target target/fuzz/corpus/$$target crates/tfplugin/fuzz/corpus/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 \
	    -dict=crates/tfplugin/fuzz/dictionary; \
	done

cluster: cluster-program ## Start a Kamaji management cluster on this machine (20 seconds; 10 minutes the first time)
	@$(CLUSTER) up
	@echo 'kubectl for it: eval "$$($(CLUSTER) env)"; $(CLUSTER) kubectl get datastores'

cluster-down: cluster-program ## End the management cluster and remove its state
	@$(CLUSTER) down

demo: cluster-program ## Apply examples/quickstart on a local cluster and join a worker (2 minutes; 20 the first time)
	@examples/demo up

demo-down: cluster-program ## Undo the demo; nothing stays behind
	@examples/demo down

docs: ## Write docs/ from the schemas and examples/
	UPDATE_DOCS=1 cargo test --workspace --test docs

bench: rust-target ## Measure the release binary: size, start, memory, calls; plans of a fleet with Terraform (TERRAFORM_BIN)
	cargo bench --target $(TARGET) --bench process --bench fleet

# What is made by default runs on the machine that makes it; release/README.md has the other platforms.
PLATFORMS = linux_$(if $(filter aarch64%,$(TARGET)),arm64,amd64)
dist: rust-target ## Make a release in target/dist: zips of PLATFORMS, sums, bills of materials; signed by GPG_FINGERPRINT
	@release/dist build $(PLATFORMS)

cluster-program:
	@mkdir -p $(CACHE)
	@cd tests/acceptance/cluster && CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -o $(CLUSTER) .

# The standard library for TARGET, and the linker and C library for musl.
rust-target:
	@rustup target list --installed | grep -qx $(TARGET) || rustup target add $(TARGET)
	@case $(TARGET) in *-musl) command -v musl-gcc >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get install -y musl-tools >/dev/null; } || \
	  { echo 'musl-gcc is missing: install it (on Debian: apt-get install musl-tools)' >&2; exit 1; } ;; esac
