#!/bin/sh
# own_names.sh CC NM NAMED LIBRARY INCLUDES: a program that has a function of each name that the library's objects (NAMED) use among
# themselves, linked with the library.
set -eu
cc=$1 nm=$2 named=$3 library=$4 includes=$5
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$nm" "$named" | sed -n 's/^[0-9a-f]* [TDBR] //p' | grep -v '^alloc_' | sort -u >"$out/names"
[ "$(wc -l <"$out/names")" -gt 50 ] || {
    echo "so few names are not all there are"
    exit 1
}
{
    echo '#include <alloc/alloc_std.h>'
    echo '#include <stdlib.h>'
    sed 's/.*/void &(void); void &(void) { abort(); }/' "$out/names"
    echo 'int main(void) { void *p = alloc_malloc(100), *q = alloc_malloc(1 << 20);'
    echo 'alloc_free(p, 100); alloc_free(q, 1 << 20); return p == 0 || q == 0 || alloc_purge() < 0; }'
} >"$out/program.c"
"$cc" -w -I"$includes" "$out/program.c" "$library" -pthread -o "$out/program"
"$out/program"
