#!/bin/sh
# drop_in.sh LIBRARY: the drop-in under programs that know nothing of it, and its options.
# LIBRARY is the path of liballoc_malloc.so.
set -eu
library=$1

echo "-- a program runs as it did"
printf '3\n1\n2\n' | LD_PRELOAD=$library sort

echo "-- at level 2 it tells at its exit what it has"
ALLOC_VERBOSITY=2 LD_PRELOAD=$library perl -e 1 2>&1 | cut -c 1-18

echo "-- nothing is kept of what is freed"
ALLOC_PURGE_AGE=0 LD_PRELOAD=$library perl -e 'my $x = "x" x 1e8; undef $x; print "done\n"'

echo "-- at most 64 MiB: more is refused, and the program says so in its own way"
ALLOC_MAPPED_LIMIT=64M LD_PRELOAD=$library perl -e 'my $x = "x" x 1e8; print "never\n"' 2>&1 | head -n 1 | cut -c 1-13

echo "-- a value that makes no sense is told of and ignored"
ALLOC_STRICT=very LD_PRELOAD=$library perl -e 1 2>&1
