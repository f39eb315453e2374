#!/bin/sh
# From a fresh machine to a result, in one command.
#
#   sh cmake/bootstrap.sh test             the tests of the release build that need little: some minutes, and a few packages
#   sh cmake/bootstrap.sh test --all       every test, under every preset, with real programs and the dashboard's page
#   sh cmake/bootstrap.sh bench [ARG...]   the comparison with other allocators; ARGs go to bench/run.py (--quick, ...)
#
# What is missing is installed with apt-get; where all is there, nothing is installed and no privilege is needed.
# Everything built lies under build/.
set -eu
cd "$(dirname "$0")/.."

# Requirements, as probe=package (the Debian package that has it). A probe with a slash in front is a file, one that
# ends in .h a header that the C++ compiler finds, any other a command; cmake must also understand our presets.
build_needs='cmake=cmake ninja=ninja-build make=make cc=gcc c++=g++ python3=python3'
test_needs='pkg-config=pkg-config readelf=binutils'
test_few_wants='gtest/gtest.h=libgtest-dev benchmark/benchmark.h=libbenchmark-dev'
test_wants='gtest/gtest.h=libgtest-dev benchmark/benchmark.h=libbenchmark-dev abidiff=abigail-tools
    clang-tidy-14=clang-tidy clang-format-14=clang-format spin=spin valgrind=valgrind
    node=nodejs npm=npm chromium=chromium rustc=rustc
    clang++-14=clang-14 sqlite3=sqlite3 redis-server=redis-server redis-benchmark=redis-tools /usr/sbin/nginx=nginx-light
    musl-gcc=musl-tools ld.lld=lld
    git=git /usr/bin/shasum=perl ruby=ruby vim=vim mandoc=mandoc lintian=lintian gdb=gdb sys/sdt.h=systemtap-sdt-dev
    aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu /usr/aarch64-linux-gnu/include/stdio.h=libc6-dev-arm64-cross'
test_long='^((fault|storm|fork_storm|fork_step|purge|ratio)_test|programs|bench)[.]'
bench_wants='gtest/gtest.h=libgtest-dev benchmark/benchmark.h=libbenchmark-dev jemalloc/jemalloc.h=libjemalloc-dev
    mimalloc.h=libmimalloc-dev gperftools/tcmalloc.h=libgoogle-perftools-dev node=nodejs npm=npm
    sqlite3=sqlite3 redis-server=redis-server redis-benchmark=redis-tools /usr/bin/shasum=perl'

usage() {
    sed -n 's/^#   sh/usage: sh/p' "$0" >&2
    exit 2
}

say() {
    printf '\n== %s\n' "$*"
}

is_there() {
    case $1 in
    /*) [ -e "$1" ] ;;
    *.h) echo "#include <$1>" | c++ -fsyntax-only -x c++ - 2>/dev/null ;;
    cmake) cmake --list-presets >/dev/null 2>&1 ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# missing REQUIREMENT...: prints the packages of those that are not there
missing() {
    for requirement in "$@"; do
        is_there "${requirement%%=*}" || echo "${requirement#*=}"
    done
}

apt_get() {
    set -- env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get "$@" # RUNLEVEL: servers are installed, not started
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install() {
    apt_get install -y --no-install-recommends "$@"
}

can_install() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }
}

# provide NEEDS WANTS: without a need nothing can be built; without a want CMake fetches it, or leaves tests out
provide() {
    packages=$(missing $1 $2)
    [ -n "$packages" ] || return 0
    if can_install; then
        say "Installing" $packages
        install $packages || { apt_get update && install $packages; } ||
            for package in $packages; do install "$package" || true; done
    fi
    lacking=$(missing $1)
    if [ -n "$lacking" ]; then
        say "Cannot go on without" $lacking "(packages of Debian 12, or later ones). Please install them and run this again."
        exit 1
    fi
    lacking=$(missing $2)
    [ -z "$lacking" ] || say "Going on without" $lacking "(packages of Debian 12)"
}

# count PRESET WHAT: a number from the preset's results
count() {
    sed -n "s/^[[:space:]]*$2=\"\([0-9]*\)\"\$/\1/p" "build/$1/tests.xml"
}

# failed_tests PRESET: their names, a line each
failed_tests() {
    sed -n 's/^[[:space:]]*<testcase name="\([^"]*\)".* status="fail".*/    \1/p' "build/$1/tests.xml"
}

build() {
    cmake --preset "$1" && cmake --build --preset "$1"
}

# run_tests WANTS LEFT_OUT PRESET...: LEFT_OUT is a regular expression of tests' names
run_tests() {
    provide "$build_needs $test_needs" "$1"
    left_out=$2
    shift 2
    passed=0 failed=0 skipped=0 summary='' unbuilt='' with_failures=''
    for preset in "$@"; do
        results=build/$preset/tests.xml
        say "Preset $preset: configure, build and test; results in $results"
        rm -f "$results"
        if ! build "$preset"; then
            unbuilt="$unbuilt $preset"
        else
            ctest --preset "$preset" --exclude-regex "$left_out" || true # what failed is in the results
        fi
        if [ ! -f "$results" ]; then
            failed=$((failed + 1))
            summary="$summary
$preset: not built, or not run"
            continue
        fi
        not_run=$(($(count "$preset" skipped) + $(count "$preset" disabled)))
        bad=$(count "$preset" failures)
        good=$(($(count "$preset" tests) - bad - not_run))
        passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + not_run))
        summary="$summary
$preset: $good passed, $bad failed, $not_run skipped; $results"
        if [ "$bad" != 0 ]; then
            with_failures="$with_failures $preset=$results"
            summary="$summary
$(failed_tests "$preset")"
        fi
    done

    # Once more what went wrong, at the end: of a long log that is often all that is kept.
    for preset in $unbuilt; do
        say "Preset $preset was not built:"
        build "$preset" 2>&1 | tail -n 30
    done
    if [ -n "$with_failures" ]; then
        say "What failed:"
        python3 -B cmake/failed_tests.py $with_failures
    fi
    say "Results, $skipped skipped in all:$summary"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

run_bench() {
    provide "$build_needs" "$bench_wants"
    say "Preset release: configure and build"
    cmake --preset release
    cmake --build --preset release --target bench_all
    cmake --build --preset release --target dashboard_page || say "Going on without the dashboard, whose page was not built"
    say "Comparing the allocators; results in build/bench"
    python3 bench/run.py --build-dir build/release --output build/bench "$@"
}

case ${1-} in
test)
    case ${2-} in
    --all)
        run_tests "$test_wants" '^$' release debug single-threaded asan tsan
        ;;
    '')
        status=0
        run_tests "$test_few_wants" "$test_long" release || status=$?
        echo "Left out: the debug, single-threaded and sanitizer builds; of the release build what takes long (every fault at every call, storms,
what goes back when, metadata ratios, real programs, the benchmark's own tests); and what needs packages that are not here:
lint, the model, Rust, other compilers, the dashboard's page. All of it: sh cmake/bootstrap.sh test --all"
        exit $status
        ;;
    *)
        usage
        ;;
    esac
    ;;
bench)
    shift
    run_bench "$@"
    ;;
*)
    usage
    ;;
esac
