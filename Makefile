# osm: make run, make test. The other targets are for those who work on it.
.POSIX:

GO = go
ARGS =
VERSION = 0.1.0

.PHONY: run build test need bench leak deb doc fuzz clean

# Shows osm at work: a private real Exim, traffic and an attack, live, until Ctrl-C. ARGS=--for=30s ends it by itself.
run: build
	bin/osm demo $(ARGS)

build:
	$(GO) build -o bin/osm ./cmd/osm

# Installs what the tests need, checks the code and runs everything.
test: need
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt's form: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@# One package at a time: several drive a real Exim, whose own timeouts do not wait for a crowded machine.
	$(GO) test -p 1 -timeout 20m ./...

need:
	@packaging/need exim4=exim4-daemon-heavy eximstats=exim4-base swaks=swaks logrotate=logrotate sqlite3=sqlite3 openssl=openssl chromium=chromium rspamd=rspamd spamd=spamd

# Prints figures as ratios to what they are compared with. Never part of the tests.
bench: need build
	$(GO) run ./cmd/bench $(ARGS)

# How much spam gets through before it is stopped, and how much wanted mail is stopped with it, in simulated worlds.
leak:
	$(GO) run ./cmd/leak $(ARGS)

# Ten minutes for each parser of what strangers write.
FUZZTIME = 10m
fuzz:
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' . | sed 's/:func /:/' | sort | while IFS=: read -r file target; do \
		room=$$(dirname "$$file"); echo "$$room $$target"; \
		$(GO) test "$$room" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; \
	done

# The Debian package, in dist/.
deb:
	packaging/build $(VERSION)

# Writes anew what is generated; go test compares it.
doc:
	$(GO) test ./config ./cmd/osm ./daemon ./web -run Generated -update

clean:
	rm -rf bin dist
