#!/bin/sh
# fortify.sh COMPILER LANGUAGE INCLUDES LIBRARY: fortify.c at every level.
set -eu
compiler=$1 language=$2 includes=$3 library=$4
case $compiler in *clang*) checks=no ;; *) checks=yes ;; esac # which says nothing of these blocks
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for level in 0 1 2 3; do
    "$compiler" -x "$language" -O2 -Wall -Wextra -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$level -I"$includes" \
        "$here/fortify.c" -x none "$library" -Wl,-rpath,"$(dirname "$library")" -o "$out/prog"
    "$out/prog"
    [ $level = 0 ] || [ "$checks" = no ] || for number in 0 1 2; do
        if "$out/prog" $number 2>/dev/null; then
            echo "level $level: overflow $number goes unseen"
            exit 1
        fi
    done
done
