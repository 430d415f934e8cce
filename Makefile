# Everything is reached from here; `make help` lists it. The work is done by the programs that are called.
.DEFAULT_GOAL := help
SHELL := /bin/bash
CACHE := $(or $(MLMODEL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mlmodel)

# uv brings Python packages as uv.lock has them; where it is missing, it is put into the cache folder.
UV := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
RUN := $(UV) run --frozen
# Two workers share the cores: threads of OpenMP that wait must not spin.
PYTEST := OMP_WAIT_POLICY=passive $(RUN) pytest

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(CACHE)/uv/bin/uv:
	@python3 -m venv $(CACHE)/uv && $(CACHE)/uv/bin/pip install --quiet uv==0.13.9

.PHONY: demo
demo: $(UV) ## run the whole loop on real flights, in a Kubernetes of its own (CLUSTER=local|kind|current)
	@$(RUN) python -m demo

.PHONY: test
test: check test-slow test-control-plane test-node test-demo ## everything: check, control plane, node, and the short demo

.PHONY: check
check: $(UV) ## format, lint, types, import rules, unit tests: under a minute
	@$(RUN) ruff format --quiet --check . || { echo "run 'make format'"; exit 1; }
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy
	@output=$$($(RUN) lint-imports --no-logo --no-cache 2>&1) || { echo "$$output"; exit 1; }
	@$(PYTEST) --quiet -m "not slow and not control_plane and not node" -n 2

.PHONY: format
format: $(UV) ## format and mend what can be mended
	@$(RUN) ruff format --quiet .
	@$(RUN) ruff check --fix --quiet .

.PHONY: programs
programs: $(UV) ## build the Go programs of cluster and tests where they are not cached (about ten minutes)
	@$(RUN) python -m devtools.cluster build

.PHONY: test-slow
test-slow: programs ## tests that start processes, or simulate at length, on this machine
	@$(PYTEST) --quiet -m "slow and not control_plane and not node" -n 2

.PHONY: test-control-plane
test-control-plane: programs ## tests against a real API server, without a node
	@$(PYTEST) --quiet -m "control_plane and not node" -n 2 --dist loadfile

.PHONY: test-node
test-node: programs images ## tests on a real node: images, Helm, pods, traffic, faults
	@KEEP_CLUSTER=1 $(PYTEST) --quiet -m node

.PHONY: test-demo
test-demo: $(UV) ## the demo on a shorter stretch of time
	@$(RUN) python -m demo --short

.PHONY: test-exhaustive
test-exhaustive: programs images ## the long forms of the model server's proofs: agreement with scikit-learn, fuzzing, pods replaced on a node (hours)
	@EXHAUSTIVE=1 $(PYTEST) --quiet --timeout 0 -m "exhaustive and not node" -n 2
	@EXHAUSTIVE=1 KEEP_CLUSTER=1 $(PYTEST) --quiet --timeout 0 -m "exhaustive and node"

.PHONY: pictures
pictures: $(UV) ## draw what kubectl mlmodel drift shows in each state, for docs/monitoring.md
	@$(RUN) python -m tests.cli.support.pictures

.PHONY: bench-drift
bench-drift: $(UV) ## the drift detector beside its bound and other detectors, on a quiet machine: about an hour; table and .bench/drift.json
	@$(RUN) python -m benchmarks drift

.PHONY: bench-loop
bench-loop: $(UV) ## the default policy beside schedules and rules of others, on a quiet machine: hours; table, .bench/loop.json, docs/loop.png
	@$(RUN) python -m benchmarks loop $(BENCH)

.PHONY: wrk
wrk:
	@command -v wrk > /dev/null || { [ -x /usr/bin/apt-get ] && apt-get install --yes --quiet wrk; } || { echo "install wrk"; exit 1; }

.PHONY: bench-serving
bench-serving: $(UV) wrk ## the model server beside other servers, on a quiet machine: about half an hour; table, .bench/serving.json and .png
	@$(RUN) python -m benchmarks serving $(BENCH)

.PHONY: bench-servers
bench-servers: $(UV) wrk ## HTTP servers that only echo, beside a bare protocol, on a quiet machine: eight minutes; table and .bench/servers.json
	@$(RUN) python -m benchmarks servers $(BENCH)

.PHONY: crds
crds: $(UV) ## generate crds/ and the chart's copies from the contract
	@$(RUN) python -m mlmodel_operator.crds

.PHONY: protocol
protocol: $(UV) ## generate the messages of gRPC from their .proto
	@cd model_server && $(RUN) python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. model_server/serve/grpc/oip/open_inference.proto

.PHONY: images
images: $(UV) ## build the images and print their names and archives
	@$(RUN) python -m devtools.images

.PHONY: cluster
cluster: $(UV) ## start a Kubernetes for demo and tests (CLUSTER=local|kind|current), print its KUBECONFIG
	@$(RUN) python -m devtools.cluster up

.PHONY: cluster-down
cluster-down: $(UV) ## stop that Kubernetes and remove what it left on this machine
	@$(RUN) python -m devtools.cluster down
