# A thin front of meson: every target that needs something does the set-up it needs itself.

BUILD  ?= build
PREFIX ?= /usr/local
SCALE  ?= 1
RUNS   ?= 5
export BUILD SCALE RUNS CONTESTS SECONDS_EACH WRITERS

.PHONY: all deps setup install deb check-package demo check check-unit check-tap check-fault check-san check-versions \
	regress bench bench-cut bench-physical lint format fuzz clean help

all: setup
	@ninja -C $(BUILD)
	@tools/extension.sh build $(BUILD)

help:
	@sed -n 's/^#: //p' Makefile

#: make               build into ./build
#: make deps          install the packages that building, testing and linting need (apt-get)
#: make install       PREFIX=DIR, default /usr/local; DESTDIR is honoured
#: make deb           a Debian package for this distribution, in ./build-deb
#: make check-package install it on a clean system (a chroot by debootstrap), use it, remove it
#: make demo          a fleet of three servers is backed up, thrown away, restored, and proven whole
#: make check         all suites; those of faults with the pgark under ASan and UBSan
#: make check-unit | check-tap | check-fault | check-san      one part of them
#: make check-versions   VERSIONS="13 17 18": unit tests and suites with these versions of PostgreSQL, in chroots
#: make regress       the databases of PostgreSQL's own suites: backed up, restored, compared
#: make bench         SCALE=1 RUNS=5 CONTESTS="tables empty indexes large-objects catalogue one-table agents agent-start":
#:                    pgark against pg_dump and pg_restore
#: make bench-cut     SECONDS_EACH=8 WRITERS=8: what writers wait for while the cut is made
#: make bench-physical  SCALE=100 RUNS=5: base backups and their restore against pg_basebackup and tar
#: make lint          formatting, static analysis, layers, scripts, documentation
#: make format        reformat the sources
#: make fuzz          SECONDS_EACH=60: every fuzzer for that long
#: make clean

deps:
	@tools/deps.sh build test lint

setup:
	@tools/setup.sh $(BUILD)

install: all
	@meson configure $(BUILD) -Dprefix=$(abspath $(PREFIX)) >/dev/null
	meson install -C $(BUILD)
	@tools/extension.sh install $(BUILD)

demo:
	@tools/deps.sh build test
	@tools/setup.sh $(BUILD)
	@ninja -C $(BUILD) --quiet
	@tools/as_user.sh -b $(BUILD) -- demo/demo.sh

deb:
	@tools/deps.sh build package
	@tools/deb.sh $(BUILD)-deb $(BUILD)-deb

check-package: deb
	@tools/check_package.sh $(BUILD)-deb/pgark_*.deb

check:
	@tools/deps.sh build test
	@tools/check.sh $(BUILD) unit san tap

check-unit check-tap check-fault check-san:
	@tools/deps.sh build test
	@tools/check.sh $(BUILD) $(@:check-%=%)

check-versions:
	@tools/versions.sh check $(VERSIONS)

regress:
	@test/regress/run $(VERSIONS)

bench:
	@tools/deps.sh build test bench
	@tools/setup.sh $(BUILD)-bench --buildtype=release
	@ninja -C $(BUILD)-bench --quiet
	@tools/extension.sh build $(BUILD)-bench
	@tools/as_user.sh -b $(BUILD)-bench -o $(BUILD)-bench/results -- bench/bench.pl

bench-cut:
	@tools/deps.sh build test
	@tools/setup.sh $(BUILD)-bench --buildtype=release
	@ninja -C $(BUILD)-bench --quiet
	@tools/as_user.sh -b $(BUILD)-bench -- bench/cut.pl

bench-physical:
	@tools/deps.sh build test
	@tools/setup.sh $(BUILD)-bench --buildtype=release
	@ninja -C $(BUILD)-bench --quiet
	@tools/as_user.sh -b $(BUILD)-bench -o $(BUILD)-bench/results -- bench/physical.pl

lint:
	@tools/deps.sh build test lint
	@tools/lint.sh $(BUILD)-lint

format:
	@tools/deps.sh lint
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

fuzz:
	@tools/deps.sh build test lint
	@tools/fuzz.sh $(BUILD)-fuzz

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-bench $(BUILD)-deb $(BUILD)-lint $(BUILD)-fuzz tmp_check
