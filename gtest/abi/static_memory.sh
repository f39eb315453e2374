#!/bin/sh
# static_memory.sh READELF BYTES LIBRARY...: no library has that many bytes of static memory that starts as zero. Each process is charged for it.
set -eu
readelf=$1 most=$2
shift 2
for library in "$@"; do
    size=$("$readelf" --sections --wide "$library" | sed -n 's/.* \.bss  *NOBITS  *[0-9a-f]* [0-9a-f]* \([0-9a-f]*\) .*/\1/p')
    [ -n "$size" ]
    echo "$library: $((0x$size)) bytes, fewer than $most are allowed"
    [ $((0x$size)) -lt "$most" ]
done
