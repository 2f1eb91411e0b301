# The front door of nigh. Each target installs the Debian packages that it misses (scripts/packages), then does its work.
#   make build      build/nigh and build/libnigh.so
#   make demo       plans functions, programs and a file of pairs; receipts in the terminal, plots in report.html
#   make check      builds and runs all tests
#   make install    PREFIX=/usr/local DESTDIR=
#   make asan tsan valgrind     the tests under sanitizers and valgrind
#   make models     fetches two small language models into build/models
#   make fuzz       FUZZ_SECONDS=600 for each parser
#   make clean
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 600
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
CTEST = ctest --no-tests=error --output-on-failure -j$(JOBS)

.PHONY: all build demo check install asan tsan valgrind models fuzz clean help
all: build

build:
	@scripts/setup build
	@scripts/configure release
	@cmake --build build -j $(JOBS) --target nigh nigh_command nigh_manual

demo: build
	@scripts/setup demo
	@scripts/demo.sh

check:
	@scripts/setup build test
	@scripts/configure release
	@cmake --build build -j $(JOBS)
	@cd build && $(CTEST)

install: build
	@scripts/configure release -DCMAKE_INSTALL_PREFIX="$(PREFIX)"
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)"

asan:
	@scripts/setup build asan
	@scripts/configure asan
	@cmake --build build-asan -j $(JOBS)
	@cd build-asan && $(CTEST)

tsan:
	@scripts/setup build tsan
	@scripts/configure tsan
	@cmake --build build-tsan -j $(JOBS)
	@cd build-tsan && $(CTEST)

valgrind:
	@scripts/setup build valgrind
	@scripts/configure debug
	@cmake --build build-debug -j $(JOBS)
	@scripts/valgrind build-debug

models:
	@scripts/models

fuzz:
	@scripts/setup build fuzz
	@scripts/configure fuzz
	@cmake --build build-fuzz -j $(JOBS) --target fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz build-fuzz

clean:
	rm -rf build build-debug build-asan build-tsan build-fuzz report.html demo-out

help:
	@sed -n '2,10s/^# \{0,1\}//p' Makefile
