# Every target is one line of help; `make help` prints them.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c

# As long in a shallow clone as in a whole one: both make the same images.
VERSION ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# What images give as their date: that of the commit.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# Where images are pushed to, and pulled from by what make dist writes.
REGISTRY ?=
LDFLAGS := -s -w -X github.com/upmio/unit-operator/pkg/version.Version=$(VERSION) -X github.com/upmio/unit-operator/pkg/version.Commit=$(COMMIT)

# What each suite may take, in seconds on two cores, apart from what a machine builds
# once (some 20 minutes, see hack/budget.sh). They are ceilings for a slow
# machine, which needs some 80 minutes for all of them and a quick one 45. make ci fails if
# one takes longer.
BUDGET_VERIFY ?= 300
BUDGET_TEST ?= 800
BUDGET_TEST_SERVERS ?= 2000
BUDGET_E2E ?= 2100

GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

.PHONY: help
help: ## Print this help.
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build unit-operator, unit-agent and the test bed's command into bin/.
	$(GOBUILD) -o bin/unit-operator ./cmd/unit-operator
	$(GOBUILD) -o bin/unit-agent ./cmd/unit-agent
	$(GOBUILD) -o bin/bed ./test/bed

.PHONY: images
images: ## Make the images for amd64 and arm64 in dist/images, without Docker.
	go build -C hack/tools/release -o ../../../bin/images ./cmd/images
	bin/images build -version '$(VERSION)' -commit '$(COMMIT)' -date '$(SOURCE_DATE_EPOCH)' -ldflags "$(LDFLAGS)"

.PHONY: push
push: images ## Push the images: REGISTRY=registry.example.com/team make push.
	bin/images push -registry '$(REGISTRY)'

.PHONY: dist
dist: images ## Write install.yaml, crds.yaml and the chart to dist, with the images of REGISTRY by digest.
	@[ -n '$(REGISTRY)' ] || { echo 'where will the images be? make $@ REGISTRY=registry.example.com/team' >&2; exit 2; }
	go run ./hack/install -operator-image "$(REGISTRY)/unit-operator@$$(cat dist/images/unit-operator.digest)" \
	  -agent-image "$(REGISTRY)/unit-agent@$$(cat dist/images/unit-agent.digest)"
	go build -C hack/tools/release -o ../../../bin/chart ./cmd/chart
	bin/chart -version '$(VERSION)' -date '$(SOURCE_DATE_EPOCH)' -registry '$(REGISTRY)' \
	  -operator-digest "$$(cat dist/images/unit-operator.digest)" -agent-digest "$$(cat dist/images/unit-agent.digest)"

.PHONY: generate
generate: ## Regenerate clients, CRDs and the agent's protocol.
	hack/update-codegen.sh
	hack/update-crds.sh
	hack/update-proto.sh

.PHONY: verify
verify: ## Check that generated files, formatting, lint, words and links are right.
	hack/budget.sh $@ $(BUDGET_VERIFY) hack/verify-all.sh

.PHONY: test
test: ## Unit tests and integration tests on a real API server (no root needed).
	hack/budget.sh $@ $(BUDGET_TEST) hack/test.sh

.PHONY: test-race
test-race: ## Unit tests that need neither cluster nor server, under the race detector.
	hack/test-race.sh

.PHONY: test-servers
test-servers: ## The engines and the agent with real servers, no cluster (root, Linux).
	hack/budget.sh $@ $(BUDGET_TEST_SERVERS) hack/test-servers.sh

.PHONY: e2e
e2e: ## The flows on real nodes with real databases (root, Linux).
	hack/budget.sh $@ $(BUDGET_E2E) hack/e2e.sh

.PHONY: check-writes
check-writes: ## 100 rounds of faults under clients that write to MySQL, or to ENGINE=postgresql: no acknowledged row may be lost (root, Linux).
	hack/check-writes.sh $(if $(ENGINE),-engine=$(ENGINE))

.PHONY: demo
demo: ## A real cluster on this machine with MySQL and PostgreSQL, and ProxySQL if you have one (root, Linux).
	hack/demo.sh

.PHONY: demo-down
demo-down: ## Tear the demo's cluster down and leave nothing behind.
	hack/demo.sh down

.PHONY: bench
bench: ## Benchmarks, separate from the tests.
	hack/bench.sh

.PHONY: bench-backup
bench-backup: ## Backups against the engines' own tools: speed and memory (root, Linux).
	hack/bench-backup.sh

.PHONY: bench-scale
bench-scale: ## The operator with hundreds of sets, beside StatefulSets: speed, calls, memory (root, Linux).
	hack/bench-scale.sh

.PHONY: ci
ci: export BUDGETS := enforce
ci: verify test test-servers e2e ## What CI runs.
