#!/bin/sh
# mistakes.sh VALGRIND LIBRARY PROGRAM: a program that makes mistakes with memory, run by valgrind, with a library preloaded if one is
# named. Valgrind puts its own functions, or such as call them, in the place of the library's, and reports what it reports of the C
# library's malloc.
set -eu
valgrind=$1 library=$2 program=$3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
LD_PRELOAD="$library" "$valgrind" --leak-check=full --log-file="$out/log" "$program"
for report in 'Invalid write of size 1' '0 bytes after a block of size 100' 'inside a block of size 100 free' \
    '50 bytes in 1 blocks are definitely lost'; do
    grep -q "$report" "$out/log" || {
        echo "not reported: $report"
        cat "$out/log"
        exit 1
    }
done
LD_PRELOAD="$library" "$valgrind" --tool=massif --massif-out-file="$out/massif" --log-file="$out/log" "$program"
grep -q '^mem_heap_B=100$' "$out/massif"
echo 'all of it was reported'
