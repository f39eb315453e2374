#!/bin/sh
# clang.sh CMAKE CLANG SOURCE: the drop-in built by another compiler, preloaded where threads and forks come and go.
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$1" -S "$3" -B "$out" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER="$2" -DALLOC_TESTS=OFF -DALLOC_INSTALL=OFF >"$out/log"
"$1" --build "$out" --target alloc_malloc >>"$out/log" 2>&1 || {
    cat "$out/log"
    exit 1
}
LD_PRELOAD="$out/liballoc_malloc.so" sh -c 'true; (true | true) && ls / >/dev/null'
