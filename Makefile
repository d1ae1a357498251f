# Sallyport. `make` prints this help; the README shows what the two main commands print.
GO ?= go
# The race detector needs a C compiler, and nothing else here does.
RACE := $(if $(shell command -v $(or $(CC),cc) 2>/dev/null),-race)
UNIT = $(shell $(GO) list ./... | grep -v -e /conformance -e /guardrail)

.DEFAULT_GOAL := help
.PHONY: help build demo test lint policies bench mutate fuzz soak clean conformance

help: ## this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## bin/sallyport, without cgo
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/sallyport ./gateway/cmd/sallyport

demo: build ## the demo world on loopback and its tour; TOUR=once exits after the tour
	bin/sallyport demo $(if $(TOUR),--tour=$(TOUR))

test: lint policies ## everything, the suite through the real Envoy and store included
	$(GO) test $(RACE) -timeout 25m $(UNIT)
	$(GO) test -timeout 25m ./authz/policy/guardrail # which interprets Rego for minutes, and under the race detector for half an hour
	$(GO) test -p 1 -v -count=1 -timeout 30m ./conformance/...

lint: ## formatting and vet
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	cd conformance/bench && $(GO) vet ./...

policies: build ## check and test the shipped Rego
	bin/sallyport policy check policies
	bin/sallyport policy test policies

bench: build ## speed beside a server that always allows and one that interprets the same policy
	cd conformance/bench && $(GO) run . -root ../..

.PHONY: help build demo test lint policies bench mutate fuzz soak clean conformance

FUZZTIME ?= 10m
fuzz: ## every fuzz target for FUZZTIME (10m)
	$(GO) run ./conformance/fuzz -time $(FUZZTIME)

soak: ## millions of points: policy against the naive evaluator and the engines against each other; 300 kills of a log; 10,000 generated requests
	$(GO) test -v -count=1 -timeout 60m -run OnEveryPoint ./conformance/oracle -soak
	$(GO) test -v -count=1 -timeout 120m -run 'OddInputs|AwkwardRules' ./authz/policy -soak
	$(GO) test -v -count=1 -timeout 60m -run TestKill9 ./authz/audit -kills 300
	$(GO) test -v -count=1 -timeout 60m -run 'AdapterSays|AWSCLI' ./conformance/road -generated 10000 -upload 200

clean: ## what the commands above made, downloads included
	rm -rf bin .tools .demo
