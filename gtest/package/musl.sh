#!/bin/sh
# musl.sh CMAKE SOURCE: the library built with another C library, musl: linked in every way, shared, preloaded, and loaded late.
set -eu
here=$(dirname "$0")
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
{
    "$1" -S "$2" -B "$out" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=musl-gcc -DALLOC_TESTS=OFF &&
        "$1" --build "$out" -j2
} >"$out/log" 2>&1 || {
    cat "$out/log"
    exit 1
}
sh "$here/link.sh" musl-gcc "$out" "$2/abi/include"

expect_right() {
    [ "$("$@")" = right ] || {
        echo "wrong: $*"
        exit 1
    }
}

musl-gcc -O2 -DSIZED -I"$2/abi/include" "$here/linked.c" "$out/liballoc.so" -Wl,-rpath,"$out" -o "$out/shared"
musl-gcc -O2 "$here/linked.c" -o "$out/plain"
musl-gcc -O2 "$here/loaded.c" -o "$out/loaded"
expect_right "$out/shared"
expect_right env LD_PRELOAD="$out/liballoc_malloc.so" "$out/plain"
expect_right "$out/loaded" "$out/liballoc.so"
