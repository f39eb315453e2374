#!/bin/sh
# link.sh CC LIBRARIES INCLUDE: programs linked to the static libraries in a folder, by every linker there is and in every way in
# which a program without them runs, run.
set -eu
source=$(dirname "$0")/linked.c
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

printf '#include <stdio.h>\nint main(void) { return puts("right") < 0; }\n' >"$out/plain.c"

try() {
    "$@" -o "$out/program" 2>"$out/log" || {
        cat "$out/log"
        exit 1
    }
    [ "$("$out/program")" = right ] || {
        echo "does not run: $*"
        exit 1
    }
}

for linker in bfd gold lld; do
    command -v ld.$linker >/dev/null || continue
    for way in '-fPIE -pie' -no-pie -static '-fPIE -static-pie'; do
        # shellcheck disable=SC2086
        {
            { "$1" -fuse-ld=$linker $way "$out/plain.c" -o "$out/plain" && "$out/plain"; } >"$out/log" 2>&1 || continue
            try "$1" -O2 -fuse-ld=$linker $way -DSIZED -I"$3" "$source" "$2/liballoc.a" -pthread
            try "$1" -O2 -fuse-ld=$linker $way "$source" "$2/liballoc_malloc.a" -pthread -ldl
            echo "$linker $way"
        }
    done
done
