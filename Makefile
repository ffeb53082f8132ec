# What one types every day. "make" alone lists it.

GO    ?= go
BIN    = bin/jishi
TESTS ?= ./...

.DEFAULT_GOAL := help
.PHONY: help run build test test-long tidb gen lint clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: build ## start the demo market and print how to log in (an empty one: bin/jishi serve)
	@$(BIN) serve --demo

build: ## build bin/jishi
	@$(GO) build -trimpath -ldflags "-s -w" -o $(BIN) ./cmd/jishi

test: ## install what the tests need (as root on Debian) and run them all
	@./scripts/test-tools
	$(GO) vet ./...
	$(GO) test -timeout 20m $(TESTS)
	@command -v cc >/dev/null || echo "skipped: the race detector needs a C compiler"
	@! command -v cc >/dev/null || $(GO) test -race -timeout 20m ./kit/...
	@! command -v cc >/dev/null || $(GO) test -race -timeout 20m ./ledger -rapid.checks=15

LONG = long-forms long-race long-ledger long-pay long-shop
.PHONY: $(LONG)

test-long: ## the long form of each, on TiDB too, and the short ones with the race detector (days on 2 cores); what fails ends none of the others
	@./scripts/test-tools
	@$(MAKE) --no-print-directory tidb || echo "skipped: TiDB, which could not be built"
	@$(MAKE) --no-print-directory --keep-going $(LONG)

long-forms:
	TEST_LONG=1 $(GO) test -timeout 24h $(TESTS)

long-race:
	@command -v cc >/dev/null || echo "skipped: the race detector needs a C compiler"
	@! command -v cc >/dev/null || $(GO) test -race -timeout 3h $(TESTS)

long-ledger:
	TEST_LONG=1 $(GO) test -timeout 120h ./ledger -run TestTheLedgerIsItsModel -rapid.checks 10000 -rapid.steps 200

long-pay:
	TEST_LONG=1 $(GO) test -timeout 120h ./pay -run TestPayIsItsModel -rapid.checks 10000 -rapid.steps 200

long-shop:
	TEST_LONG=1 $(GO) test -timeout 120h ./shop -run TestTheShopIsItsModel -rapid.checks 10000 -rapid.steps 200

tidb: bin/tidb-server ## build the TiDB server that tests can use (six minutes on 2 cores)

bin/tidb-server: tests/tidb/go.mod
	cd tests/tidb && $(GO) build -trimpath -ldflags "-s -w" -o ../../$@ github.com/pingcap/tidb/cmd/tidb-server

gen: ## make the generated files again: templates, API documents, list of refusals, and stylesheet (needs Node)
	$(GO) tool templ generate -log-level error
	$(GO) test ./auth/authapi ./pay/payapi ./shop/shopapi -run 'Document$$' -update
	$(GO) test -run 'TestProblems$$' . -update
	@sh static/build.sh

lint: ## gofmt, vet
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...

clean: ## remove what was built
	rm -rf bin
